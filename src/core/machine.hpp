#pragma once
// What this process may use of the machine, where control groups and limits grant less than there is.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace thalweg {

/// Bytes of memory that this process may use: the machine's, or what its control groups and its limits (`ulimit -v`)
/// leave of it.
[[nodiscard]] std::int64_t available_memory();

/// As the kernel names it, "Intel(R) Xeon(R) Gold 6438M"; else the architecture.
[[nodiscard]] std::string cpu_name();

/// What control groups say, read from where the kernel shows them; the arguments are for tests.
struct ControlGroups {
  std::filesystem::path mounts = "/sys/fs/cgroup";
  std::filesystem::path membership = "/proc/self/cgroup";

  /// The smallest limit of a group and of those it lies in, bytes; nothing where there is none.
  [[nodiscard]] std::optional<std::int64_t> memory() const;
  /// The same of cores.
  [[nodiscard]] std::optional<double> cores() const;
};

}  // namespace thalweg
