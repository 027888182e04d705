#pragma once
// The net of a voice: letters to log-mel steps, all steps at once, and how long each letter lasts.

#include "thalweg/batch.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

struct VoiceNetOptions {
  std::int64_t width = 192, kernel = 5, encoder = 3, decoder = 4, aligner = 64;
  double dropout = 0.1;

  [[nodiscard]] Fields fields();
};

/// Shapes: `letters` i32 (batch, most), 1 to `letters`, zeros behind the end; `count` i32 (batch), how many count.
/// Before the first and behind the last letter of a text is a pause, 0, so it has tokens = count + 2 of most + 2.
/// `input` (batch, steps, width), `frames` i32 (batch), how many steps count. What lies behind the end of a text or a
/// sound changes nothing before it.
class VoiceNet {
 public:
  /// Texts of so many different letters, and steps of so many numbers.
  VoiceNet(const VoiceNetOptions& options, std::int64_t letters, std::int64_t step)
      : o_(options), letters_(letters), step_(step) {}

  /// Steps that each token lasts in the input: (batch, tokens), which add up to the frames. With it the alignment's
  /// loss, -log of the sum over all monotonic paths, (batch).
  [[nodiscard]] std::pair<Var, Var> aligned(const Scope& s, const Batch& b) const;
  /// Steps that each token is said to last, (batch, tokens); 0 behind the end.
  [[nodiscard]] Var durations(const Scope& s, const Var& letters, const Var& count) const;
  /// (batch, steps, width): the sound of a text whose tokens last so long.
  [[nodiscard]] Var spoken(const Scope& s, const Var& letters, const Var& count, const Var& durations,
                           const Var& frames, std::int64_t steps) const;
  /// The mean absolute error of the steps, the squared error of the logarithms of durations, and the alignment's loss
  /// a step. Reported are "log-mel error", "duration error" and "alignment".
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const;

 private:
  [[nodiscard]] Var block(const Scope& s, const Var& x, const Var& inside) const;
  [[nodiscard]] Var encoded(const Scope& s, const Var& letters, const Var& inside) const;
  [[nodiscard]] Var log_durations(const Scope& s, const Var& hidden, const Var& inside) const;
  [[nodiscard]] Var decoded(const Scope& s, const Var& hidden, const Var& durations, const Var& frames,
                            std::int64_t steps) const;

  VoiceNetOptions o_;
  std::int64_t letters_, step_;
};

}  // namespace thalweg
