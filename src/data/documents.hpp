#pragma once
// Documents: the files of a folder, or several in one file.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg::data {

/// The documents of a text, separated by empty lines (lines of blanks count as empty), as views of it.
[[nodiscard]] std::vector<std::string_view> documents_in(std::string_view text);

/// The text that was read, and the documents as views of it.
struct Documents {
  std::vector<std::string> files;
  std::vector<std::string_view> texts;
};
/// Reads a folder and its subfolders, where each file is a document, in the order of their paths; or the documents in
/// one file. Throws UsageError if the path does not exist, DataError if there is no document or one is not UTF-8.
[[nodiscard]] Documents documents_at(const std::filesystem::path& path);

}  // namespace thalweg::data
