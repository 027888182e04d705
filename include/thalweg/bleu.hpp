#pragma once
// BLEU: the agreement of a written text with its reference, by runs of up to four tokens (Papineni et al. 2002).

#include <array>
#include <cstdint>
#include <span>

namespace thalweg {

/// Counts for a corpus: the written runs of n tokens, and how many of them match the reference. A run matches at most
/// as often as it occurs in the reference. The sum of the counts of many texts gives the BLEU of all texts, which is
/// not the mean of their BLEU values.
struct BleuCounts {
  std::array<std::int64_t, 4> matches = {}, written = {};  ///< for n = 1 to 4
  std::int64_t length = 0, reference = 0;                  ///< numbers of tokens

  /// exp(min(0, 1 - reference / length)) (prod_n matches_n / written_n)^(1/4), in [0, 1]; 0 if some n has no match. NaN
  /// (0 / 0) if all shorter runs match and no run of four tokens was written. Papineni et al. 2002, section 2.3,
  /// without smoothing. NLTK's corpus_bleu gives the same, except for texts of fewer than four tokens, for which it
  /// counts one run without a match.
  [[nodiscard]] double bleu() const;
  BleuCounts& operator+=(const BleuCounts& other);
  friend bool operator==(const BleuCounts&, const BleuCounts&) = default;
};

/// The counts of one text and its only reference.
[[nodiscard]] BleuCounts bleu_counts(std::span<const std::int32_t> written, std::span<const std::int32_t> reference);

}  // namespace thalweg
