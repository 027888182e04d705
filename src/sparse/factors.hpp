#pragma once
// Predicts a number from categories: each has a bias and a vector of factors, and a step changes only those of its
// rows.

#include <span>
#include <vector>

#include "sparse/row_table.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

/// Options of a `[system]`.
struct FactorOptions {
  std::int64_t width = 16;
  double bias_ridge = 10, factor_ridge = 80;
  double deviation = 0.1;

  [[nodiscard]] Fields fields();
};

/// A factorisation machine (Rendle 2010) of rows that have one category of each of some kinds:
///   prediction = mean + sum_i b_i + sum_{i < j} v_i . v_j
/// over the categories i of the row. With two kinds it is biased matrix factorisation (Koren, Bell and Volinsky 2009).
/// A category that was never trained has bias and factors 0. Training minimises
///   sum over rows of (prediction - value)^2 / 2 + bias_ridge / 2 |b|^2 + factor_ridge / 2 |v|^2,
/// where each step has a share of a category's penalty: the fraction of the category's rows that are in the step. The
/// calling thread does all work in the order of the rows, so the bits do not depend on the number of threads.
class Factors {
 public:
  /// `counts` are the numbers of training rows of each category, over all kinds; `mean` is the mean of the values.
  Factors(const FactorOptions& options, std::vector<std::int64_t> counts, double mean, Optimizer optimizer,
          std::uint64_t seed);

  /// The categories of each row; -1 is none.
  using Row = std::span<const std::int32_t>;
  [[nodiscard]] double predict(Row row) const;

  struct Learned {
    double loss = 0;  ///< the mean of (prediction - value)^2 / 2 before the step
    double gradient_norm = 0;
  };
  /// One step on rows (count, kinds). Throws NumericError.
  Learned learn(std::span<const std::int32_t> rows, std::span<const float> values, double lr,
                std::optional<double> momentum = {});

  [[nodiscard]] std::int64_t parameters() const { return table_.values().size() - options_.width; }
  [[nodiscard]] RowTable& table() { return table_; }
  [[nodiscard]] const RowTable& table() const { return table_; }

 private:
  void gather(std::span<const std::int32_t> rows);

  FactorOptions options_;
  std::vector<std::int64_t> counts_;
  RowTable table_;  // each category's bias, then its factors; the tail holds the mean
  RowTable::Touched touched_;
  std::vector<std::int32_t> place_;                // each category's place among the touched ones; -1 for none
  std::vector<std::int32_t> categories_, places_;  // the touched categories; each entry's place among them, or -1
  std::vector<double> uses_, sums_;
};

}  // namespace thalweg
