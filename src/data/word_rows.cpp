#include "data/word_rows.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "data/hashed_text.hpp"
#include "data/words.hpp"

namespace thalweg::data {

Fields WordOptions::fields() {
  return {{"words", &words, "how many of the most frequent have a number of their own", {.low = 2, .high = 1'000'000}},
          {"rare", &rare, "numbers that all other words share, by their spelling", {.low = 1, .high = 1'000'000}},
          {"length", &length, "words a row, ends of sentences among them", {.low = 2, .high = 4096}}};
}

WordPreprocessing WordPreprocessing::fit(const WordOptions& options, std::string_view text, std::string_view where) {
  Words found = read_words(text, 1, where);
  std::vector<std::string>& words = found.vocabulary.words;
  words.resize(std::min(words.size(), static_cast<std::size_t>(options.words)));
  return {.words = std::move(words), .rare = options.rare, .length = options.length};
}

std::string WordPreprocessing::text_of(std::int64_t number) const {
  if (number >= first_word()) return words[static_cast<std::size_t>(number - first_word())];
  return number == padding ? "" : number == mask ? "[MASK]" : number == end ? "." : "[...]";
}

WordCoder::WordCoder(WordPreprocessing words) : words_(std::move(words)) {
  auto next = static_cast<std::int32_t>(words_.first_word());
  for (const std::string& word : words_.words) numbers_.emplace(word, next++);
}

std::int32_t WordCoder::number(std::string_view word) const {
  const auto found = numbers_.find(word);
  if (found != numbers_.end()) return found->second;
  const auto place = static_cast<std::int64_t>(murmur3(word)) % words_.rare;
  return WordPreprocessing::end + 1 + static_cast<std::int32_t>(place);
}

void WordCoder::add(std::string_view line, std::vector<std::int32_t>& numbers, bool masks) const {
  constexpr std::string_view mask = "[MASK]";
  std::string word;
  while (!line.empty()) {
    const std::size_t at = masks ? line.find(mask) : std::string_view::npos;
    std::string_view before = line.substr(0, at);
    while (next_word(before, word)) numbers.push_back(number(word));
    if (at == std::string_view::npos) return;
    numbers.push_back(WordPreprocessing::mask);
    line.remove_prefix(at + mask.size());
  }
}

std::vector<std::int32_t> WordCoder::operator()(std::string_view text, bool masks) const {
  std::vector<std::int32_t> numbers;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size()), before = numbers.size();
    add(text.substr(0, end), numbers, masks);
    if (numbers.size() > before) numbers.push_back(WordPreprocessing::end);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return numbers;
}

Dataset windows_of(const WordCoder& coder, std::span<const std::string_view> documents, std::string_view where) {
  const std::int64_t length = coder.words().length;
  std::vector<std::int32_t> input, count;
  for (const std::string_view document : documents) {
    const std::vector<std::int32_t> numbers = coder(document);
    const auto size = static_cast<std::int64_t>(numbers.size());
    for (std::int64_t begin = 0; begin < size; begin += length) {
      const std::int64_t own = std::min(length, size - begin);
      input.insert(input.end(), numbers.begin() + begin, numbers.begin() + begin + own);
      input.resize(input.size() + static_cast<std::size_t>(length - own), WordPreprocessing::padding);
      count.push_back(static_cast<std::int32_t>(own));
    }
  }
  const auto rows = static_cast<std::int64_t>(count.size());
  if (rows == 0) fail<DataError>("[documents] {} has no words", where);
  Dataset result;
  result.set("input", Tensor::from(input, {rows, length}));
  result.set("count", Tensor::from(count, {rows}));
  return result;
}

}  // namespace thalweg::data
