#pragma once
// Reverses the steps of padded sequences, for layers that read from the end.

#include "thalweg/ops.hpp"

namespace thalweg {

/// Each sequence of a batch has `count` steps that count: step t of the result is step count - 1 - t of (batch, steps,
/// width), and the padding stays in place. Applied twice, it changes nothing.
///
/// A product with the permutation of each sample does not mix samples, so a training step can be cut into shards; but
/// its matrix grows with the square of the steps. Beyond `longest` steps the rows are gathered instead: the memory
/// grows linearly, but a batch is one shard, because a gather may read from any sample.
class Reversal {
 public:
  static constexpr std::int64_t longest = 512;

  /// `count` is i32 (batch).
  Reversal(const Var& count, std::int64_t steps, DType dtype);
  [[nodiscard]] Var operator()(const Var& x) const;

 private:
  bool gathers_;
  Var from_;  ///< the permutations, or the source row of each row
};

}  // namespace thalweg
