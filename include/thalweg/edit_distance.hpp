#pragma once
// Edit distance: how far what was read is from what was said (Levenshtein 1966), and the error rates made of it.

#include <cstdint>
#include <span>
#include <string_view>

namespace thalweg {

/// The fewest changes that make the reference of what was read. Adding them up over many texts gives the rate of all:
/// every letter counts the same, whatever text it is in.
struct Edits {
  std::int64_t substitutions = 0;
  std::int64_t insertions = 0;  ///< what was read and not there
  std::int64_t deletions = 0;   ///< what was there and not read
  std::int64_t reference = 0;   ///< symbols of the reference

  [[nodiscard]] std::int64_t errors() const { return substitutions + insertions + deletions; }
  /// errors / reference, which may be above 1; NaN of no reference.
  [[nodiscard]] double rate() const;
  Edits& operator+=(const Edits& other);
  friend bool operator==(const Edits&, const Edits&) = default;
};

/// Of symbols that are numbers: labels, tokens, phonemes. Among equal ways that with the most substitutions.
[[nodiscard]] Edits edits(std::span<const std::int32_t> read, std::span<const std::int32_t> reference);
/// Of the code points of texts: their rate is the character error rate. A byte that is no UTF-8 is a symbol of its own.
[[nodiscard]] Edits character_edits(std::string_view read, std::string_view reference);
/// Of the words of texts, which white space separates: their rate is the word error rate.
[[nodiscard]] Edits word_edits(std::string_view read, std::string_view reference);

}  // namespace thalweg
