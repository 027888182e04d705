#pragma once
// A product of an objective on one shard, planned for a number of rows: the value, and optionally the gradient, or a
// curvature matrix times a vector.

#include <optional>

#include "engine/shard_program.hpp"
#include "optim/factored.hpp"

namespace thalweg {

/// What is computed for an objective at a point. Vectors have the trained parameters in the order of the layout.
enum class Product {
  value,         ///< the loss alone
  gradient,      ///< and its gradient
  hessian,       ///< and H v: the forward derivative of the gradient
  gauss_newton,  ///< and J^T H_L J v: J of the model's output, H_L of the loss by that output (Schraudolph 2002)
  factors,       ///< and the factors of layers: see factor_sums
};

class ProductProgram {
 public:
  /// Traces and plans. Throws UsageError for a Gauss-Newton product of an objective that has no model. `layers` are
  /// those whose factors are asked for.
  ProductProgram(const EvaluationFunction& function, Product product, Mode mode, std::int64_t rows,
                 std::vector<ColumnSpec> columns, const Layout& layout, std::span<const FactoredLayer> layers = {},
                 Device& device = this_cpu());

  [[nodiscard]] bool is_for(Product product, std::int64_t rows, const Dataset& data, DType dtype) const {
    return product_ == product && rows_ == rows && dtype_ == dtype && are_columns_of(columns_, data);
  }
  [[nodiscard]] std::int64_t rows() const { return rows_; }
  /// Numbers that it writes besides the loss.
  [[nodiscard]] std::int64_t result_size() const { return result_size_; }
  /// Whether the rows may be one shard of a larger batch.
  [[nodiscard]] bool is_separable() const { return separable_; }
  /// Bytes of memory that a run needs.
  [[nodiscard]] std::size_t memory_bytes() const { return memory_bytes_; }
  [[nodiscard]] std::int64_t operations() const { return program_->operations(); }
  /// Bytes of all values between inputs and outputs, if none shared memory.
  [[nodiscard]] std::int64_t value_bytes() const { return program_->value_bytes_without_reuse(); }

  struct Call {
    const State& state;
    const RowSelection& batch;
    std::int64_t begin;       ///< the shard's first row among those
    std::int64_t place;       ///< its place in the whole batch, for random draws
    const std::byte* vector;  ///< multiplied by the matrix; null for a value or a gradient
    std::byte* result;        ///< where the gradient or the product is written: a sum over the shard
    double* sums;             ///< shard_doubles: the loss, summed, and its weight
  };
  void run(const Call& call, std::byte* memory, Workers& workers) const;

  /// A run on a device that is not here: the addresses are the device's. `memory` begins with what `run` would find
  /// there, written from here: see `random_at` and `columns_at`. The sums are left at `sums_at`.
  struct CallThere {
    std::byte *parameters, *vector, *result, *memory;
    std::vector<std::byte*>& bases;  ///< the address of each column, from first_column on; the others are written
  };
  static constexpr std::size_t first_column = 5;
  void run_there(const CallThere& call, Workers& workers) const;
  [[nodiscard]] bool is_random() const { return random_; }
  [[nodiscard]] std::size_t columns() const { return columns_.size(); }
  [[nodiscard]] std::size_t random_at() const { return random_at_; }
  [[nodiscard]] std::size_t columns_at() const { return columns_at_; }
  [[nodiscard]] std::size_t sums_at() const { return sums_at_; }
  /// The loss and its weight, of the bytes from `sums_at` on.
  void read_sums(const std::byte* at, double* sums) const;

 private:
  struct Draft;
  void bind_inputs(Draft& draft, const Layout& layout);
  void bind_loss(Draft& draft);
  void bind_result(Draft& draft, const Layout& layout);
  void bind_factors(Draft& draft, std::span<const FactoredLayer> layers);
  void place_memory();
  std::span<std::byte* const> bases(const Call& call, std::byte* memory) const;

  Product product_;
  DType dtype_;
  std::int64_t rows_;
  std::vector<ColumnSpec> columns_;
  std::optional<Program> program_;
  bool separable_ = true, random_ = false;
  std::int64_t result_size_ = 0;
  DType sum_dtype_ = f64, weight_dtype_ = f64;
  std::optional<double> known_weight_;  // the weight is not written where it is known
  // where things are in the memory of a run, behind the arena
  std::size_t bases_at_ = 0, sums_at_ = 0, random_at_ = 0, columns_at_ = 0, memory_bytes_ = 0;
};

}  // namespace thalweg
