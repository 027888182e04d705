#pragma once
// Parameters of which a step touches few rows: it costs what it touches, whatever the table holds.

#include <map>
#include <memory>

#include "core/block.hpp"
#include "core/workers.hpp"
#include "optim/update.hpp"

namespace thalweg {

/// What an optimizer does to a row whose gradient is 0, which a table makes up for when it touches the row again.
struct RestingRow {
  double decay = 0;                ///< x *= 1 - lr decay, at every step
  std::vector<double> slots = {};  ///< each slot's factor at every step; 1 for one that stays
};

/// Finds that out by trying the optimizer on a few numbers. A method that moves a row on while its gradient is 0, by
/// its momentum, no longer does: the slots decay and the row waits (the "lazy" Adam of TensorFlow, PyTorch's
/// SparseAdam). Plain SGD, Adagrad and FTRL, with decoupled decay or none, do what they do on all rows. Throws
/// UsageError for a method that needs all parameters at once, or whose rest is not a factor.
[[nodiscard]] RestingRow resting_row(const Optimizer& optimizer);

/// Rows of numbers that start at 0, and behind them a tail of rows that every step touches and weight decay leaves
/// alone (biases), with the optimizer's slots beside them. The update is the optimizer's own program, planned for as
/// many rows as a step touches, to the next power of two.
class RowTable {
 public:
  /// Throws as resting_row does, and MemoryError.
  RowTable(Optimizer optimizer, std::int64_t rows, std::int64_t width, std::int64_t tail = 0);

  /// Rows brought together, (places, width): row i of the list has place i, the tail lies from place `tail` on.
  struct Touched {
    std::span<float> values, gradient;
    std::int64_t tail = 0;
  };
  /// The rows named, each once, as they are now; their gradient is 0. Valid until the next call.
  [[nodiscard]] Touched touch(std::span<const std::int32_t> rows);
  /// Steps the rows touched last against the gradient that was written, a sum that `weight` makes a mean. Returns the
  /// norm of the mean. Throws NumericError where that is not finite; nothing has changed then.
  double step(double weight, double lr, std::optional<double> momentum = {});

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// Brings every row up to date, so that `values` are what a model is made of.
  void settle();
  /// (rows + tail, width), as of the last settle() or the row's last touch.
  [[nodiscard]] const Tensor& values() const { return values_; }
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }

  /// All that the next step depends on, and how a table with the same optimizer and shape goes on from it. Throws
  /// ModelError for another table's.
  [[nodiscard]] std::vector<std::pair<std::string, Tensor>> state() const;
  void restore(const std::vector<std::pair<std::string, Tensor>>& state);

 private:
  /// The update of up to `capacity` rows and the tail, and the memory that it works in.
  struct Plan {
    std::int64_t capacity = 0;
    UpdateProgram update;
    Block arena;
    std::vector<float> values, gradient;
    std::vector<std::vector<float>> slots;  // empty for one that is a single number
    std::vector<double> scalars;
    Program::Calls calls = {};
  };
  Plan& plan_for(std::int64_t rows);
  [[nodiscard]] double missed_decay(std::int32_t row) const;
  void gather(Plan& plan);
  void scatter(const Plan& plan, double lr);

  Optimizer optimizer_;
  RestingRow resting_;
  std::int64_t rows_, width_, tail_;
  Tensor values_;
  std::vector<std::pair<std::string, Tensor>> slots_;
  std::int64_t steps_ = 0;
  double decayed_ = 0;  // the sum of log(1 - lr decay) over the steps
  Tensor seen_;         // f64 (rows): steps that a row's slots have seen; empty where no slot decays
  Tensor decayed_by_;   // f64 (rows): decayed_ as a row's values have it; empty where nothing decays
  std::map<std::int64_t, Plan> plans_;
  Plan* touched_ = nullptr;
  std::vector<std::int32_t> touched_rows_;
  std::unique_ptr<Workers> alone_ = std::make_unique<Workers>(1);  // its address is kept by bound calls
};

}  // namespace thalweg
