#pragma once
// The order of the rows in the steps of a run.

#include <algorithm>
#include <span>
#include <vector>

#include "engine/run_length.hpp"

namespace thalweg {

/// The rows of each step of a run: a function of the seed, the epoch and the place of the step in the epoch.
class RowOrder {
 public:
  RowOrder() = default;
  /// `first_step` is the state's step at the start of the run, so that a second run has another order than the first.
  RowOrder(const FitOptions& options, const RunLength& length, std::int64_t rows, std::int64_t first_step = 0);

  /// Valid until the next call.
  [[nodiscard]] std::span<const std::int64_t> rows_of(std::int64_t step) {
    if (step < epoch_begin_ || step >= epoch_end_) begin_epoch_of(step);
    return rows_in_epoch(step);
  }
  /// After rows_of(step): those of the next step, or none where that begins an epoch.
  [[nodiscard]] std::span<const std::int64_t> rows_after(std::int64_t step) const {
    if (step + 1 >= epoch_end_) return {};
    return rows_in_epoch(step + 1);
  }

 private:
  [[nodiscard]] std::span<const std::int64_t> rows_in_epoch(std::int64_t step) const {
    const std::int64_t begin = (step - epoch_begin_) * rows_a_step_;
    return {order_.data() + begin, static_cast<std::size_t>(std::min(std::ssize(order_) - begin, rows_a_step_))};
  }
  void begin_epoch_of(std::int64_t step);

  bool shuffle_ = false;
  std::uint64_t seed_ = 0;
  std::int64_t first_step_ = 0;
  std::int64_t rows_a_step_ = 1, steps_an_epoch_ = 1;
  std::vector<std::int64_t> order_;               // of the rows, in this epoch
  std::int64_t epoch_begin_ = 0, epoch_end_ = 0;  // the steps of that epoch
};

}  // namespace thalweg
