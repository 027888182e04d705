#pragma once
// The share of the machine that this process may use, if control groups and limits grant less than all of it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace thalweg {

/// Bytes of memory that this process may use: that of the machine, or less if its control groups or its limits (`ulimit
/// -v`) allow less.
[[nodiscard]] std::int64_t available_memory();

/// The name that the kernel gives, "Intel(R) Xeon(R) Gold 6438M"; otherwise the architecture.
[[nodiscard]] std::string cpu_name();

/// The limits of control groups, read from the kernel's files; the members are set only by tests.
struct ControlGroups {
  std::filesystem::path mounts = "/sys/fs/cgroup";
  std::filesystem::path membership = "/proc/self/cgroup";

  /// The smallest limit of a group and its parents in bytes; nothing if there is none.
  [[nodiscard]] std::optional<std::int64_t> memory() const;
  /// The same for cores.
  [[nodiscard]] std::optional<double> cores() const;
};

}  // namespace thalweg
