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

void RowOrder::begin_epoch_of(std::int64_t step) {
  const std::int64_t epoch = step / steps_an_epoch_;
  if (shuffle_) {
    RandomKey key = RandomKey{seed_, 0}.fold("shuffle");
    if (first_step_ > 0) key = key.fold(static_cast<std::uint64_t>(first_step_)).fold("run");
    order_ = shuffled(key.fold(static_cast<std::uint64_t>(epoch)), std::ssize(order_));
  }
  epoch_begin_ = epoch * steps_an_epoch_;
  epoch_end_ = epoch_begin_ + steps_an_epoch_;
}

}  // namespace thalweg
