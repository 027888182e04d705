#pragma once
// Layers of a traced objective that curvature factors belong to, found in its graph, and the sums that factors are made
// of.

#include <span>
#include <string>
#include <vector>

#include "engine/objective.hpp"
#include "optim/factored.hpp"

namespace thalweg {

/// The products and convolutions that the model's output depends on, whose weight is a parameter and used nowhere else;
/// with the parameter that is added to each row of the result, if it is used nowhere else. A convolution in groups is
/// none, nor is what multiplies the same numbers whatever the batch is. In the order in which weights were declared.
[[nodiscard]] std::vector<FactoredLayer> factored_layers(const TracedObjective& traced, const Evaluated& result);

/// Those that an optimizer keeps factors of, as a layout has them: their weight is trained, and so is their bias or
/// they have none.
[[nodiscard]] std::vector<FactoredLayer> factored_in(const Layout& trained, std::span<const FactoredLayer> layers,
                                                     const FactorAsks& asks);

/// Numbers of all factors: inputs^2 of each layer, then outputs^2 of each.
[[nodiscard]] std::int64_t input_factors_size(std::span<const FactoredLayer> layers);
[[nodiscard]] std::int64_t output_factors_size(std::span<const FactoredLayer> layers);

/// For each layer c a^T a, then for each s^T s, as nodes of the graph: `a` has a row for each row or patch that enters
/// the layer, with a 1 where it has a bias, `s` the slope of the loss's sum there. Divided by the loss's weight over
/// all shards, the first is a mean over these rows (that is what c is for), and the second a mean over terms of the
/// loss.
[[nodiscard]] std::vector<Var> factor_sums(const TracedObjective& traced, std::span<const FactoredLayer> layers);

/// How many layers have factors, how many numbers that is, and what is stepped by Adam instead: of an optimizer that
/// asks for factors, on such data.
[[nodiscard]] std::string factors_text(const EvaluationFunction& function, const Optimizer& optimizer,
                                       const Layout& layout, const Dataset& data);

}  // namespace thalweg
