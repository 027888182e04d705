#pragma once
// The net of a voice: it computes log-mel steps from letters, all steps at once, and the duration of each letter.

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

/// Shapes: `letters` i32 (batch, most) has numbers from 1 on, and zeros after the end; `count` i32 (batch) is the
/// number of letters that count. A pause, 0, is added before the first and after the last letter of a text, so it has
/// count + 2 tokens of most + 2. `input` is (batch, steps, width), and `frames` i32 (batch) the number of steps that
/// count. Padding after the end of a text or a sound changes nothing before it.
class VoiceNet {
 public:
  /// For `letters` different letters, and steps of `width` numbers.
  VoiceNet(const VoiceNetOptions& options, std::int64_t letters, std::int64_t step)
      : o_(options), letters_(letters), step_(step) {}

  /// The number of steps that each token lasts in the input, (batch, tokens); they add up to the frames. Also the loss
  /// of the alignment, (batch): -log of the sum over all monotonic paths.
  [[nodiscard]] std::pair<Var, Var> aligned(const Scope& s, const Batch& b) const;
  /// The predicted number of steps of each token, (batch, tokens); 0 after the end.
  [[nodiscard]] Var durations(const Scope& s, const Var& letters, const Var& count) const;
  /// (batch, steps, width): the sound of a text whose tokens have these durations.
  [[nodiscard]] Var spoken(const Scope& s, const Var& letters, const Var& count, const Var& durations,
                           const Var& frames, std::int64_t steps) const;
  /// The mean absolute error of the steps, the squared error of the logarithms of durations, and the alignment's loss
  /// per step. Reported are "log-mel error", "duration error" and "alignment".
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
