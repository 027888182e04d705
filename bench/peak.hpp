#pragma once
// The peak of the process's memory, for the benchmarks.

#include <fstream>
#include <string>

/// The peak of this process's resident memory, in megabytes. (getrusage does not serve: its peak includes that of the
/// parent process before the fork.)
inline double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}
