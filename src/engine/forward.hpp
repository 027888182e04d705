#pragma once
// A compiled forward pass: a traced function from inputs and parameters to outputs. `Apply`, models, evaluation and
// generation use it.

#include <span>
#include <vector>

#include "engine/random_block.hpp"
#include "engine/shards.hpp"
#include "nn/trace.hpp"
#include "plan/program.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

/// A traced function, planned for parameters in one layout. Several threads may run it at once, each in its own memory.
class ForwardProgram {
 public:
  struct Output {
    Var value;
    int in_place_of = -1;  ///< the number of an input that it overwrites; below 0: it has memory of its own
  };
  /// Throws ModelError for a parameter that the layout lacks, or has in another shape.
  ForwardProgram(const Graph& graph, const std::vector<Var>& inputs, const std::vector<TracedParameter>& parameters,
                 const Layout& layout, const std::vector<Output>& outputs,
                 const std::optional<RandomInputs>& random = {}, Device& device = this_cpu());

  [[nodiscard]] const Program& program() const { return program_; }
  [[nodiscard]] std::size_t memory_bytes() const {
    return random_at_ + (samples_ > 0 ? random_block_bytes(samples_) : 0);
  }
  [[nodiscard]] const Signature& output(std::size_t i) const { return outputs_[i]; }

  /// `parameters` is the flat block of the layout; `outputs` are the addresses of the outputs that do not overwrite an
  /// input. Random numbers follow from `draws`.
  void run(std::span<const std::byte* const> inputs, const Tensor& parameters, std::span<std::byte* const> outputs,
           std::byte* memory, Workers& workers, const Draws& draws = {}) const;
  /// The same on a device other than this CPU, for inputs and outputs in host memory; each output has its own memory.
  /// `pool` has the device's memory. The outputs are in host memory, which must exist until then, when the device's
  /// `wait` returns for the mark.
  [[nodiscard]] Mark start_there(std::span<const std::span<const std::byte>> inputs, const Tensor& parameters,
                                 std::span<const std::span<std::byte>> outputs, BlockPool& pool, Workers& workers,
                                 const Draws& draws = {}) const;
  /// The same, and waits.
  void run_there(std::span<const std::span<const std::byte>> inputs, const Tensor& parameters,
                 std::span<const std::span<std::byte>> outputs, BlockPool& pool, Workers& workers,
                 const Draws& draws = {}) const;

 private:
  std::vector<Signature> outputs_;
  Program program_;
  std::int64_t samples_ = 0;  // number of samples that draw random numbers
  std::size_t random_at_ = 0;
};

}  // namespace thalweg
