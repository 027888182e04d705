#pragma once
// Beam search: finds the likeliest sequence of tokens of a model that writes token by token, for many rows at once.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

struct BeamOptions {
  std::int64_t width = 1;     ///< sequences kept at each place; 1: always the likeliest token
  std::int64_t longest = 64;  ///< the largest number of tokens; a sequence of this length is complete without an end
  /// A score is the log-probability over ((5 + n) / 6)^power, n the tokens with the end (Wu et al. 2016, eq. 14).
  double length_power = 0;
};

struct Hypothesis {
  std::vector<std::int32_t> tokens;  ///< without the token of the end
  double log_probability = 0;
  double score = 0;
};

/// Computes the log-probabilities of the next tokens, (rows * width, tokens), f32. Sequence i of the batch is sequence
/// parents[i] of the last call plus the token tokens[i]. In the first call every sequence is its own parent, and the
/// token is 0.
using Advance = std::function<Tensor(std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens)>;

/// For each row the completed sequences, at least one, with the highest score first. Token 0 ends a sequence, which
/// then leaves the beam; the beam becomes narrower by one (Sutskever, Vinyals and Le 2014). Sequences that can no
/// longer exceed the best complete one are dropped. If the width is the number of all sequences, the search finds the
/// best of all. Equal scores are ordered by their tokens.
[[nodiscard]] std::vector<std::vector<Hypothesis>> beam_search(std::int64_t rows, const BeamOptions& options,
                                                               const Advance& advance);

}  // namespace thalweg
