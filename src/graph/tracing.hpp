#pragma once
// The graph that receives an op without a Var among its arguments.

#include "graph/graph.hpp"

namespace thalweg {

/// Makes this thread trace the graph while it lives.
class Tracing {
 public:
  explicit Tracing(Graph& graph);
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;

 private:
  Graph* outer_;
};

/// Converts an argument to a Var: a number or a constant becomes a node of the graph that is being traced, and a number
/// is f64 until it meets another dtype. Throws UsageError if nothing is being traced.
[[nodiscard]] Var var_of(const Arg& arg);

}  // namespace thalweg
