#pragma once
// The runs of the flat block that rules are traced on.

#include <vector>

#include "thalweg/optim.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// One parameter, or neighbours that are stepped alike.
struct Segment {
  std::int64_t offset = 0;
  Shape shape;
  bool decay = true;
  const ParameterGroup* group = nullptr;
  Var direction = {}, parameter = {};
};

/// What is stepped, in the order of the layout: each parameter where a rule needs its shape, else runs as long as they
/// can be; `by_decay` keeps those with decay and those without apart. Throws UsageError for a group that matches
/// nothing.
[[nodiscard]] std::vector<Segment> segments_of(const Optimizer& optimizer, const Layout& layout, bool by_decay = true);

}  // namespace thalweg
