#pragma once
// Finds the layers with curvature factors in the graph of an objective, and builds the sums from which the factors are
// computed.

#include <span>
#include <string>
#include <vector>

#include "engine/objective.hpp"
#include "optim/factored.hpp"

namespace thalweg {

/// The products and convolutions that the model's output depends on, whose weight is a parameter and used nowhere else;
/// with the parameter that is added to each row of the result, if it is used nowhere else. A grouped convolution does
/// not count, nor does a product whose input does not depend on the batch. In the order in which weights were declared.
[[nodiscard]] std::vector<FactoredLayer> factored_layers(const TracedObjective& traced, const Evaluated& result);

/// The layers of a layout for which an optimizer keeps factors: their weight is trained, and so is their bias if they
/// have one.
[[nodiscard]] std::vector<FactoredLayer> factored_in(const Layout& trained, std::span<const FactoredLayer> layers,
                                                     const FactorAsks& asks);

/// The count of numbers in all factors: inputs^2 for each layer, then outputs^2 for each.
[[nodiscard]] std::int64_t input_factors_size(std::span<const FactoredLayer> layers);
[[nodiscard]] std::int64_t output_factors_size(std::span<const FactoredLayer> layers);

/// As nodes of the graph: c a^T a for each layer, then s^T s for each layer. `a` has a row for each input row or patch
/// of the layer, with a 1 if the layer has a bias; `s` is the gradient of the summed loss at the layer's output.
/// Divided by the loss's weight over all shards, the first is a mean over these rows (c makes it so), and the second a
/// mean over terms of the loss.
[[nodiscard]] std::vector<Var> factor_sums(const TracedObjective& traced, std::span<const FactoredLayer> layers);

/// A description for an optimizer that asks for factors: the number of layers with factors, the count of their numbers,
/// and the parameters that Adam updates instead.
[[nodiscard]] std::string factors_text(const EvaluationFunction& function, const Optimizer& optimizer,
                                       const Layout& layout, const Dataset& data);

}  // namespace thalweg
