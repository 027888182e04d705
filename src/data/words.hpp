#pragma once
// A text as the numbers of its words, ordered by frequency.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::data {

/// The distinct words of a text, the most frequent first; equally frequent ones in alphabetical order.
struct Vocabulary {
  std::vector<std::string> words = {};
  std::vector<std::int64_t> counts = {};  ///< how often each occurs in the text

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(words.size()); }
  friend bool operator==(const Vocabulary&, const Vocabulary&) = default;
};

/// Maps the spelling of a vocabulary's words to their numbers.
class WordNumbers {
 public:
  explicit WordNumbers(const Vocabulary& vocabulary);
  /// -1 for an unknown word. The spelling must be as `next_word` gives it.
  [[nodiscard]] std::int32_t operator[](std::string_view word) const;

 private:
  std::unordered_map<std::string_view, std::int32_t> numbers_;  // views of the vocabulary
};

/// Marks the end of a sentence in `Words::numbers`.
inline constexpr std::int32_t end_of_sentence = -1;

struct Words {
  Vocabulary vocabulary;
  std::vector<std::int32_t> numbers;  ///< in the order of the text; rare words are left out, as if they were not there
  std::int64_t in_text = 0;           ///< number of words, including rare ones
  std::int64_t not_utf8 = 0;          ///< number of bytes of the text that are not UTF-8
};

/// Takes the next word from the front of a line, in lower case, into `word`; false at the end of the line. A word is a
/// run of letters, digits and characters outside ASCII, with apostrophes between them, ' or U+2019, which become ';
/// only ASCII is converted to lower case. Quotes, dashes, ellipses, spaces and signs outside ASCII end words, and so do
/// bytes that are not UTF-8.
bool next_word(std::string_view& line, std::string& word);

/// The words of a text that occur at least `min_count` times; each line is a sentence. Throws DataError that names
/// `where` if there are fewer than two such words.
[[nodiscard]] Words read_words(std::string_view text, std::int64_t min_count, std::string_view where);

}  // namespace thalweg::data
