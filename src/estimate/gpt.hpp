#pragma once
// Estimates for a transformer of text: parameters, operations, memory for the backward pass.

#include <cstdint>

namespace thalweg::estimate {

struct Gpt {
  std::int64_t layers = 12, width = 768, heads = 12, hidden = 0;  ///< hidden 0: 4 width
  std::int64_t vocabulary = 50257, sequence = 1024;
  bool tied = true;  ///< whether the output layer uses the token embeddings
  bool learned_positions = true;

  [[nodiscard]] double hidden_width() const {
    return hidden > 0 ? static_cast<double>(hidden) : 4 * static_cast<double>(width);
  }
  /// Parameters of one block: its products, biases and normalisations.
  [[nodiscard]] double block_parameters() const;
  [[nodiscard]] double embedding_parameters() const;
  [[nodiscard]] double parameters() const;

  /// Operations of the matrix products of one block, forward, for this many tokens; attention counts as if over the
  /// whole sequence, as in Megatron-LM (Narayanan et al. 2021, appendix).
  [[nodiscard]] double block_operations(double tokens) const;
  [[nodiscard]] double attention_operations(double tokens) const;  ///< the part that selective recomputation repeats
  [[nodiscard]] double logit_operations(double tokens) const;
  /// Forward and backward: 72 L h^2 (1 + s/(6h) + v/(12hL)) per token if hidden is 4 h.
  [[nodiscard]] double model_operations(double tokens) const;
};

enum class Recompute { none, selective, full };

/// Bytes of one block's activations that are kept for the backward pass, with two bytes per value, for `batch`
/// sequences (Korthikanti et al. 2022, table 2): s b h (34 + 5 a s / h), divided among `tensor` ranks.
[[nodiscard]] double kept_bytes(const Gpt& model, double batch, std::int64_t tensor, bool sequence_parallel,
                                Recompute recompute);

/// Bytes per parameter: its value, its gradient, and the slots of the optimizer.
struct Precision {
  double value = 2, gradient = 2, slots = 12;
};
inline constexpr Precision mixed_adam = {};  ///< values in two bytes; a copy in f32 and two moments (ZeRO: K = 12)
inline constexpr Precision single_adam = {4, 4, 8};

/// The bytes of parameters, gradients and slots on one rank, if `ranks` ranks share what the level specifies: 0
/// nothing, 1 the slots, 2 also the gradients, 3 also the parameters (Rajbhandari et al. 2020).
struct StateBytes {
  double values, gradients, slots;
  [[nodiscard]] double total() const { return values + gradients + slots; }
};
[[nodiscard]] StateBytes state_bytes(double parameters, Precision precision, std::int64_t ranks, int level);

/// The bytes of a checkpoint from which training can continue: values and slots.
[[nodiscard]] double checkpoint_bytes(double parameters, Precision precision);

/// How often to write checkpoints (Young 1974; Daly 2006, first order): the seconds between two, and the fraction of
/// the time that is lost to writing and to work repeated after failures.
struct CheckpointRhythm {
  double interval, lost;
};
[[nodiscard]] CheckpointRhythm best_rhythm(double seconds_to_write, double seconds_between_failures);

}  // namespace thalweg::estimate
