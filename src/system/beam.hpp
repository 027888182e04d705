#pragma once
// Beam search: the likeliest sequence of tokens that a model writes one after the other, of many rows at once.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "thalweg/tensor.hpp"

namespace thalweg {

struct BeamOptions {
  std::int64_t width = 1;     ///< sequences kept at each place; 1: the likeliest token each time
  std::int64_t longest = 64;  ///< tokens that a sequence may have; it then stands without its end
  /// A score is the log-probability over ((5 + n) / 6)^power, n the tokens with the end (Wu et al. 2016, eq. 14).
  double length_power = 0;
};

struct Hypothesis {
  std::vector<std::int32_t> tokens;  ///< without the end
  double log_probability = 0;
  double score = 0;
};

/// The logarithms of the probabilities of what comes next, (rows * width, tokens), f32: sequence i of the batch is what
/// sequence parents[i] of the last call was, with tokens[i] behind it. At the first call every sequence is its own
/// parent, and the token is 0.
using Advance = std::function<Tensor(std::span<const std::int32_t> parents, std::span<const std::int32_t> tokens)>;

/// For each row the sequences that the search completed, that of the highest score first; there is at least one. Token
/// 0 ends a sequence, which leaves the beam and makes it one narrower (Sutskever, Vinyals and Le 2014); sequences that
/// can no longer be better than the best complete one are dropped. As wide as there are sequences, it finds the best of
/// all. Of equals, the one whose tokens came first.
[[nodiscard]] std::vector<std::vector<Hypothesis>> beam_search(std::int64_t rows, const BeamOptions& options,
                                                               const Advance& advance);

}  // namespace thalweg
