#pragma once
// Texts as bags of words without a vocabulary: the hash of a word gives its column.

#include <string>
#include <string_view>

#include "data/sparse_rows.hpp"
#include "thalweg/options.hpp"

namespace thalweg::data {

/// MurmurHash3 of 32 bits (Appleby 2011).
[[nodiscard]] std::uint32_t murmur3(std::string_view bytes, std::uint32_t seed = 0);

/// How words are counted: options of `[system]`.
struct HashingOptions {
  std::int64_t features = 1 << 18;
  std::int64_t ngrams = 1;
  std::string weighting = "counts";

  [[nodiscard]] Fields fields();
  friend bool operator==(const HashingOptions&, const HashingOptions&) = default;
};

/// Signed feature hashing (Weinberger et al. 2009). A word is two or more letters, digits or underscores in a row;
/// bytes beyond ASCII count as letters, and only ASCII is changed to lower case. Let h be the hash, as a signed number,
/// of a word, or of n adjacent words with blanks between them. Column |h| mod features counts it with +1 where h >= 0
/// and -1 otherwise, so that words in the same column cancel on average. For texts in ASCII the rows are those of
/// scikit-learn's HashingVectorizer with the same features and n-grams.
class TextHasher {
 public:
  explicit TextHasher(const HashingOptions& options) : options_(options) {}

  /// The weighted counts of a text, scaled to length 1 (a text without words is a row without entries). If
  /// `inverse_frequency`, one number per column, is not empty, it multiplies them first. The row is valid until the
  /// next call.
  [[nodiscard]] SparseRow operator()(std::string_view text, std::span<const float> inverse_frequency = {});
  [[nodiscard]] const HashingOptions& options() const { return options_; }

 private:
  void find_words(std::string_view text);
  void count(std::uint32_t hash);
  void sum_columns();

  HashingOptions options_;
  std::string words_;                                      // in lower case, each followed by a blank
  std::vector<std::pair<std::size_t, std::size_t>> ends_;  // beginning and end of each word in `words_`
  std::vector<std::pair<std::int32_t, float>> counted_;    // column, and 1 or -1
  std::vector<std::int32_t> columns_;
  std::vector<float> values_;
};

/// Scales the entries to a Euclidean length of 1; all zeros stay zeros.
void normalise(std::span<float> values);

/// The inverse document frequency of each column: log((1 + n) / (1 + m)) + 1 if m of n texts have an entry there
/// (Sparck Jones 1972; smoothed as in scikit-learn's TfidfTransformer).
[[nodiscard]] std::vector<float> inverse_frequencies(const SparseRows& rows, std::int64_t features);

}  // namespace thalweg::data
