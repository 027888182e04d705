#include "engine/row_order.hpp"

#include <algorithm>
#include <numeric>

#include "core/random.hpp"

namespace thalweg {

RowOrder::RowOrder(const FitOptions& options, const RunLength& length, std::int64_t rows, std::int64_t first_step)
    : shuffle_(options.shuffle),
      seed_(options.seed),
      first_step_(first_step),
      rows_a_step_(length.rows_a_step),
      steps_an_epoch_(length.steps_an_epoch),
      order_(static_cast<std::size_t>(rows)) {
  std::iota(order_.begin(), order_.end(), 0);
}

std::span<const std::int64_t> RowOrder::rows_of(std::int64_t step) {
  const std::int64_t epoch = step / steps_an_epoch_, begin = step % steps_an_epoch_ * rows_a_step_;
  const auto rows = static_cast<std::int64_t>(order_.size());
  if (shuffle_ && epoch != shuffled_epoch_) {
    RandomKey key = RandomKey{seed_, 0}.fold("shuffle");
    if (first_step_ > 0) key = key.fold(static_cast<std::uint64_t>(first_step_)).fold("run");
    order_ = shuffled(key.fold(static_cast<std::uint64_t>(epoch)), rows);
    shuffled_epoch_ = epoch;
  }
  return std::span<const std::int64_t>(order_).subspan(static_cast<std::size_t>(begin),
                                                       static_cast<std::size_t>(std::min(rows - begin, rows_a_step_)));
}

}  // namespace thalweg
