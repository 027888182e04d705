#pragma once
// A linear model of sparse rows: the cost of a step depends only on the features that its rows have.

#include "data/sparse_rows.hpp"
#include "sparse/row_table.hpp"
#include "thalweg/loss.hpp"

namespace thalweg {

/// outputs = row * weight + bias, with weight (features, outputs) and bias (outputs), which start at 0. The calling
/// thread does all work in the order of the rows, so the bits do not depend on the number of threads.
class SparseLinear {
 public:
  SparseLinear(std::int64_t features, std::int64_t outputs, LossFunction loss, Optimizer optimizer);

  /// The predictions for the rows before the step: probabilities (rows, outputs), or, where the loss gives scores, the
  /// scores of both classes; and the loss of these predictions.
  struct Learned {
    std::span<const float> predictions;
    double loss = 0, weight = 0;  ///< the sum over the rows, and the weight that makes it a mean
    double gradient_norm = 0;
  };
  /// Predicts the rows, then takes one step on them. Targets are class numbers. Throws NumericError, naming the step.
  Learned learn(std::span<const data::SparseRow> rows, std::span<const std::int32_t> targets, double lr,
                std::optional<double> momentum = {});
  /// The same without a step.
  [[nodiscard]] Learned predict(std::span<const data::SparseRow> rows, std::span<const std::int32_t> targets);

  [[nodiscard]] const LossFunction& loss() const { return loss_; }
  [[nodiscard]] RowTable& table() { return table_; }
  [[nodiscard]] const RowTable& table() const { return table_; }
  [[nodiscard]] std::int64_t parameters() const { return table_.values().size(); }

 private:
  /// Computes loss, gradient by the outputs and predictions, for a fixed number of rows.
  struct Head {
    std::optional<Program> program;
    Block arena;
    std::vector<float> outputs, gradient, predictions, values;  // `values`: the targets of two classes
    std::vector<std::int32_t> labels;
    double sums[2] = {};
    Program::Calls calls = {};
  };
  Head& head_for(std::int64_t rows);
  void trace(Head& head, std::int64_t rows) const;
  Head& forward(std::span<const data::SparseRow> rows, std::span<const std::int32_t> targets);
  void gather(std::span<const data::SparseRow> rows);

  std::int64_t outputs_;
  LossFunction loss_;
  RowTable table_;
  std::map<std::int64_t, Head> heads_;
  RowTable::Touched touched_;
  std::vector<std::int32_t> place_;              // each feature's place among the touched ones; -1 for none
  std::vector<std::int32_t> features_, places_;  // the touched features; each entry's place among them
  std::vector<double> sums_;
  std::unique_ptr<Workers> alone_ = std::make_unique<Workers>(1);  // on the heap, because bound calls keep its address
};

}  // namespace thalweg
