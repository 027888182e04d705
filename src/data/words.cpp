#include "data/words.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace thalweg::data {

namespace {

/// For each byte of ASCII: its lower case if it belongs to a word, otherwise 0.
constexpr std::array<char, 128> word_bytes() {
  std::array<char, 128> table{};
  for (int c = 0; c < 128; ++c) {
    const bool upper = c >= 'A' && c <= 'Z', other = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (upper || other) table[static_cast<std::size_t>(c)] = static_cast<char>(upper ? c - 'A' + 'a' : c);
  }
  return table;
}
constexpr std::array<char, 128> in_word = word_bytes();

/// Whether a character outside ASCII is punctuation, a space or a sign. UTF-8 sorts in the order of code points.
bool is_mark(std::string_view character) {
  const auto within = [&](std::string_view first, std::string_view last) {
    return first <= character && character <= last;
  };
  const bool latin_letter = character == "\u00aa" || character == "\u00b5" || character == "\u00ba";
  const bool joiner = within("\u200c", "\u200d");  // occurs within words of some languages
  return (character <= "\u00bf" && !latin_letter) || character == "\u00d7" || character == "\u00f7" ||
         (within("\u2000", "\u206f") && !joiner) || within("\u3000", "\u3003") || within("\u3008", "\u3020") ||
         character == "\ufeff";
}

/// The first character of a text.
struct Front {
  std::size_t bytes = 1;
  bool in_word = false, apostrophe = false;
};

Front front_of(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  if (lead < in_word.size()) return {1, in_word[lead] != 0, lead == '\''};
  const std::size_t bytes = utf8_length(text);
  if (bytes == 0) return {};  // not a valid character
  const std::string_view character = text.substr(0, bytes);
  return {bytes, !is_mark(character), character == "\u2019"};
}

std::int64_t bytes_not_utf8(std::string_view text) {
  std::int64_t count = 0;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    count += length == 0 ? 1 : 0;
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  return count;
}

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

/// Gives every distinct word of a text a number, in the order of first occurrence.
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
  while (!line.empty()) {
    const Front front = front_of(line);
    const std::string_view rest = line.substr(front.bytes);
    const bool joins = front.apostrophe && !word.empty() && !rest.empty() && front_of(rest).in_word;
    if (!front.in_word && !joins && !word.empty()) break;
    if (joins) {
      word += '\'';
    } else if (front.in_word && front.bytes == 1) {
      word += in_word[static_cast<unsigned char>(line.front())];
    } else if (front.in_word) {
      word += line.substr(0, front.bytes);
    }
    line = rest;
  }
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
  result.not_utf8 = bytes_not_utf8(text);
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
