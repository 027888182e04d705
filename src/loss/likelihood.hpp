#pragma once
// Losses that are -log p(target | output), and their slopes at targets drawn from that distribution.

#include <span>
#include <string_view>

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"

namespace thalweg::loss {

/// A loss that is -log p(y | output) of a target y, but for a constant.
struct Likelihood {
  std::string_view loss;          ///< its name
  std::string_view distribution;  ///< p(y | output)
  /// A term of the loss takes all numbers along the last axis of the output; else there is a term for each number.
  bool joint;
  /// d -log p(y) / d output, of the output's shape, at a y that is drawn from p(y | output). It does not go through y
  /// where the difference of y and the output suffices, whose digits y would lose beside a large output.
  Var (*drawn_slope)(const Scope& s, const Var& output, const OptionMap& options);
};

/// In the order of their names.
[[nodiscard]] std::span<const Likelihood> likelihoods();
/// That of a loss; null where it is none.
[[nodiscard]] const Likelihood* likelihood_of(std::string_view loss);

}  // namespace thalweg::loss
