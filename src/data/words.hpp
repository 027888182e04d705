#pragma once
// A text as the numbers of its words, by how frequent they are.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "thalweg/options.hpp"

namespace thalweg::data {

/// Words of a text, the most frequent first; of equally frequent ones, by the alphabet.
struct Vocabulary {
  std::vector<std::string> words = {};
  std::vector<std::int64_t> counts = {};  ///< of each in the text

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(words.size()); }
  friend bool operator==(const Vocabulary&, const Vocabulary&) = default;
};

/// The numbers of a vocabulary's words by their spelling.
class WordNumbers {
 public:
  explicit WordNumbers(const Vocabulary& vocabulary);
  /// -1 for a word that is not there. Spelled as `next_word` gives it.
  [[nodiscard]] std::int32_t operator[](std::string_view word) const;

 private:
  std::unordered_map<std::string_view, std::int32_t> numbers_;  // views of the vocabulary
};

/// The number that ends a sentence in `Words::numbers`.
inline constexpr std::int32_t end_of_sentence = -1;

struct Words {
  Vocabulary vocabulary;
  std::vector<std::int32_t> numbers;  ///< in the order of the text; rare words are left out, as if they were not there
  std::int64_t in_text = 0;           ///< words, with the rare ones
  std::int64_t not_utf8 = 0;          ///< bytes of the text that are no UTF-8
};

/// Takes the next word off the front of a line, in lower case, into `word`; false at its end. A word is letters, digits
/// and characters beyond ASCII in a row, with apostrophes between them, ' or U+2019, which become '; only ASCII is
/// brought to lower case. Quotes, dashes, ellipses, spaces and signs beyond ASCII end words, as do bytes that are no
/// UTF-8.
bool next_word(std::string_view& line, std::string& word);

/// The words of a text that occur `min_count` times or more; a line is a sentence. Throws DataError, naming `where`,
/// where there are fewer than two such words.
[[nodiscard]] Words read_words(std::string_view text, std::int64_t min_count, std::string_view where);

}  // namespace thalweg::data
