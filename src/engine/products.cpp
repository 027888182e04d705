#include "engine/products.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "data/read_ahead.hpp"
#include "engine/check_state.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_rows = 512;                      // per shard, or as many as have values of
constexpr std::int64_t most_bytes = std::int64_t{32} << 20;  // so many bytes in the forward pass
constexpr std::int64_t portion_shards = 4;                   // read at once of a dataset that streams

void expect_vector(const Tensor& v, const Layout& layout) {
  if (v.size() == layout.trained_size && v.dtype() == layout.dtype) return;
  fail<UsageError>("[curvature] a vector of {} {}. Wanted: {} ({}), as the trained parameters are", v.dtype(),
                   v.shape(), layout.dtype, layout.trained_size);
}

/// The sum over shards divided by the weight.
template <class T>
void divide(const std::byte* sum, double weight, Tensor& result) {
  const auto* from = reinterpret_cast<const T*>(sum);
  const std::span<T> into = result.mutable_values<T>();
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<T>(static_cast<double>(from[i]) / weight);
}

}  // namespace

Products::Products(EvaluationFunction function, Workers& workers, ProductOptions options)
    : function_(std::move(function)), workers_(workers), options_(options) {}

double Products::value(const State& at, const RowSelection& rows) {
  return run(Product::value, at, rows, nullptr, nullptr);
}

double Products::gradient(const State& at, const RowSelection& rows, Tensor& gradient) {
  return run(Product::gradient, at, rows, nullptr, &gradient);
}

double Products::hessian_times(const State& at, const RowSelection& rows, const Tensor& v, Tensor& product) {
  return run(Product::hessian, at, rows, &v, &product);
}

double Products::gauss_newton_times(const State& at, const RowSelection& rows, const Tensor& v, Tensor& product) {
  return run(Product::gauss_newton, at, rows, &v, &product);
}

double Products::factors(const State& at, const RowSelection& rows, Tensor& factors) {
  return run(Product::factors, at, rows, nullptr, &factors);
}

double Products::run(Product product, const State& at, const RowSelection& rows, const Tensor* vector, Tensor* result) {
  const FlushDenormals flush;
  if (rows.count() == 0) fail<UsageError>("[curvature] a batch of no rows");
  check_parameters(at);
  const Layout& layout = *at.layout;
  if (vector) expect_vector(*vector, layout);
  const Plans plans = plans_for(product, at, rows);
  const std::int64_t values = plans.whole->result_size();
  TreeSum tree(plans.shards, values, layout.dtype, shard_doubles, pool_, workers_);
  if (!rows.data.streams()) {
    run_shards(plans, tree, at, rows, 0, vector);
  } else {
    std::vector<std::int64_t> all(rows.rows.begin(), rows.rows.end());
    if (all.empty()) {
      all.resize(static_cast<std::size_t>(rows.count()));
      std::iota(all.begin(), all.end(), 0);
    }
    const std::int64_t portion = portion_shards * plans.whole->rows();  // whole shards, so that the sum is the same
    data::ReadAhead ahead(rows.data, data::in_portions(std::move(all), portion), workers_.threads());
    for (std::int64_t shard = 0; shard < plans.shards; shard += portion_shards) {
      const Dataset read = ahead.next();
      run_shards(plans, tree, at, {read}, shard, vector);
    }
  }
  Block total = tree.take_total();
  const auto* sums = reinterpret_cast<const double*>(total.data() + TreeSum::doubles_at(values, layout.dtype));
  const double loss = sums[0] / sums[1];
  weight_ = sums[1];
  if (result) {
    if (result->size() != values || result->dtype() != layout.dtype) *result = Tensor({values}, layout.dtype);
    layout.dtype == f32 ? divide<float>(total.data(), weight_, *result)
                        : divide<double>(total.data(), weight_, *result);
  }
  pool_.give_back(std::move(total));
  return loss;
}

void Products::run_shards(const Plans& plans, TreeSum& tree, const State& at, const RowSelection& rows,
                          std::int64_t first_shard, const Tensor* vector) {
  const std::int64_t size = plans.whole->rows(), here = (rows.count() + size - 1) / size;
  const std::int64_t values = plans.whole->result_size();
  const std::size_t bytes = TreeSum::block_bytes(values, at.layout->dtype, shard_doubles);
  const std::size_t sums_at = TreeSum::doubles_at(values, at.layout->dtype);
  workers_.run(here, [&](std::int64_t i) {
    const std::int64_t shard = first_shard + i;
    const ProductProgram& program = shard + 1 < plans.shards ? *plans.whole : *plans.last;
    auto block = pool_.take(bytes);
    const auto memory = pool_.take(program.memory_bytes());
    program.run({.state = at,
                 .batch = rows,
                 .begin = i * size,
                 .place = shard * size,
                 .vector = vector ? vector->raw() : nullptr,
                 .result = block.data(),
                 .sums = reinterpret_cast<double*>(block.data() + sums_at)},
                memory.data(), workers_);
    tree.add(shard, block.release());
  });
}

Products::Plans Products::plans_for(Product product, const State& at, const RowSelection& rows) {
  if (layout_ && layout_ != at.layout && !same_places(*layout_, *at.layout)) programs_.clear();
  layout_ = at.layout;
  const std::int64_t count = rows.count(), size = rows_a_shard(at, rows), shards = (count + size - 1) / size;
  return {&of_rows(product, size, rows.data, *at.layout),
          &of_rows(product, count - (shards - 1) * size, rows.data, *at.layout), shards};
}

std::int64_t Products::rows_a_shard(const State& at, const RowSelection& rows) {
  const std::int64_t count = rows.count();
  std::int64_t size = std::min(count, options_.shard_size > 0        ? options_.shard_size
                                      : options_.mode == Mode::train ? default_shard_size(count, at.layout->size)
                                                                     : most_rows);
  const auto forward = [&] { return &of_rows(Product::value, size, rows.data, *at.layout); };
  if (!forward()->is_separable()) return count;
  if (options_.shard_size > 0 || options_.mode == Mode::train) return size;
  while (size > 1 && forward()->value_bytes() > most_bytes) size = (size + 1) / 2;
  return size;
}

double Products::operations_a_row(const State& at, const Dataset& rows, Product product) {
  const ProductProgram& program = *plans_for(product, at, {rows}).whole;
  return static_cast<double>(program.operations()) / static_cast<double>(program.rows());
}

const ProductProgram& Products::of_rows(Product product, std::int64_t rows, const Dataset& data, const Layout& layout) {
  for (const auto& known : programs_) {
    if (known->is_for(product, rows, data, layout.dtype)) return *known;
  }
  programs_.push_back(std::make_unique<ProductProgram>(function_, product, options_.mode, rows, columns_of(data),
                                                       layout, options_.layers));
  return *programs_.back();
}

State state_in(DType dtype, const State& state) {
  check_parameters(state);
  State result;
  auto layout = std::make_shared<Layout>(*state.layout);
  layout->dtype = dtype;
  result.layout = std::move(layout);
  result.parameters = state.parameters.to(dtype);
  result.step = state.step;
  result.seed = state.seed;
  return result;
}

}  // namespace thalweg
