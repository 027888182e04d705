#include "core/machine.hpp"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <vector>

namespace thalweg {

namespace {

namespace fs = std::filesystem;

/// The first number in a file, if there is one ("max" is none).
std::optional<double> number_in(const fs::path& path) {
  std::ifstream file(path);
  double number = 0;
  if (file >> number) return number;
  return std::nullopt;
}

/// Folders of the groups of this process, inner ones first: `0::/a/b` is of version 2, `4:memory:/a` is one controller
/// of version 1. A container sees its own group at the root, whatever the line contains, so that the root comes last.
std::vector<fs::path> folders(const ControlGroups& groups, const std::string& controller) {
  std::vector<fs::path> found;
  std::ifstream lines(groups.membership);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string name = line.substr(first + 1, second - first - 1);
    const bool listed = ("," + name + ",").find("," + controller + ",") != std::string::npos;
    if (!name.empty() && !listed) continue;
    const fs::path mount = name.empty() ? groups.mounts : groups.mounts / controller;
    for (fs::path inner = fs::path(line.substr(second + 1)).relative_path();; inner = inner.parent_path()) {
      found.push_back(mount / inner);
      if (inner.empty()) break;
    }
  }
  found.push_back(groups.mounts);
  found.push_back(groups.mounts / controller);
  return found;
}

void keep_least(std::optional<double>& least, std::optional<double> other) {
  if (other && *other > 0 && (!least || *other < *least)) least = other;
}

/// Version 2 stores "quota period" in `cpu.max`; version 1 has a file for each.
std::optional<double> cores_of(const fs::path& folder) {
  if (std::ifstream file(folder / "cpu.max"); file) {
    double quota = 0, period = 0;
    if (file >> quota >> period && period > 0) return quota / period;
  }
  const auto quota = number_in(folder / "cpu.cfs_quota_us"), period = number_in(folder / "cpu.cfs_period_us");
  if (quota && period && *quota > 0 && *period > 0) return *quota / *period;
  return std::nullopt;
}

}  // namespace

std::optional<std::int64_t> ControlGroups::memory() const {
  std::optional<double> least;
  for (const fs::path& folder : folders(*this, "memory")) {
    keep_least(least, number_in(folder / "memory.max"));
    keep_least(least, number_in(folder / "memory.limit_in_bytes"));
  }
  if (!least || *least >= 0x1p62) return std::nullopt;
  return static_cast<std::int64_t>(*least);
}

std::optional<double> ControlGroups::cores() const {
  std::optional<double> least;
  for (const fs::path& folder : folders(*this, "cpu")) keep_least(least, cores_of(folder));
  return least;
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  utsname system{};
  return ::uname(&system) == 0 ? system.machine : "unknown";
}

std::int64_t available_memory() {
  std::int64_t bytes =
      static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::int64_t>(::sysconf(_SC_PAGE_SIZE));
  if (const auto granted = ControlGroups{}.memory()) bytes = std::min(bytes, *granted);
  for (const auto which : {RLIMIT_AS, RLIMIT_DATA}) {
    rlimit limit{};
    if (::getrlimit(which, &limit) == 0 && limit.rlim_cur < static_cast<rlim_t>(bytes))
      bytes = static_cast<std::int64_t>(limit.rlim_cur);
  }
  return bytes;
}

}  // namespace thalweg
