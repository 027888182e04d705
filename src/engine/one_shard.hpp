#pragma once
// A small step of one shard: what lies between its kernels would take as long as they do, and so all of it that can be
// is kept from step to step.

#include "engine/shard_program.hpp"

namespace thalweg {

class OneShard {
 public:
  /// Whether a program is small enough to have memory of its own. A larger one shares the pool's with evaluation.
  [[nodiscard]] static bool is_for(const ShardProgram& program, const Layout& layout);
  /// Whether this batch is like the last one: as many rows of the same data.
  [[nodiscard]] bool continues(const State& state, const RowSelection& batch, std::int64_t wanted) const {
    return program_ && data_ == batch.data.identity() && rows_ == batch.count() && wanted_ == wanted &&
           layout_ == state.layout;
  }
  /// The program of such batches; `wanted` is the size of shards that was asked for.
  void begin(const ShardProgram& program, const State& state, const RowSelection& batch, std::int64_t wanted);
  void run(const State& state, const RowSelection& batch, Workers& workers) {
    program_->run({state, batch, 0, gradient(), sums_, nullptr}, memory_.data(), workers, kept_);
  }

  [[nodiscard]] const ShardProgram& program() const { return *program_; }
  [[nodiscard]] std::byte* gradient() const { return gradient_.data(); }
  /// The loss and its weight.
  [[nodiscard]] const double* sums() const { return sums_; }

 private:
  const ShardProgram* program_ = nullptr;
  std::shared_ptr<const char> data_;
  std::shared_ptr<const Layout> layout_;
  std::int64_t rows_ = 0, wanted_ = 0;
  Block gradient_, memory_;
  double sums_[shard_doubles] = {};
  ShardProgram::Kept kept_;
};

}  // namespace thalweg
