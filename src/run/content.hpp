#pragma once
// Numbers that stand for content: of bytes, of files and of folders.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace thalweg {

/// 64 bits for a text, by which two texts are told apart; the same on every machine. Not meant to withstand anybody.
[[nodiscard]] std::uint64_t content_of(std::string_view bytes, std::uint64_t before = 0);
[[nodiscard]] std::uint64_t content_of(std::span<const std::byte> bytes, std::uint64_t before = 0);

/// A file, or a folder with all that is in it.
struct FileContent {
  std::string path;
  std::int64_t files = 1, bytes = 0;  ///< bytes are -1 of a pipe, which can be read only once
  std::uint64_t checksum = 0;
  /// Of a large folder, names and sizes alone were looked at: to read it all would take as long as an epoch.
  bool names_only = false;
};
/// Throws UsageError where there is nothing, IoError where it cannot be read.
[[nodiscard]] FileContent content_of_file(const std::filesystem::path& path);
/// All of `files` as one, by their names from `folder` on. Those that are not there are not counted.
[[nodiscard]] FileContent content_of_files(const std::filesystem::path& folder,
                                           std::vector<std::filesystem::path> files, const std::string& called);

/// Rows by their content, each as often as it occurs.
class RowSet {
 public:
  explicit RowSet(const std::vector<std::uint64_t>& rows);
  /// Whether such a row is left; it is taken out.
  [[nodiscard]] bool take(std::uint64_t content);
  [[nodiscard]] std::int64_t left() const { return left_; }

 private:
  std::unordered_map<std::uint64_t, std::int64_t> counts_;
  std::int64_t left_ = 0;
};

}  // namespace thalweg
