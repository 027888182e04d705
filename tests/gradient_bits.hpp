#pragma once
// Checks that the gradient of a model's loss has the same bits whichever passes the planner uses.

#include <cstring>

#include "engine/objective.hpp"
#include "evaluate.hpp"
#include "plan/program.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg::testing {

/// The gradients by all trained parameters, at their initial values. `recompute` says which values the backward pass
/// computes again.
inline std::vector<Tensor> gradient_of(const ModelFunction& model, const LossFunction& loss, const Dataset& data,
                                       Passes passes, Recompute recompute = Recompute::nothing) {
  const TracedObjective traced =
      trace_objective(evaluation_of(model, loss), columns_of(data), data.rows(), Mode::train, f32);
  std::vector<Bound> inputs, outputs;
  std::vector<Tensor> values;
  int base = first_user_base;
  const auto bind = [&](Var var, const Tensor& value) {
    inputs.push_back({var, {base++, 0}});
    values.push_back(value);
  };
  for (std::size_t i = 0; i < traced.columns.size(); ++i) bind(traced.columns[i], data.columns()[i].second);
  if (traced.random) {
    Tensor places({data.rows()}, i32);
    for (std::int64_t i = 0; i < data.rows(); ++i) places.set(i, static_cast<double>(i));
    bind(traced.random->seed, full({}, 7, f64));
    bind(traced.random->step, full({}, 3, f64));
    bind(traced.random->places, places);
  }
  std::vector<Var> trained;
  for (const TracedParameter& p : traced.parameters) {
    bind(p.var, p.options.initializer.make(p.var.shape(), f32, 1, p.name));
    if (!p.options.frozen) trained.push_back(p.var);
  }
  passes.recompute = recompute;
  passes.backward_begins = traced.graph->size();
  for (const Var& g : gradients(traced.result.loss.sum, trained)) outputs.push_back({g, {base++, 0}});
  return run_graph(*traced.graph, inputs, outputs, values, passes, 2);
}

/// Expects the same bits of the gradient when passes of the planner are left out, and when values are computed again.
inline void expect_the_same_bits_however_planned(const ModelFunction& model, const LossFunction& loss,
                                                 const Dataset& data, Precision precision = Precision::single) {
  const std::vector<Tensor> wanted = gradient_of(model, loss, data, {.precision = precision});
  const auto expect_same = [&](const char* how, Passes passes, Recompute recompute = Recompute::nothing) {
    passes.precision = precision;
    const std::vector<Tensor> found = gradient_of(model, loss, data, passes, recompute);
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_TRUE(identical(found[i], wanted[i])) << how << ", " << i;
  };
  expect_same("not simplified", {.simplify = false});
  expect_same("not fused", {.fuse = false});
  expect_same("in the order of the graph", {.order = false});
  expect_same("without reuse", {.reuse = false});
  expect_same("not compiled", {.compile = false});
  expect_same("with no pass", {false, false, false, false, false});
  for (const Recompute recompute : {Recompute::arithmetic, Recompute::cheap}) {
    expect_same("recomputing", {}, recompute);
    expect_same("recomputing with no pass", {false, false, false, false, false}, recompute);
  }
}

}  // namespace thalweg::testing
