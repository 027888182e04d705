#pragma once

#include <fstream>
#include <string>

/// The most memory that this process has had, in megabytes. (getrusage would answer with that of the one that forked
/// it, where that was more.)
inline double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}
