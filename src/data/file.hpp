#pragma once
// A file opened for reading.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace thalweg::data {

/// An open file, closed by the destructor. A missing file is a UsageError, one without permission an IoError. A named
/// pipe or a device, which may never end, is a UsageError, except for /dev/fd/N and /dev/stdin.
class File {
 public:
  explicit File(const std::filesystem::path& path);
  /// Reads from a descriptor of the caller (standard input), which stays open. When `interrupted` is given and returns
  /// true, waiting for input stops, as if the file ended there.
  File(int descriptor, std::string name, std::function<bool()> interrupted = {});
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  /// The name used in messages.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// Size in bytes; -1 if it is not known (a pipe).
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
