#pragma once
// BLEU: how much of what was written is in the reference, by runs of up to four tokens (Papineni et al. 2002).

#include <array>
#include <cstdint>
#include <span>

namespace thalweg {

/// Counts of a corpus: runs of n tokens that were written, and those of them that their reference has, each as often as
/// it occurs there at most. Adding them up over many texts gives BLEU of all, which is no mean of theirs.
struct BleuCounts {
  std::array<std::int64_t, 4> matches = {}, written = {};  ///< of n = 1 to 4
  std::int64_t length = 0, reference = 0;                  ///< tokens

  /// exp(min(0, 1 - reference / length)) (prod_n matches_n / written_n)^(1/4), in [0, 1]; 0 where some n has no match.
  /// Not a number where the runs that were written match and none of four tokens is among them: 0 / 0. Papineni et al.
  /// 2002, section 2.3, without smoothing. NLTK's corpus_bleu is the same but for texts of fewer than four tokens, of
  /// which it counts a run that was written and does not match.
  [[nodiscard]] double bleu() const;
  BleuCounts& operator+=(const BleuCounts& other);
  friend bool operator==(const BleuCounts&, const BleuCounts&) = default;
};

/// Of one text and its one reference.
[[nodiscard]] BleuCounts bleu_counts(std::span<const std::int32_t> written, std::span<const std::int32_t> reference);

}  // namespace thalweg
