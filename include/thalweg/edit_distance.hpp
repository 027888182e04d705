#pragma once
// The edit distance of a text from its reference (Levenshtein 1966), and error rates computed from it.

#include <cstdint>
#include <span>
#include <string_view>

namespace thalweg {

/// The smallest number of edits that turn the reference into `read`. Edits of several texts can be added; then every
/// symbol has the same weight in the rate, whatever its text.
struct Edits {
  std::int64_t substitutions = 0;
  std::int64_t insertions = 0;  ///< symbols only in `read`
  std::int64_t deletions = 0;   ///< symbols only in the reference
  std::int64_t reference = 0;   ///< number of symbols of the reference

  [[nodiscard]] std::int64_t errors() const { return substitutions + insertions + deletions; }
  /// errors / reference, which may be above 1; NaN where the reference is empty.
  [[nodiscard]] double rate() const;
  Edits& operator+=(const Edits& other);
  friend bool operator==(const Edits&, const Edits&) = default;
};

/// For symbols that are numbers: labels, tokens, phonemes. If several ways need the same number of edits, the one with
/// the most substitutions.
[[nodiscard]] Edits edits(std::span<const std::int32_t> read, std::span<const std::int32_t> reference);
/// For the code points of texts: the rate is the character error rate. A byte that is not UTF-8 counts as one symbol.
[[nodiscard]] Edits character_edits(std::string_view read, std::string_view reference);
/// For the words of texts, separated by white space: the rate is the word error rate.
[[nodiscard]] Edits word_edits(std::string_view read, std::string_view reference);

}  // namespace thalweg
