#pragma once
// Traces a function, plans it and runs it: what most tests of the engine do.

#include <cmath>
#include <functional>
#include <vector>

#include "graph/tracing.hpp"
#include "plan/program.hpp"
#include "plan/run_there.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

using Traced = std::function<std::vector<Var>(const std::vector<Var>&)>;

/// Plans and runs a graph. Its inputs are bound to the places 2, 3, ..., its outputs to the places after those.
inline std::vector<Tensor> run_graph(const Graph& graph, const std::vector<Bound>& inputs,
                                     const std::vector<Bound>& outputs, const std::vector<Tensor>& values,
                                     Passes passes = {}, int threads = 1) {
  const Program program(graph, inputs, outputs, passes, chosen_device());
  if (program.far() != nullptr) {
    std::vector<Signature> results;
    for (const Bound& y : outputs) results.push_back({y.var.shape(), y.var.dtype()});
    return run_there(program, values, results);
  }
  std::vector<std::byte*> bases;
  for (const Tensor& x : values) bases.push_back(const_cast<std::byte*>(x.raw()));
  std::vector<Tensor> results;
  for (const Bound& y : outputs) results.emplace_back(y.var.shape(), y.var.dtype());
  for (Tensor& result : results) bases.push_back(result.mutable_raw());
  const Block arena(program.arena_bytes());
  Workers workers(threads);
  program.run(bases, arena.data(), workers);
  return results;
}

/// A graph with its inputs bound to the places 2, 3, ... and its outputs to the places after those.
struct Trace {
  Graph graph;
  std::vector<Bound> inputs, outputs;

  Trace(const Traced& f, const std::vector<Tensor>& values) {
    const Tracing tracing(graph);
    std::vector<Var> vars;
    int base = first_user_base;
    for (const Tensor& x : values) {
      vars.push_back(graph.input("x" + std::to_string(vars.size()), x.shape(), x.dtype()));
      inputs.push_back({vars.back(), {base++, 0}});
    }
    for (const Var& y : f(vars)) outputs.push_back({y, {base++, 0}});
  }

  [[nodiscard]] std::vector<Tensor> run(const std::vector<Tensor>& values, Passes passes = {}, int threads = 1) const {
    return run_graph(graph, inputs, outputs, values, passes, threads);
  }
};

inline std::vector<Tensor> evaluate(const Traced& f, const std::vector<Tensor>& inputs, Passes passes = {},
                                    int threads = 1) {
  return Trace(f, inputs).run(inputs, passes, threads);
}

/// The largest |a - b| / max(1, |a|, |b|), or NaN if an element is NaN in exactly one of the tensors.
inline double distance(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double difference = std::abs(x - y) / std::max({1.0, std::abs(x), std::abs(y)});
    if (!(difference <= worst) && !std::isnan(worst)) worst = difference;
  }
  return worst;
}

/// Whether all bits are equal; all NaNs count as equal.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const double x = a.at(i), y = b.at(i);
    if (!(x == y && std::signbit(x) == std::signbit(y)) && !(std::isnan(x) && std::isnan(y))) return false;
  }
  return true;
}

}  // namespace thalweg
