#pragma once
// Hashes of the contents of texts, files and folders.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace thalweg {

/// A 64-bit hash of a text, the same on every machine, to detect different texts. Not secure against attacks.
[[nodiscard]] std::uint64_t content_of(std::string_view bytes, std::uint64_t before = 0);
[[nodiscard]] std::uint64_t content_of(std::span<const std::byte> bytes, std::uint64_t before = 0);

/// The hash of a file, or of a folder with all its files.
struct FileContent {
  std::string path;
  std::int64_t files = 1, bytes = 0;  ///< bytes is -1 for a pipe, which can be read only once
  std::uint64_t checksum = 0;
  /// For a large folder the hash covers only names and sizes: reading all of it would take as long as an epoch.
  bool names_only = false;
};
/// Throws UsageError if the path does not exist, IoError if it cannot be read.
[[nodiscard]] FileContent content_of_file(const std::filesystem::path& path);
/// One hash of all `files`, by their names relative to `folder`. Missing files are left out.
[[nodiscard]] FileContent content_of_files(const std::filesystem::path& folder,
                                           std::vector<std::filesystem::path> files, const std::string& called);

/// A multiset of rows by their content.
class RowSet {
 public:
  explicit RowSet(const std::vector<std::uint64_t>& rows);
  /// Removes one such row, and returns whether there was one left.
  [[nodiscard]] bool take(std::uint64_t content);
  [[nodiscard]] std::int64_t left() const { return left_; }

 private:
  std::unordered_map<std::uint64_t, std::int64_t> counts_;
  std::int64_t left_ = 0;
};

}  // namespace thalweg
