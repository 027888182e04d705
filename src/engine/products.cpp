#include "engine/products.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "data/read_ahead.hpp"
#include "engine/check_state.hpp"
#include "engine/random_block.hpp"
#include "kernels/rows.hpp"

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
    : function_(std::move(function)), workers_(workers), options_(options) {
  if (options_.far) there_.emplace(*options_.far, workers_);
}

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
  Total total;
  try {
    total = there_ ? sum_there(plans, at, rows, vector) : sum_here(plans, at, rows, vector);
  } catch (const IndexError&) {
    if (!there_) throw;
    ProductOptions here = options_;
    here.far = nullptr;
    (void)Products(function_, workers_, here).run(product, at, rows, vector, nullptr);  // which names the place
    throw;
  }
  weight_ = total.weight;
  if (result) {
    if (result->size() != values || result->dtype() != layout.dtype) *result = Tensor({values}, layout.dtype);
    if (there_) {
      std::byte* const into = Mirrored::write_there(*options_.far, *result);
      there_->vectors.divide({total.block.data(), values, layout.dtype}, weight_, {into, values, layout.dtype});
    } else {
      layout.dtype == f32 ? divide<float>(total.block.data(), weight_, *result)
                          : divide<double>(total.block.data(), weight_, *result);
    }
  }
  (there_ ? there_->pool : pool_).give_back(std::move(total.block));
  return total.loss / weight_;
}

namespace {

std::vector<std::int64_t> numbers_of(const RowSelection& rows) {
  std::vector<std::int64_t> numbers(rows.rows.begin(), rows.rows.end());
  if (numbers.empty()) {
    numbers.resize(static_cast<std::size_t>(rows.count()));
    std::iota(numbers.begin(), numbers.end(), 0);
  }
  return numbers;
}

}  // namespace

template <class F>
void Products::in_portions(const Plans& plans, const RowSelection& rows, const F& f) {
  if (!rows.data.streams() && !there_) return f(rows, 0);
  std::vector<std::int64_t> all = numbers_of(rows);
  if (!rows.data.streams()) {
    // All rows are asked for again and again, and go there once; those of a batch are sent each time.
    if (rows.rows.empty()) return f({rows.data, all}, 0);
    const Dataset chosen = rows.data.select(all);
    return f({chosen}, 0);
  }
  const std::int64_t portion = portion_shards * plans.whole->rows();  // whole shards, so that the sum is the same
  data::ReadAhead ahead(rows.data, data::in_portions(std::move(all), portion), workers_.threads());
  for (std::int64_t shard = 0; shard < plans.shards; shard += portion_shards) {
    const Dataset read = ahead.next();
    f(RowSelection{read}, shard);
  }
}

Products::Total Products::sum_here(const Plans& plans, const State& at, const RowSelection& rows,
                                   const Tensor* vector) {
  const std::int64_t values = plans.whole->result_size();
  const DType dtype = at.layout->dtype;
  TreeSum tree(plans.shards, values, dtype, shard_doubles, pool_, workers_);
  in_portions(plans, rows,
              [&](const RowSelection& part, std::int64_t first) { run_shards(plans, tree, at, part, first, vector); });
  Block total = tree.take_total();
  const auto* sums = reinterpret_cast<const double*>(total.data() + TreeSum::doubles_at(values, dtype));
  const double loss = sums[0], weight = sums[1];
  return {std::move(total), loss, weight};
}

/// The shards one after another, as a device runs them.
Products::Total Products::sum_there(const Plans& plans, const State& at, const RowSelection& rows,
                                    const Tensor* vector) {
  Device& device = *options_.far;
  const std::int64_t values = plans.whole->result_size();
  const DType dtype = at.layout->dtype;
  constexpr std::size_t each = shard_doubles * sizeof(double);
  const std::size_t bytes = TreeSum::block_bytes(values, dtype, 0);
  const BytesThere parameters(device, at.parameters);
  std::optional<BytesThere> multiplied;
  if (vector) multiplied.emplace(device, *vector);
  std::vector<std::byte> raw(each * static_cast<std::size_t>(plans.shards));
  if (there_->numbers.size() < raw.size()) there_->numbers = Block(raw.size(), &device);
  const TreeSum::Join join = there_->vectors.joining(values, dtype);
  TreeSum tree(plans.shards, values, dtype, 0, there_->pool, workers_, &join);
  const auto memory = there_->pool.take(std::max(plans.whole->memory_bytes(), plans.last->memory_bytes()));
  in_portions(plans, rows, [&](const RowSelection& part, std::int64_t first) {
    const std::int64_t size = plans.whole->rows(), shards = (part.count() + size - 1) / size;
    for (std::int64_t i = 0; i < shards; ++i) {
      const std::int64_t shard = first + i;
      const ProductProgram& program = shard + 1 < plans.shards ? *plans.whole : *plans.last;
      auto block = there_->pool.take(bytes);
      there_->bases.resize(ProductProgram::first_column + program.columns());
      if (program.is_random()) {
        there_->random.resize(random_block_bytes(program.rows()));
        fill_random_block(there_->random.data(), {at.seed, at.step, shard * size}, program.rows());
        device.write(memory.data() + program.random_at(), there_->random.data(), there_->random.size());
      }
      there_->rows.place(part, i * size, program.rows(), memory.data() + program.columns_at(),
                         there_->bases.data() + ProductProgram::first_column, workers_);
      program.run_there(
          {parameters.data(), multiplied ? multiplied->data() : nullptr, block.data(), memory.data(), there_->bases},
          workers_);
      device.copy_there(there_->numbers.data() + static_cast<std::size_t>(shard) * each,
                        memory.data() + program.sums_at(), each);
      tree.add(shard, block.release());
    }
  });
  Total total{tree.take_total()};
  device.fetch(raw.data(), there_->numbers.data(), raw.size());
  const auto sums = sum_of_numbers(plans.shards, shard_doubles, pool_, workers_, [&](std::int64_t i, double* numbers) {
    const ProductProgram& program = i + 1 < plans.shards ? *plans.whole : *plans.last;
    program.read_sums(raw.data() + static_cast<std::size_t>(i) * each, numbers);
  });
  total.loss = sums[0], total.weight = sums[1];
  return total;
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
                                      : options_.mode == Mode::train ? count
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
                                                       layout, options_.layers,
                                                       options_.far ? *options_.far : this_cpu()));
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
