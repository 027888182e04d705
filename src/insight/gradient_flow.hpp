#pragma once
// How gradients come through a network: what the norms of the layers say.

#include <optional>
#include <string>
#include <string_view>

#include "thalweg/train.hpp"

namespace thalweg {

enum class Flow { vanishing, exploding, healthy };
[[nodiscard]] std::string_view name(Flow flow);

struct GradientFlow {
  Flow flow = Flow::healthy;
  double value = 0;  ///< what said so: a ratio
  std::string
      sentence;  ///< "Gradients vanish: in the median step, that of layer1 has 2e-19 of the norm of that of output."
};

namespace flow_rule {
inline constexpr double vanishing = 1e-4;  ///< the first layer's gradient, as a part of the last one's
inline constexpr double exploding = 1e3;   ///< a step's gradient, as a multiple of the first's
}  // namespace flow_rule

/// The first of these that holds, by the norms that a history recorded; nothing where it has none, or a single layer.
///
/// - exploding: a norm is not finite, or the whole gradient is more than `flow_rule::exploding` times that of the first
///   step.
/// - vanishing: in the median step, the norm of the first layer's gradient is less than `flow_rule::vanishing` of that
///   of the last one's.
/// - healthy: otherwise.
[[nodiscard]] std::optional<GradientFlow> gradient_flow(const History& history);

}  // namespace thalweg
