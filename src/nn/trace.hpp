#pragma once
// What a Scope writes to while an objective is traced.

#include <set>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "thalweg/scope.hpp"

namespace thalweg {

struct TracedParameter {
  std::string name;
  ParameterOptions options;
  Var var;
};

struct TraceContext {
  Graph& graph;
  Mode mode = Mode::train;
  DType dtype = f32;
  std::vector<TracedParameter> parameters = {};  // in order of declaration
};

}  // namespace thalweg
