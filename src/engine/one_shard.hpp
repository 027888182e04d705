#pragma once
// A small step of one shard. The work between its kernels would take as long as the kernels, so its results are kept
// from step to step where possible.

#include "engine/shard_program.hpp"

namespace thalweg {

class OneShard {
 public:
  /// Whether a program is small enough to have memory of its own. A larger one shares the pool with evaluation.
  [[nodiscard]] static bool is_for(const ShardProgram& program, const StepLayout& step, DType dtype);
  /// Whether this program ran last.
  [[nodiscard]] bool ran(const ShardProgram& program) const { return program_ == &program; }
  void run(const ShardProgram& program, const StepLayout& step, const State& state, const RowSelection& batch,
           Workers& workers) {
    if (program_ != &program || data_ != batch.data.identity()) begin(program, step, state, batch);
    program.run({state, batch, 0, gradient(), sums_.data()}, memory_.data(), workers, kept_);
  }

  [[nodiscard]] std::byte* gradient() const { return gradient_.data(); }
  /// The numbers that the program writes besides the gradient.
  [[nodiscard]] const double* sums() const { return sums_.data(); }

 private:
  void begin(const ShardProgram& program, const StepLayout& step, const State& state, const RowSelection& batch);

  const ShardProgram* program_ = nullptr;
  std::shared_ptr<const char> data_;
  Block gradient_, memory_;
  std::vector<double> sums_;
  ShardProgram::Kept kept_;
};

}  // namespace thalweg
