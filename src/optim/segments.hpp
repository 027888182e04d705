#pragma once
// The runs of the flat block that rules are traced on.

#include <vector>

#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// One parameter, or neighbours that are stepped alike.
struct Segment {
  std::int64_t offset = 0, gradient_offset = 0;  // among the parameters, and among their gradients
  Shape shape;
  bool decay = true;
  const ParameterGroup* group = nullptr;
  Var direction = {}, parameter = {};
};

/// What is stepped, in the order of the layout: each parameter where a rule needs its shape, else runs as long as they
/// can be; `by_decay` keeps those with decay and those without apart. Throws UsageError for a group that matches
/// nothing.
[[nodiscard]] std::vector<Segment> segments_of(const Optimizer& optimizer, const Layout& layout, bool by_decay = true);

/// Whether the rule that steps a parameter needs its shape.
[[nodiscard]] bool needs_shape(const Optimizer& optimizer, const ParameterEntry& entry);

/// Of each entry, where its gradient lies: those of what is trained lie one after another, in the order of the layout.
/// Below 0 where there is none.
[[nodiscard]] std::vector<std::int64_t> gradient_offsets(const Layout& layout);

/// The entry of a moving average of a parameter. Throws UsageError where the layout has none.
[[nodiscard]] const ParameterEntry& average_of(const Layout& layout, std::string_view average,
                                               std::string_view parameter);

}  // namespace thalweg
