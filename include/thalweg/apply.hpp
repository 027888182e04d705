#pragma once
// Apply: a compiled forward pass. A function of a Scope and named inputs, planned once for each set of shapes, that
// computes named outputs from tensors and the parameters of a State: a trained model, or any part of one.
//
//   tw::Apply encode([](tw::Scope s, const tw::Batch& b) { return encoder(s / "encoder", b["x"]); });
//   tw::Tensor z = encode(trainer.state(), {{"x", images}});

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "thalweg/batch.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/state.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using NamedVars = std::vector<std::pair<std::string, Var>>;

/// A value: copies share their plans. The function is traced in Mode::evaluate at the first call with each set of
/// names, shapes and dtypes of inputs; the plans of the last 64 sets are kept. Several threads may call one Apply at
/// once, and the result is the same bits for any number of threads.
///
/// An input may have any shape, also (). Floating-point inputs are converted to the dtype of the parameters; others
/// stay as they are. Parameters are found by their paths: the function must declare those it uses as the trained model
/// does, and the State may have more.
class Apply {
 public:
  /// One output. `threads` 0 is every core.
  explicit Apply(std::function<Var(Scope, const Batch&)> function, int threads = 0);
  /// Several outputs, by name.
  explicit Apply(std::function<NamedVars(Scope, const Batch&)> function, int threads = 0);

  /// The output of a function that has one output. Random numbers follow from `seed`; the first axis of the first input
  /// that has an axis counts the samples. Throws UsageError for an invalid state or invalid names of inputs, and where
  /// there are several outputs; ModelError for a parameter that the state lacks, or has in another shape.
  [[nodiscard]] Tensor operator()(const State& state, const NamedTensors& inputs, std::uint64_t seed = 0) const;
  /// All outputs, in the function's order; that of a function with one output is called "output". Throws as above.
  [[nodiscard]] NamedTensors all(const State& state, const NamedTensors& inputs, std::uint64_t seed = 0) const;

  /// Describes the plan for such inputs: the fused ops, the bytes that each instruction moves, and the arena.
  [[nodiscard]] std::string explain(const State& state, const NamedTensors& inputs) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace thalweg
