#pragma once
// A number from categories: a bias and a vector of factors for each, learned by steps on few rows.

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
/// over the categories i of the row; of two kinds it is biased matrix factorisation (Koren, Bell and Volinsky 2009). A
/// category that was never learned has neither bias nor factors. Learned is the least
///   sum over rows of (prediction - value)^2 / 2 + bias_ridge / 2 |b|^2 + factor_ridge / 2 |v|^2,
/// where a step has of the penalties the part that its rows have of each category's. All work is done by the calling
/// thread in the order of the rows, so the bits do not depend on how many threads there are.
class Factors {
 public:
  /// `counts` are the training rows of each category, over all kinds; `mean` is that of the values.
  Factors(const FactorOptions& options, std::vector<std::int64_t> counts, double mean, Optimizer optimizer,
          std::uint64_t seed);

  /// A row's categories; -1 is none.
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
  RowTable table_;  // of each category its bias, then its factors; the mean is its tail
  RowTable::Touched touched_;
  std::vector<std::int32_t> place_;                // of each category among those touched; -1 for none
  std::vector<std::int32_t> categories_, places_;  // those touched; each entry's place, or -1
  std::vector<double> uses_, sums_;
};

}  // namespace thalweg
