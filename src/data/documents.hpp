#pragma once
// Documents: a folder with one a file, or a file of several.

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg::data {

/// The documents of a text, each of which an empty line ends (blanks count as nothing). Views of it.
[[nodiscard]] std::vector<std::string_view> documents_in(std::string_view text);

/// What was read, and the documents as views of it.
struct Documents {
  std::vector<std::string> files;
  std::vector<std::string_view> texts;
};
/// The files of a folder and of those below it, in the order of their paths, each a document; or those in a file.
/// Throws UsageError where there is nothing, DataError where there is no document or one is not UTF-8.
[[nodiscard]] Documents documents_at(const std::filesystem::path& path);

}  // namespace thalweg::data
