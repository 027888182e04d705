#pragma once
// The programs of a few ops that run between the kernels of a step, such as a norm or a judgement of its numbers.

#include <vector>

#include "graph/graph.hpp"
#include "plan/program.hpp"

namespace thalweg {

/// Collects what a small program computes, from inputs to outputs at their places, and plans it.
class SmallProgram {
 public:
  /// What is read at a place.
  Var read(const Place& place, DType dtype, const Shape& shape = {});
  /// The same, converted to f64.
  Var read_wide(const Place& place, DType dtype, const Shape& shape = {});
  Var number(double value) { return graph_.number(value, f64); }
  void write(const Var& value, const Place& place);
  [[nodiscard]] Program planned(Device& device) const;

 private:
  Graph graph_;
  std::vector<Bound> inputs_, outputs_;
};

}  // namespace thalweg
