#pragma once
// Common code of the fuzz targets. A reader may refuse malformed input with an Error; any other failure is a defect.

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "thalweg/error.hpp"

namespace thalweg::fuzz {

[[noreturn]] inline void broken(const char* what, std::string_view detail) {
  std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(detail.size()), detail.data());
  std::abort();
}

/// Runs the reader, which may throw any Error except an internal one.
template <class F>
void may_refuse(const F& read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) broken("a defect", error.what());
  }
}

/// A file in memory with these bytes, which has a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (::write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
      broken("no memory for", "the input");
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// A temporary folder of this process, in memory if the system has /dev/shm.
inline const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    const bool shared = std::filesystem::exists("/dev/shm");
    std::string pattern =
        (shared ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) / "thalweg-fuzz-XXXXXX";
    std::filesystem::path made = ::mkdtemp(pattern.data());
    std::atexit([] { std::filesystem::remove_all(folder()); });
    return made;
  }();
  return path;
}

inline void write(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Each target defines this: what it does with an input.
void run(std::string_view bytes);

}  // namespace thalweg::fuzz
