#pragma once
// Edit distance of a text that was read from its reference (Levenshtein 1966), and error rates computed from it.

#include <cstdint>
#include <span>
#include <string_view>

namespace thalweg {

/// The fewest edits that turn the reference into `read`. Edits add up over texts; then every symbol counts the same in
/// the rate, whatever text it is in.
struct Edits {
  std::int64_t substitutions = 0;
  std::int64_t insertions = 0;  ///< symbols of `read` alone
  std::int64_t deletions = 0;   ///< symbols of the reference alone
  std::int64_t reference = 0;   ///< symbols of the reference

  [[nodiscard]] std::int64_t errors() const { return substitutions + insertions + deletions; }
  /// errors / reference, which may be above 1; NaN where the reference is empty.
  [[nodiscard]] double rate() const;
  Edits& operator+=(const Edits& other);
  friend bool operator==(const Edits&, const Edits&) = default;
};

/// Of symbols that are numbers: labels, tokens, phonemes. Of several ways with as few edits, the one with the most
/// substitutions.
[[nodiscard]] Edits edits(std::span<const std::int32_t> read, std::span<const std::int32_t> reference);
/// Of the code points of texts: their rate is the character error rate. A byte that is not UTF-8 is a symbol of its
/// own.
[[nodiscard]] Edits character_edits(std::string_view read, std::string_view reference);
/// Of the words of texts, which white space separates: their rate is the word error rate.
[[nodiscard]] Edits word_edits(std::string_view read, std::string_view reference);

}  // namespace thalweg
