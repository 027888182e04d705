#pragma once
// A table of parameters in which a step touches few rows: its cost depends on these rows, not on the size of the table.

#include <map>
#include <memory>

#include "core/block.hpp"
#include "core/workers.hpp"
#include "optim/update.hpp"

namespace thalweg {

/// What an optimizer does in each step to a row whose gradient is 0. A table catches up on this when it touches the row
/// again.
struct RestingRow {
  double decay = 0;                ///< x *= 1 - lr decay, at every step
  std::vector<double> slots = {};  ///< each slot's factor at every step; 1 for a slot that does not change
};

/// Finds this out by running the optimizer on a few numbers. With momentum, a method would move a row even while its
/// gradient is 0; here the slots decay but the row stays (the "lazy" Adam of TensorFlow, PyTorch's SparseAdam). Plain
/// SGD, Adagrad and FTRL, with decoupled decay or none, give the same result as on all rows. Throws UsageError for a
/// method that needs all parameters at once, or that changes a row without gradient by more than factors.
[[nodiscard]] RestingRow resting_row(const Optimizer& optimizer);

/// Rows of numbers that start at 0, then a tail of rows (biases) that every step touches and that have no weight decay,
/// and the optimizer's slots for all of them. The update is the optimizer's own program, planned for the number of rows
/// that a step touches, rounded up to a power of two.
class RowTable {
 public:
  /// Throws what resting_row throws, and MemoryError.
  RowTable(Optimizer optimizer, std::int64_t rows, std::int64_t width, std::int64_t tail = 0);

  /// The touched rows next to each other, (places, width): row i of the list has place i, the tail begins at place
  /// `tail`.
  struct Touched {
    std::span<float> values, gradient;
    std::int64_t tail = 0;
  };
  /// The given rows (each may occur once) with their present values and a gradient of 0. Valid until the next call.
  [[nodiscard]] Touched touch(std::span<const std::int32_t> rows);
  /// Updates the rows of the last call with the gradient that was written, a sum that `weight` makes a mean. Returns
  /// the norm of the mean. Throws NumericError where the norm is not finite, or where a number of the table would not
  /// be; then nothing has changed. So a table is finite at all times, and its state can be restored.
  double step(double weight, double lr, std::optional<double> momentum = {});

  [[nodiscard]] std::int64_t steps() const { return steps_; }
  /// Brings every row up to date, so that `values` are the parameters of the model.
  void settle();
  /// (rows + tail, width); each row is as of the last settle() or as of its last step.
  [[nodiscard]] const Tensor& values() const { return values_; }
  [[nodiscard]] const Optimizer& optimizer() const { return optimizer_; }

  /// All that the next step depends on, and the way to continue from it with the same optimizer and shape. Throws
  /// ModelError for the state of another table.
  [[nodiscard]] std::vector<std::pair<std::string, Tensor>> state() const;
  void restore(const std::vector<std::pair<std::string, Tensor>>& state);

 private:
  /// The update of up to `capacity` rows and the tail, and its working memory.
  struct Plan {
    std::int64_t capacity = 0;
    UpdateProgram update;
    Block arena;
    std::vector<float> values, gradient;
    std::vector<std::vector<float>> slots;  // empty for a slot that is a single number
    std::vector<double> singles;            // such numbers before the step; 0 for other slots
    std::vector<double> scalars;
    Program::Calls calls = {};
  };
  Plan& plan_for(std::int64_t rows);
  [[nodiscard]] double missed_decay(std::int32_t row) const;
  void gather(Plan& plan);
  /// Whether what a step has computed is finite.
  [[nodiscard]] bool is_finite(const Plan& plan, double lr) const;
  void scatter(const Plan& plan, double lr);

  Optimizer optimizer_;
  RestingRow resting_;
  std::int64_t rows_, width_, tail_;
  Tensor values_;
  std::vector<std::pair<std::string, Tensor>> slots_;
  std::int64_t steps_ = 0;
  double decayed_ = 0;  // the sum of log(1 - lr decay) over the steps
  Tensor seen_;         // f64 (rows): the step up to which a row's slots are current; empty where no slot decays
  Tensor decayed_by_;   // f64 (rows): the part of decayed_ that a row's values already have; empty where nothing decays
  std::map<std::int64_t, Plan> plans_;
  Plan* touched_ = nullptr;
  std::vector<std::int32_t> touched_rows_;
  std::unique_ptr<Workers> alone_ = std::make_unique<Workers>(1);  // on the heap, because bound calls keep its address
};

}  // namespace thalweg
