#pragma once
// The steps of padded sequences in reverse order, for layers that read from the end.

#include "thalweg/ops.hpp"

namespace thalweg {

/// Sequences of a batch, each with a number of steps that count: step t of the result is step count - 1 - t of
/// (batch, steps, width), and steps behind the count stay where they are. It undoes itself.
///
/// A product with each sample's permutation keeps the samples of a batch apart, so that a step is cut into shards, but
/// its matrix grows with the square of the steps. Beyond `longest` steps the rows are gathered: their memory grows in a
/// line, and a batch is one shard, because a gather may read from any sample.
class Reversal {
 public:
  static constexpr std::int64_t longest = 512;

  /// `count` is i32 (batch).
  Reversal(const Var& count, std::int64_t steps, DType dtype);
  [[nodiscard]] Var operator()(const Var& x) const;

 private:
  bool gathers_;
  Var from_;  ///< the permutations, or the row for each row
};

}  // namespace thalweg
