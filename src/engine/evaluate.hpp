#pragma once
// The loss and the predictions over a whole dataset, in evaluation mode.

#include <memory>
#include <optional>

#include "engine/forward.hpp"
#include "engine/objective.hpp"
#include "engine/shards.hpp"

namespace thalweg {

/// The loss over a set, sum / weight, and the reports of the objective, as means over the rows.
struct LossSum {
  double sum = 0, weight = 0;
  Metrics reports = {};
};

class Evaluator {
 public:
  /// On the given device, or on this CPU if that is null.
  explicit Evaluator(EvaluationFunction function, Device* far = nullptr) : function_(std::move(function)), far_(far) {}

  [[nodiscard]] bool is_far() const { return far_ != nullptr; }

  /// The predictions, (rows, ...), are written to `predictions` where the function has them. Random numbers follow from
  /// the state's seed and each row's place in the set. The pool is of the device's memory. Throws UsageError for a set
  /// without rows.
  LossSum operator()(const State& state, const Dataset& data, Tensor& predictions, BlockPool& pool, Workers& workers);

 private:
  /// The function for a number of rows, planned.
  struct Pass {
    std::int64_t rows;
    std::vector<ColumnSpec> columns;
    DType dtype;
    std::optional<ForwardProgram> program = {};
    bool separable = true, has_prediction = false;
    std::optional<DType> sum = {}, weight = {};  ///< the types in which they are written, where they are written
    double known_weight = 0;                     ///< used where the weight is not written
    std::vector<std::string> reports = {};

    /// The largest number of sums that a shard writes: the loss, its weight, the sum of each report.
    [[nodiscard]] std::size_t numbers() const { return 2 + reports.size(); }

    [[nodiscard]] Signature prediction() const { return has_prediction ? program->output(0) : Signature{}; }
  };
  const Pass& pass_for(std::int64_t rows, const Dataset& data, const Layout& layout);
  [[nodiscard]] std::unique_ptr<Pass> make_pass(std::int64_t rows, const Dataset& data, const Layout& layout) const;
  /// Rows per shard; depends on the rows and the model alone.
  std::int64_t shard_rows(const Dataset& data, const Layout& layout);
  /// Rows of the set that are in memory: `begin` is the place of the first, and their predictions go to `predictions`.
  struct Part {
    const Dataset& rows;
    std::int64_t begin;
    std::byte* predictions;
  };
  /// Adds the results of these rows, in shards of at most `size` rows; reports as sums.
  void add(LossSum& total, const State& state, const Part& part, std::int64_t size, BlockPool& pool, Workers& workers);

  /// A shard from its place in the data on, whose results are in `outputs` when the device's `wait` returns.
  [[nodiscard]] Mark start_there(const Pass& pass, const State& state, const Part& part, std::int64_t begin,
                                 std::span<std::byte* const> outputs, BlockPool& pool, Workers& workers) const;

  EvaluationFunction function_;
  Device* far_;
  std::shared_ptr<const Layout> layout_;  // of the passes
  std::vector<std::unique_ptr<const Pass>> passes_;
};

}  // namespace thalweg
