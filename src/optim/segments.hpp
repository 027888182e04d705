#pragma once
// Segments: the contiguous pieces of the flat block of parameters on which the rules are traced.

#include <vector>

#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// One parameter, or adjacent parameters that are updated in the same way.
struct Segment {
  std::int64_t offset = 0, gradient_offset = 0;  // in the block of parameters, and in the block of gradients
  Shape shape;
  bool decay = true;
  const ParameterGroup* group = nullptr;
  Var direction = {}, parameter = {};
};

/// All trained parameters as segments, in the order of the layout: each parameter by itself where a rule needs its
/// shape, otherwise as many together as possible. `by_decay` separates parameters with weight decay from those without.
/// Throws UsageError for a group that matches nothing.
[[nodiscard]] std::vector<Segment> segments_of(const Optimizer& optimizer, const Layout& layout, bool by_decay = true);

/// Whether the rule that updates a parameter needs its shape.
[[nodiscard]] bool needs_shape(const Optimizer& optimizer, const ParameterEntry& entry);

/// Where the gradient of each entry lies. The gradients of trained parameters lie one after another, in the order of
/// the layout; other entries have no gradient, and a number below 0 here.
[[nodiscard]] std::vector<std::int64_t> gradient_offsets(const Layout& layout);

/// The entry of a moving average of a parameter. Throws UsageError where the layout has none.
[[nodiscard]] const ParameterEntry& average_of(const Layout& layout, std::string_view average,
                                               std::string_view parameter);

}  // namespace thalweg
