#pragma once
// SAGA's table of all rows: a gradient for each row or, where the gradient follows from them, the derivatives of the
// loss by the model's output.

#include <span>
#include <string>

#include "engine/objective.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

struct SagaTable {
  std::int64_t rows = 0, numbers = 0;  ///< `numbers` in each row
  bool slopes = false;                 ///< whether rows have derivatives by the output in place of gradients
  DType dtype = f32;

  [[nodiscard]] std::int64_t size() const { return rows * numbers; }
  [[nodiscard]] std::int64_t bytes() const { return size() * static_cast<std::int64_t>(size_of(dtype)); }
};

/// The table for `rows` rows, with `parameters` trained parameters and `slopes` slopes for each row (see slopes_a_row).
[[nodiscard]] SagaTable row_table(std::int64_t rows, std::int64_t parameters, std::int64_t slopes, DType dtype);
/// The same for an objective, its optimizer and data like these, `rows` of them.
[[nodiscard]] SagaTable row_table_of(const EvaluationFunction& function, const Optimizer& optimizer,
                                     const Layout& layout, const Dataset& data, std::int64_t rows);
/// Throws UsageError where the table is larger than the optimizer allows.
void check_row_table(const Optimizer& optimizer, const SagaTable& table);

/// "saga: a gradient of each of 569 rows, 31 numbers, 68.9 KiB", or "saga: a slope at each output of each of 569 rows,
/// 1 number, 2.2 KiB".
[[nodiscard]] std::string row_table_text(const Optimizer& optimizer, const SagaTable& table);

}  // namespace thalweg
