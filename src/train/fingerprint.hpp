#pragma once
// The fingerprint of a training whose program gives none.

#include <span>
#include <string>

#include "thalweg/train.hpp"

namespace thalweg {

/// What decides the bits of a training and has a text: the options of its optimizers, the names of their transforms,
/// the order and the number of rows in a step, and the seed. Model, loss and transforms are functions without one; the
/// model's parameters are compared by name and shape.
[[nodiscard]] std::string fingerprint_of(const FitOptions& options, std::span<const Optimizer* const> optimizers);

}  // namespace thalweg
