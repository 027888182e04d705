#include "data/file.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"
#include "core/machine.hpp"
#include "data/memory.hpp"

namespace thalweg::data {

namespace {

/// Opens a file. A pipe is opened without waiting for a writer.
int open_to_read(const std::filesystem::path& path) { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }

/// Whether the name is that of an open descriptor, such as a shell makes for <(command).
bool is_open_already(const std::string& name) {
  return name.starts_with("/dev/fd/") || name.starts_with("/proc/self/fd/") || name == "/dev/stdin";
}

}  // namespace

File::File(const std::filesystem::path& path) : descriptor_(open_to_read(path)), owned_(true), name_(path.string()) {
  const int error = errno;
  if (descriptor_ < 0 && (error == ENOENT || error == ENOTDIR)) fail<UsageError>("[data] no file '{}'", name_);
  if (descriptor_ < 0)
    fail<IoError>("[data] cannot open '{}': {}. Wanted: a file that can be read. Hint: ls -ld shows its rights.", name_,
                  std::strerror(error));
  try {
    look();
  } catch (...) {  // a constructor that throws runs no destructor
    ::close(descriptor_);
    throw;
  }
}

File::File(int descriptor, std::string name, std::function<bool()> interrupted)
    : descriptor_(descriptor), owned_(false), name_(std::move(name)), interrupted_(std::move(interrupted)) {
  look();
}

File::~File() {
  if (owned_) ::close(descriptor_);
}

void File::look() {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) fail<IoError>("[data] cannot read '{}': {}", name_, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) fail<UsageError>("[data] '{}' is a folder. Wanted: a file", name_);
  if (S_ISREG(status.st_mode)) size_ = status.st_size;
  if (!owned_) return;
  if (!S_ISREG(status.st_mode) && !is_open_already(name_)) {
    fail<UsageError>("[data] '{}' is a {}. Wanted: a plain file", name_, S_ISFIFO(status.st_mode) ? "pipe" : "device");
  }
  (void)::fcntl(descriptor_, F_SETFL, O_RDONLY);  // from here on, reads block
}

std::size_t File::read_at(std::int64_t place, std::span<std::byte> into) const {
  std::size_t done = 0;
  while (done < into.size()) {
    const auto got = ::pread(descriptor_, into.data() + done, into.size() - done,
                             static_cast<off_t>(place) + static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail<IoError>("[data] cannot read '{}': {}", name_, std::strerror(errno));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// Waits until there are bytes to read; false if it is interrupted.
bool File::wait() const {
  constexpr int patience = 100;  // milliseconds
  pollfd waiting{descriptor_, POLLIN, 0};
  do {
    if (interrupted_()) return false;
  } while (::poll(&waiting, 1, patience) <= 0);
  return true;
}

std::size_t File::read_some(std::span<std::byte> into) const {
  while (true) {
    if (interrupted_ && !wait()) return 0;
    const auto got = ::read(descriptor_, into.data(), into.size());
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) fail<IoError>("[data] cannot read '{}': {}", name_, std::strerror(errno));
  }
}

std::int64_t memory_budget() { return available_memory() / 2; }

}  // namespace thalweg::data
