#pragma once
// Which graph an op belongs to that has no Var among its arguments.

#include "graph/graph.hpp"

namespace thalweg {

/// While it lives, this thread traces the graph.
class Tracing {
 public:
  explicit Tracing(Graph& graph);
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

 private:
  Graph* outer_;
};

/// The argument as a Var: a number or a constant becomes one of the graph that is being traced, and a number is f64
/// until it meets another dtype. Throws UsageError where nothing is being traced.
[[nodiscard]] Var var_of(const Arg& arg);

}  // namespace thalweg
