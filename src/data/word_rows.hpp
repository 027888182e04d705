#pragma once
// Words as numbers in rows of one length: windows of documents, or sentences with a class each.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "thalweg/data.hpp"
#include "thalweg/options.hpp"

namespace thalweg::data {

/// The part of `[data]` that says how words become numbers.
struct WordOptions {
  std::int64_t words = 8000, rare = 1000, length = 64;

  [[nodiscard]] Fields fields();
};

/// How words become numbers. 0 fills a row up, 1 is `[MASK]`, 2 ends a sentence; then come numbers that all other words
/// share, by the hash of their spelling; then the words that have a number of their own, the most frequent first.
struct WordPreprocessing {
  static constexpr std::int32_t padding = 0, mask = 1, end = 2;
  std::vector<std::string> words;
  std::int64_t rare = 1000;               ///< numbers of the other words
  std::int64_t length = 64;               ///< of a row
  std::vector<std::string> classes = {};  ///< of sentences

  /// The words of a text, as `next_word` finds them. Throws DataError, naming `where`, where there are fewer than two.
  [[nodiscard]] static WordPreprocessing fit(const WordOptions& options, std::string_view text, std::string_view where);
  [[nodiscard]] std::int64_t first_word() const { return end + 1 + rare; }
  [[nodiscard]] std::int64_t size() const { return first_word() + static_cast<std::int64_t>(words.size()); }
  /// A number as people read it: the word, `[MASK]`, `.` where a sentence ends, `[...]` for another word.
  [[nodiscard]] std::string text_of(std::int64_t number) const;
  friend bool operator==(const WordPreprocessing&, const WordPreprocessing&) = default;
};

/// Finds the numbers of words.
class WordCoder {
 public:
  explicit WordCoder(WordPreprocessing words);
  WordCoder(WordCoder&&) = default;
  WordCoder(const WordCoder&) = delete;

  /// Adds the numbers of a line's words. `[MASK]` is the mask where `masks` says so.
  void add(std::string_view line, std::vector<std::int32_t>& numbers, bool masks = false) const;
  /// Those of a text of lines: each that has words is a sentence, and its end has a number as well.
  [[nodiscard]] std::vector<std::int32_t> operator()(std::string_view text, bool masks = false) const;
  [[nodiscard]] const WordPreprocessing& words() const { return words_; }

 private:
  [[nodiscard]] std::int32_t number(std::string_view word) const;
  WordPreprocessing words_;
  std::unordered_map<std::string_view, std::int32_t> numbers_;  // views of the words
};

/// Documents cut into rows, one behind the other: "input" i32 (rows, length), filled up with 0, and "count" i32 (rows),
/// how many of a row's numbers count. A row is of one document. Throws DataError where there is no word.
[[nodiscard]] Dataset windows_of(const WordCoder& coder, std::span<const std::string_view> documents,
                                 std::string_view where);

}  // namespace thalweg::data
