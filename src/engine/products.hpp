#pragma once
// Products of an objective over rows of a dataset, at a point that the caller names, for second-order methods and
// measures of curvature.

#include <memory>
#include <vector>

#include "engine/product_program.hpp"
#include "engine/rows_there.hpp"
#include "engine/shards.hpp"
#include "engine/vectors.hpp"

namespace thalweg {

struct ProductOptions {
  /// evaluate: no dropout, batch normalisation by its running statistics. train: dropout drawn from the state's seed
  /// and step, so points with equal seed and step have the same draws; batch normalisation by the statistics of each
  /// shard.
  Mode mode = Mode::evaluate;
  std::int64_t shard_size = 0;             ///< rows a shard; 0: in training all, else 512 or fewer
  std::vector<FactoredLayer> layers = {};  ///< whose factors are asked for
  Device* far = nullptr;                   ///< where they are computed, if not here: then results are with it
};

/// Value, gradient, Hessian and Gauss-Newton products of the mean loss, sum(loss) / sum(weight) over the rows. They are
/// products of the objective alone, without the penalty that an optimizer adds (weight decay).
///
/// A point is a State: its parameters, and its seed and step for random draws. Vectors are flat, of
/// layout->trained_size elements of the state's dtype: for products in f64, pass a state in f64 (state_in). Each
/// product is planned once for each number of rows of a shard; the bits are the same for any number of threads. Each
/// also returns the loss; a loss that is not finite is no error here. On a device each product waits for its loss.
class Products {
 public:
  /// The workers must outlive this.
  Products(EvaluationFunction function, Workers& workers, ProductOptions options = {});

  [[nodiscard]] double value(const State& at, const RowSelection& rows);
  /// `gradient` is overwritten, and resized where it does not fit.
  double gradient(const State& at, const RowSelection& rows, Tensor& gradient);
  /// H v.
  double hessian_times(const State& at, const RowSelection& rows, const Tensor& v, Tensor& product);
  /// G v with G = J^T H_L J, which is positive semi-definite for a loss that is convex in the model's output. Throws
  /// UsageError for an objective without a model.
  double gauss_newton_times(const State& at, const RowSelection& rows, const Tensor& v, Tensor& product);
  /// Of each layer in the options the mean of a a^T over what enters it, and then of each that of s s^T over slopes at
  /// what leaves it: see factor_sums. For an objective that with_drawn_labels makes.
  double factors(const State& at, const RowSelection& rows, Tensor& factors);

  /// Rows of a shard from the next product on: ProductOptions::shard_size.
  void set_shard_size(std::int64_t rows) { options_.shard_size = rows; }
  /// Floating-point operations of a product for one row, as the rows of the op table count them.
  [[nodiscard]] double operations_a_row(const State& at, const Dataset& rows, Product product = Product::value);
  /// Rows of all shards but the last. Depends on the rows and the model alone, and is the same for every product.
  [[nodiscard]] std::int64_t rows_a_shard(const State& at, const RowSelection& rows);
  /// What the loss was divided by in the last product.
  [[nodiscard]] double weight() const { return weight_; }
  [[nodiscard]] Workers& workers() const { return workers_; }

 private:
  struct Plans {
    const ProductProgram *whole, *last;
    std::int64_t shards;
  };
  double run(Product product, const State& at, const RowSelection& rows, const Tensor* vector, Tensor* result);
  /// Sums over all shards: the result, at the beginning of a block, with the loss and the weight.
  struct Total {
    Block block;
    double loss = 0, weight = 0;
  };
  Total sum_here(const Plans& plans, const State& at, const RowSelection& rows, const Tensor* vector);
  Total sum_there(const Plans& plans, const State& at, const RowSelection& rows, const Tensor* vector);
  /// Portions of the rows, one after another, and the number of the first shard of each; all at once where they are in
  /// memory.
  template <class F>
  void in_portions(const Plans& plans, const RowSelection& rows, const F& f);
  void run_shards(const Plans& plans, TreeSum& tree, const State& at, const RowSelection& rows,
                  std::int64_t first_shard, const Tensor* vector);
  [[nodiscard]] Plans plans_for(Product product, const State& at, const RowSelection& rows);
  const ProductProgram& of_rows(Product product, std::int64_t rows, const Dataset& data, const Layout& layout);

  EvaluationFunction function_;
  Workers& workers_;
  ProductOptions options_;
  BlockPool pool_;
  std::shared_ptr<const Layout> layout_;  // of the programs
  std::vector<std::unique_ptr<const ProductProgram>> programs_;
  double weight_ = 0;
  /// For a device that is not here.
  struct There {
    There(Device& device, Workers& workers) : pool(&device), rows(device), vectors(&device, workers) {}
    BlockPool pool;
    RowsThere rows;
    Vectors vectors;
    std::vector<std::byte*> bases = {};
    std::vector<std::byte> random = {};
    Block numbers = {};
  };
  std::optional<There> there_;
};

/// The same point with its parameters in another dtype, without slots: the products' own arithmetic follows.
[[nodiscard]] State state_in(DType dtype, const State& state);

}  // namespace thalweg
