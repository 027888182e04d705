#pragma once
// A compiled forward pass: a traced function from named inputs and parameters to outputs. `Apply`, models, evaluation
// and generation stand on it.

#include <span>
#include <string>
#include <vector>

#include "nn/trace.hpp"
#include "plan/program.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// A traced function, planned. Several threads may run it at once, each with memory of its own.
class ForwardProgram {
 public:
  struct Output {
    Var value;
    int in_place_of = -1;  ///< the number of an input that it overwrites; below 0: it has a place of its own
  };
  ForwardProgram(const Graph& graph, const std::vector<Var>& inputs, const std::vector<TracedParameter>& parameters,
                 const std::vector<Output>& outputs);

  [[nodiscard]] std::size_t memory_bytes() const { return program_.arena_bytes(); }
  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] const Signature& output(std::size_t i) const { return outputs_[i]; }

  /// Where the parameters lie that the function asks for. Throws ModelError for one that the state lacks, or has in
  /// another shape. Valid while the state's parameters are.
  [[nodiscard]] std::vector<const std::byte*> parameters_in(const State& state) const;
  /// Addresses in the order of the constructor's lists; an output in place of an input has none.
  void run(std::span<const std::byte* const> inputs, std::span<const std::byte* const> parameters,
           std::span<std::byte* const> outputs, std::byte* memory, Workers& workers) const;

 private:
  struct Parameter {
    std::string name;
    Signature signature;
  };
  std::vector<Parameter> parameters_;
  std::vector<Signature> outputs_;
  Program program_;
};

}  // namespace thalweg
