#include "data/sequences.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/utf8.hpp"
#include "data/file.hpp"
#include "data/memory.hpp"

namespace thalweg::data {

namespace {

constexpr std::string_view blanks = " \t\r\n\v\f";

}  // namespace

std::vector<std::string_view> pieces_of(std::string_view text, bool words, std::string_view where) {
  if (!is_utf8(text)) fail<DataError>("[sequences] {}: a text that is not UTF-8", where);
  std::vector<std::string_view> pieces;
  if (!words) {
    for (; !text.empty(); text.remove_prefix(utf8_length(text))) pieces.push_back(text.substr(0, utf8_length(text)));
    return pieces;
  }
  for (std::size_t begin = text.find_first_not_of(blanks); begin != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(blanks, begin), text.size());
    pieces.push_back(text.substr(begin, end - begin));
    begin = text.find_first_not_of(blanks, end);
  }
  return pieces;
}

std::vector<std::int32_t> Alphabet::tokens_of(std::string_view text, std::string_view where) const {
  std::vector<std::int32_t> tokens;
  for (const std::string_view piece : pieces_of(text, words, where)) {
    const auto found = std::ranges::lower_bound(symbols, piece, std::less<std::string_view>{});
    if (found == symbols.end() || *found != piece)
      fail<DataError>("[sequences] {}: '{}' is none of the {} {}. Hint: they are those of the training data.", where,
                      shown(piece), symbols.size(), words ? "words" : "characters");
    tokens.push_back(static_cast<std::int32_t>(found - symbols.begin()) + 1);
  }
  return tokens;
}

std::string Alphabet::text_of(std::span<const std::int32_t> tokens) const {
  std::string text;
  for (const std::int32_t token : tokens) {
    if (token == 0) break;
    if (words && !text.empty()) text += ' ';
    text += symbols.at(static_cast<std::size_t>(token) - 1);
  }
  return text;
}

namespace {

/// "READ(1)" is another way to say READ.
bool is_variant(std::string_view word) {
  if (!word.ends_with(')')) return false;
  const std::size_t open = word.rfind('(');
  if (open == std::string_view::npos || open == 0 || open + 2 >= word.size()) return false;
  return word.substr(open + 1, word.size() - open - 2).find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::vector<SequencePair> dictionary_pairs(std::string_view text, std::string_view file, Sounds sounds) {
  std::vector<SequencePair> pairs;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!is_utf8(line)) fail<DataError>("[sequences] {}, line {}: a text that is not UTF-8", file, number);
    line.remove_suffix(line.size() - std::min(line.size(), line.find_last_not_of(blanks) + 1));
    if (line.empty() || line.starts_with(";;;")) continue;
    const std::size_t gap = line.find_first_of(blanks);
    const bool has_sounds = gap != std::string_view::npos;
    if (gap == 0 || (!has_sounds && sounds == Sounds::needed))
      fail<DataError>("[sequences] {}, line {}: '{}'. Wanted: a word, blanks, and its sounds", file, number,
                      shown(line));
    const std::string_view word = line.substr(0, gap);
    if (is_variant(word)) continue;
    pairs.push_back({.source = std::string(word),
                     .target = has_sounds ? std::string(line.substr(line.find_first_not_of(blanks, gap))) : "",
                     .line = number});
  }
  return pairs;
}

bool is_dictionary(const std::filesystem::path& path) {
  return path.extension() == ".dict" || path.extension() == ".txt";
}

std::vector<SequencePair> read_dictionary(const std::filesystem::path& path, Sounds sounds) {
  const File file(path);
  if (file.size() < 0) fail<UsageError>("[sequences] {} is a pipe. Wanted: a file", file.name());
  if (file.size() > memory_budget()) fail<MemoryError>("[sequences] {}: {} bytes", file.name(), file.size());
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  bytes.resize(file.read_at(0, bytes));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return dictionary_pairs(text, file.name(), sounds);
}

}  // namespace thalweg::data
