#pragma once
// Words as numbers in rows of equal length: windows of documents, or sentences with a class each.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "thalweg/data.hpp"
#include "thalweg/options.hpp"

namespace thalweg::data {

/// The options in `[data]` that determine how words become numbers.
struct WordOptions {
  std::int64_t words = 8000, rare = 1000, length = 64;

  [[nodiscard]] Fields fields();
};

/// How words become numbers. 0 is padding, 1 is `[MASK]`, 2 ends a sentence; then come numbers shared by all rare
/// words, chosen by the hash of their spelling; then the frequent words with their own numbers, the most frequent
/// first.
struct WordPreprocessing {
  static constexpr std::int32_t padding = 0, mask = 1, end = 2;
  std::vector<std::string> words;
  std::int64_t rare = 1000;               ///< how many numbers rare words share
  std::int64_t length = 64;               ///< length of a row
  std::vector<std::string> classes = {};  ///< classes of sentences

  /// Fits to the words of a text, as `next_word` finds them. Throws DataError that names `where` if there are fewer
  /// than two.
  [[nodiscard]] static WordPreprocessing fit(const WordOptions& options, std::string_view text, std::string_view where);
  [[nodiscard]] std::int64_t first_word() const { return end + 1 + rare; }
  [[nodiscard]] std::int64_t size() const { return first_word() + static_cast<std::int64_t>(words.size()); }
  /// A number as text for people: the word, `[MASK]`, `.` for the end of a sentence, `[...]` for a rare word.
  [[nodiscard]] std::string text_of(std::int64_t number) const;
  friend bool operator==(const WordPreprocessing&, const WordPreprocessing&) = default;
};

/// Finds the numbers of words.
class WordCoder {
 public:
  explicit WordCoder(WordPreprocessing words);
  WordCoder(WordCoder&&) = default;
  WordCoder(const WordCoder&) = delete;

  /// Appends the numbers of the words in a line. `[MASK]` is the mask if `masks` is set.
  void add(std::string_view line, std::vector<std::int32_t>& numbers, bool masks = false) const;
  /// The numbers of a text of lines: each line with words is a sentence, followed by the number that ends a sentence.
  [[nodiscard]] std::vector<std::int32_t> operator()(std::string_view text, bool masks = false) const;
  [[nodiscard]] const WordPreprocessing& words() const { return words_; }

 private:
  [[nodiscard]] std::int32_t number(std::string_view word) const;
  WordPreprocessing words_;
  std::unordered_map<std::string_view, std::int32_t> numbers_;  // views of the words
};

/// Documents split into rows, one after another: "input" i32 (rows, length), padded with 0, and "count" i32 (rows), how
/// many numbers of a row are not padding. A row belongs to one document. Throws DataError if there is no word.
[[nodiscard]] Dataset windows_of(const WordCoder& coder, std::span<const std::string_view> documents,
                                 std::string_view where);

}  // namespace thalweg::data
