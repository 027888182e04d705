// Injects a fault while a program writes checkpoints: loaded by LD_PRELOAD, it kills the process or simulates a full
// disk at one of the calls that write, flush or rename a file below a folder `checkpoints`.
//
//   FAULT_AT=7         the fault is at the seventh of these calls
//   FAULT_RANK=1       only in this rank (0 without a launcher)
//   FAULT_KIND=full    the call fails with ENOSPC; otherwise the process is killed, in the middle of a write
//   FAULT_COUNT=FILE   appends one line per call to FILE, from which a test learns how many calls there are

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool is_this_rank() {
  const std::string rank = variable("OMPI_COMM_WORLD_RANK"), wanted = variable("FAULT_RANK");
  return (rank.empty() ? "0" : rank) == (wanted.empty() ? "0" : wanted);
}

bool is_below_checkpoints(const char* path) { return std::strstr(path, "/checkpoints") != nullptr; }

bool is_below_checkpoints(int descriptor) {
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  char path[4096] = {};
  return ::readlink(link.c_str(), path, sizeof(path) - 1) > 0 && is_below_checkpoints(path);
}

void note(const char* what) {
  static const std::string into = variable("FAULT_COUNT");
  if (into.empty()) return;
  if (std::FILE* file = std::fopen(into.c_str(), "a")) {
    std::fprintf(file, "%s\n", what);
    std::fclose(file);
  }
}

/// Whether the fault happens at this call.
bool is_due(const char* what) {
  static const bool mine = is_this_rank();
  static const int wanted = std::atoi(variable("FAULT_AT").c_str());
  static std::atomic<int> calls = 0;
  if (!mine) return false;
  note(what);
  return ++calls == wanted;
}

/// Kills the process, or returns -1 with errno set.
int fault() {
  if (variable("FAULT_KIND") != "full") ::kill(::getpid(), SIGKILL);
  errno = ENOSPC;
  return -1;
}

}  // namespace

extern "C" {

ssize_t write(int descriptor, const void* bytes, std::size_t size) {
  static const auto real = next<ssize_t (*)(int, const void*, std::size_t)>("write");
  if (!is_below_checkpoints(descriptor) || !is_due("write")) return real(descriptor, bytes, size);
  (void)!real(descriptor, bytes, size / 2);
  return fault();
}

int fsync(int descriptor) {
  static const auto real = next<int (*)(int)>("fsync");
  return is_below_checkpoints(descriptor) && is_due("fsync") ? fault() : real(descriptor);
}

int rename(const char* from, const char* to) {
  static const auto real = next<int (*)(const char*, const char*)>("rename");
  return is_below_checkpoints(to) && is_due("rename") ? fault() : real(from, to);
}
}
