#include "store/atomic_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "core/error.hpp"

namespace thalweg {

namespace {

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {
    if (number_ < 0) fail<IoError>("[write] {}: {}", path.string(), std::strerror(errno));
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

bool write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

void sync_folder(const std::filesystem::path& folder) {
  const Descriptor opened(folder.empty() ? "." : folder, O_RDONLY | O_DIRECTORY);
  ::fsync(opened.number());  // some file systems do not support it; the rename is then as safe as they make it
}

void write_atomically(const std::filesystem::path& path, const std::vector<std::span<const std::byte>>& pieces) {
  std::filesystem::path temporary = path;
  temporary += fmt::format(".{}.tmp", ::getpid());
  ::unlink(temporary.c_str());  // what a killed process of the same number left
  int error = 0;
  {
    const Descriptor file(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
    for (const auto& piece : pieces) {
      if (error == 0 && !write_all(file.number(), piece)) error = errno;
    }
    if (error == 0 && ::fsync(file.number()) != 0) error = errno;
  }
  if (error == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) {
    ::unlink(temporary.c_str());
    fail<IoError>("[write] {}: {}. Any previous file is unchanged.", path.string(), std::strerror(error));
  }
  sync_folder(path.parent_path());
}

void write_output(const std::filesystem::path& path, std::string_view text) {
  std::error_code none;
  const auto there = std::filesystem::status(path, none);
  if (!std::filesystem::exists(there)) return write_atomically(path, text);
  if (std::filesystem::is_regular_file(there)) return write_atomically(std::filesystem::canonical(path), text);
  const OutputFile device = open_output(path);
  if (std::fwrite(text.data(), 1, text.size(), device.get()) != text.size() || std::fflush(device.get()) != 0)
    fail<IoError>("[write] {}: {}", path.string(), std::strerror(errno));
}

OutputFile open_output(const std::filesystem::path& path) {
  const int number = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0666);
  std::error_code none;
  if (number < 0 && errno == ENXIO && std::filesystem::is_fifo(path, none))
    fail<IoError>("[write] {}: nobody reads this pipe. Hint: start its reader first", path.string());
  if (number < 0) fail<IoError>("[write] {}: {}", path.string(), std::strerror(errno));
  (void)::fcntl(number, F_SETFL, O_WRONLY);  // from here on, writes wait for the reader
  OutputFile file(::fdopen(number, "wb"), std::fclose);
  if (!file) ::close(number);
  if (!file) fail<IoError>("[write] {}: {}", path.string(), std::strerror(ENOMEM));
  return file;
}

void write_atomically(const std::filesystem::path& path, std::string_view text) {
  write_atomically(path, {std::as_bytes(std::span(text.data(), text.size()))});
}

}  // namespace thalweg
