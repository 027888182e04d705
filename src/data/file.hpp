#pragma once
// A file opened for reading.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace thalweg::data {

/// An open file, closed at the end of its life. A missing file is a UsageError, one that may not be read an IoError. A
/// named pipe and a device, which may never end, are a UsageError; /dev/fd/N and /dev/stdin are read.
class File {
 public:
  explicit File(const std::filesystem::path& path);
  /// A descriptor of the caller's (standard input), which stays open. Where `interrupted` is given and returns true,
  /// waiting for more ends, as if the file ended there.
  File(int descriptor, std::string name, std::function<bool()> interrupted = {});
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// The name used in messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// In bytes; -1 where the size is not known (a pipe).
  [[nodiscard]] std::int64_t size() const { return size_; }
  /// Fills `into` from an offset of the file; returns fewer bytes only at its end.
  [[nodiscard]] std::size_t read_at(std::int64_t place, std::span<std::byte> into) const;
  /// Reads the next bytes, as many as are available; 0 only at the end.
  [[nodiscard]] std::size_t read_some(std::span<std::byte> into) const;

 private:
  void look();
  [[nodiscard]] bool wait() const;

  int descriptor_;
  bool owned_;
  std::string name_;
  std::int64_t size_ = -1;
  std::function<bool()> interrupted_;
};

}  // namespace thalweg::data
