#pragma once
// For a model whose output is affine in its trained parameters: the slopes (the derivatives of the loss by the output
// of each row), and the gradient that follows from a change of the slopes.

#include <set>
#include <string>

#include "engine/rows_there.hpp"

namespace thalweg {

/// The number of outputs in a row, if their slopes determine the row's gradient J_i^T slope_i at any parameters. For
/// this the derivative J_i of the output must not depend on the parameters named in `trained` or on a moving average,
/// and the loss may depend on these only through the output. Otherwise 0; also for an objective that is not a model and
/// a loss, and for a model that draws random numbers, observes statistics or mixes rows.
[[nodiscard]] std::int64_t slopes_a_row(const EvaluationFunction& function, const std::vector<ColumnSpec>& columns,
                                        std::int64_t rows, DType dtype, const std::set<std::string>& trained);

/// Planned for a number of rows of such an objective.
class SlopeProgram {
 public:
  SlopeProgram(const EvaluationFunction& function, std::int64_t rows, std::vector<ColumnSpec> columns,
               const Layout& trained, Precision precision, Device& device = this_cpu());

  [[nodiscard]] bool is_for(std::int64_t rows, const Dataset& data) const {
    return rows_ == rows && are_columns_of(columns_, data);
  }
  /// Bytes of memory that a run needs.
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }

  struct Call {
    const State& state;
    const RowSelection& batch;
    std::int64_t begin;   ///< the shard's first row among those
    std::byte* table;     ///< slopes of all rows of the data; those of the shard's rows are replaced
    std::byte* gradient;  ///< where the sum over the shard of J_i^T (slope_i - what the table had) is written
  };
  void run(const Call& call, std::byte* memory, Workers& workers) const;
  /// The same on a device that is not here, which has the gradient and the memory. The table is here, and so this
  /// waits.
  void run_there(const Call& call, RowsThere& rows, std::byte* memory, Workers& workers) const;

 private:
  [[nodiscard]] std::span<const std::int64_t> rows_of(const Call& call) const;
  /// What the table has of the rows of a call, and what it is to have.
  void take_known(const Call& call, std::byte* known) const;
  void keep(const Call& call, const std::byte* slopes) const;

  std::int64_t rows_;
  std::vector<ColumnSpec> columns_;
  std::optional<Program> program_;
  std::size_t row_bytes_ = 0;  // of the slopes
  // offsets in the memory of a run, behind the arena
  std::size_t bases_at_ = 0, known_at_ = 0, slopes_at_ = 0, columns_at_ = 0, memory_bytes_ = 0;
};

}  // namespace thalweg
