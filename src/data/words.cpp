#include "data/words.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/error.hpp"

namespace thalweg::data {

namespace {

/// For each byte: itself in lower case where it belongs to a word, else 0.
constexpr std::array<char, 256> word_bytes() {
  std::array<char, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool other = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c >= 128;
    if (upper || other) table[static_cast<std::size_t>(c)] = static_cast<char>(upper ? c - 'A' + 'a' : c);
  }
  return table;
}
constexpr std::array<char, 256> in_word = word_bytes();

char lower(char byte) { return in_word[static_cast<unsigned char>(byte)]; }

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// Every word of a text under a number of its own, in the order of their first places.
struct Counted {
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> numbers;
  std::vector<const std::string*> words;
  std::vector<std::int64_t> counts;
  std::vector<std::int32_t> text;

  void add(const std::string& word) {
    const auto [at, first] = numbers.try_emplace(word, static_cast<std::int32_t>(words.size()));
    if (first) {
      words.push_back(&at->first);
      counts.push_back(0);
    }
    ++counts[static_cast<std::size_t>(at->second)];
    text.push_back(at->second);
  }
};

Counted count_words(std::string_view text) {
  Counted counted;
  std::string word;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (next_word(line, word)) counted.add(word);
    if (!counted.text.empty() && counted.text.back() != end_of_sentence) counted.text.push_back(end_of_sentence);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return counted;
}

}  // namespace

bool next_word(std::string_view& line, std::string& word) {
  word.clear();
  std::size_t i = 0;
  while (i < line.size() && lower(line[i]) == 0) ++i;
  for (; i < line.size(); ++i) {
    const bool joins = line[i] == '\'' && i + 1 < line.size() && lower(line[i + 1]) != 0;
    const char c = joins ? line[i] : lower(line[i]);
    if (c == 0) break;
    word += c;
  }
  line.remove_prefix(i);
  return !word.empty();
}

WordNumbers::WordNumbers(const Vocabulary& vocabulary) {
  numbers_.reserve(vocabulary.words.size());
  for (const std::string& word : vocabulary.words) numbers_.emplace(word, static_cast<std::int32_t>(numbers_.size()));
}

std::int32_t WordNumbers::operator[](std::string_view word) const {
  const auto found = numbers_.find(word);
  return found == numbers_.end() ? -1 : found->second;
}

Words read_words(std::string_view text, std::int64_t min_count, std::string_view where) {
  const Counted counted = count_words(text);
  std::vector<std::int32_t> order(counted.words.size());
  std::iota(order.begin(), order.end(), 0);
  const auto count_of = [&](std::int32_t i) { return counted.counts[static_cast<std::size_t>(i)]; };
  const auto word_of = [&](std::int32_t i) -> const std::string& {
    return *counted.words[static_cast<std::size_t>(i)];
  };
  std::erase_if(order, [&](std::int32_t i) { return count_of(i) < min_count; });
  std::ranges::sort(order, [&](std::int32_t a, std::int32_t b) {
    return count_of(a) != count_of(b) ? count_of(a) > count_of(b) : word_of(a) < word_of(b);
  });
  if (order.size() < 2)
    fail<DataError>("[words] {}: {} different words, of which {} occur {} times or more. Wanted: two or more of these",
                    where, counted.words.size(), order.size(), min_count);
  Words result;
  std::vector<std::int32_t> numbers(counted.words.size(), end_of_sentence - 1);
  for (const std::int32_t i : order) {
    numbers[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(result.vocabulary.words.size());
    result.vocabulary.words.push_back(word_of(i));
    result.vocabulary.counts.push_back(count_of(i));
  }
  for (const std::int32_t i : counted.text) {
    const std::int32_t number = i == end_of_sentence ? i : numbers[static_cast<std::size_t>(i)];
    result.in_text += i != end_of_sentence ? 1 : 0;
    if (number >= 0 || (number == end_of_sentence && !result.numbers.empty() && result.numbers.back() >= 0))
      result.numbers.push_back(number);
  }
  return result;
}

}  // namespace thalweg::data
