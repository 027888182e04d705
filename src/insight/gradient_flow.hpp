#pragma once
// How gradients pass through a network, judged by the norms of the layers' gradients.

#include <optional>
#include <string>
#include <string_view>

#include "thalweg/train.hpp"

namespace thalweg {

enum class Flow { vanishing, exploding, healthy };
[[nodiscard]] std::string_view name(Flow flow);

struct GradientFlow {
  Flow flow = Flow::healthy;
  double value = 0;      ///< the ratio that decided
  std::string sentence;  ///< "Gradients vanish: in the median step the norm of the gradient of layer1 is 2e-19 times
                         ///< that of output."
};

namespace flow_rule {
inline constexpr double vanishing = 1e-4;  ///< the first layer's gradient, relative to the last layer's
inline constexpr double exploding = 1e3;   ///< a step's gradient, relative to the first step's
}  // namespace flow_rule

/// The first of these that holds, by the norms that a history recorded; nothing where it has no norms or only one
/// layer.
///
/// - exploding: a norm is not finite, or the norm of the whole gradient is more than `flow_rule::exploding` times the
///   first step's.
/// - vanishing: in the median step, the norm of the first layer's gradient is less than `flow_rule::vanishing` times
/// the
///   last layer's.
/// - healthy: otherwise.
[[nodiscard]] std::optional<GradientFlow> gradient_flow(const History& history);

}  // namespace thalweg
