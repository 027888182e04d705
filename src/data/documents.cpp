#include "data/documents.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "core/utf8.hpp"
#include "data/text.hpp"

namespace fs = std::filesystem;

namespace thalweg::data {

std::vector<std::string_view> documents_in(std::string_view text) {
  std::vector<std::string_view> documents;
  std::size_t begin = 0, at = 0;
  bool some = false;  // whether the document has a line that is not blank
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const bool blank = text.substr(at, end - at).find_first_not_of(" \t\r") == std::string_view::npos;
    if (blank && some) documents.push_back(text.substr(begin, at - begin));
    some = !blank;
    at = std::min(end + 1, text.size());
    if (blank) begin = at;
  }
  if (some) documents.push_back(text.substr(begin));
  return documents;
}

Documents documents_at(const fs::path& path) {
  Documents documents;
  if (fs::is_directory(path)) {
    std::vector<fs::path> paths;
    looking_at_files([&] {
      for (const auto& entry : fs::recursive_directory_iterator(path)) {
        if (entry.is_regular_file() && entry.file_size() > 0) paths.push_back(entry.path());
      }
    });
    std::ranges::sort(paths);
    for (const fs::path& file : paths) documents.files.push_back(read_text(file));
    documents.texts.assign(documents.files.begin(), documents.files.end());
  } else {
    documents.files.push_back(read_text(path));
    documents.texts = documents_in(documents.files.front());
  }
  for (const std::string& file : documents.files) {
    if (!is_utf8(file)) fail<DataError>("[documents] {}: a text that is not UTF-8", path.string());
  }
  if (documents.texts.empty()) fail<DataError>("[documents] {} has no words", path.string());
  return documents;
}

}  // namespace thalweg::data
