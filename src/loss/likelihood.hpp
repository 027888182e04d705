#pragma once
// Losses that are -log p(target | output), and their derivatives at targets drawn from that distribution.

#include <span>
#include <string_view>

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"

namespace thalweg::loss {

/// A loss that is -log p(y | output) of a target y, up to a constant.
struct Likelihood {
  std::string_view loss;          ///< its name
  std::string_view distribution;  ///< p(y | output)
  /// Whether a term of the loss takes all numbers along the last axis of the output; else each number has its own term.
  bool joint;
  /// d(-log p(y)) / d output, in the shape of the output, at a y drawn from p(y | output). Where the difference of y
  /// and the output suffices, y itself is not computed: beside a large output it would lose the digits of the
  /// difference.
  Var (*drawn_slope)(const Scope& s, const Var& output, const OptionMap& options);
  /// The standard deviation of y, in the shape of the prediction; null where the output does not give it beside a mean.
  Var (*deviation)(const Var& output, const OptionMap& options) = nullptr;
};

/// All of them, in the order of their names.
[[nodiscard]] std::span<const Likelihood> likelihoods();
/// The likelihood of a loss; null for a loss without one.
[[nodiscard]] const Likelihood* likelihood_of(std::string_view loss);

}  // namespace thalweg::loss
