#include "engine/row_table.hpp"

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "engine/engine.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

/// Apart from the slots of the update, which an objective's name or none begins.
constexpr std::string_view table_name = "rows:gradients";

Tensor* table_in(State& state) {
  for (auto& [name, values] : state.slots) {
    if (name == table_name) return &values;
  }
  return nullptr;
}

/// row = gradient; gradient -= what it was.
template <class T>
void replace(T* gradient, T* row, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) {
    const T before = row[i];
    row[i] = gradient[i];
    gradient[i] -= before;
  }
}

std::string memory_text(std::int64_t bytes) {
  constexpr double kibi = 1 << 10;
  const double size = static_cast<double>(bytes) / kibi;
  if (size < kibi) return fmt::format("{:.1f} KiB", size);
  return size < kibi * kibi ? fmt::format("{:.1f} MiB", size / kibi) : fmt::format("{:.1f} GiB", size / kibi / kibi);
}

}  // namespace

std::string row_table_text(const Optimizer& optimizer, std::int64_t rows, std::int64_t parameters, DType dtype) {
  return fmt::format("{}: a gradient of each of {} rows, {} numbers, {}", optimizer.name, with_commas(rows),
                     with_commas(parameters),
                     memory_text(rows * parameters * static_cast<std::int64_t>(size_of(dtype))));
}

std::int64_t row_table_bytes(const Optimizer& optimizer, std::int64_t rows, std::int64_t parameters, DType dtype) {
  const Asks asks = asks_of(optimizer);
  if (!asks.per_row) return 0;
  const std::int64_t bytes = rows * parameters * static_cast<std::int64_t>(size_of(dtype));
  if (static_cast<double>(bytes) > asks.most_bytes) {
    fail<UsageError>("[{}] {}. Wanted: at most {}. Hint: svrg needs two vectors; {}.most_mib allows more.",
                     optimizer.name, row_table_text(optimizer, rows, parameters, dtype),
                     memory_text(static_cast<std::int64_t>(asks.most_bytes)), optimizer.name);
  }
  return bytes;
}

std::optional<std::string> Engine::add_row_table(State& state, std::int64_t rows) {
  if (!asks_of(optimizer(0)).per_row) return std::nullopt;
  prepare(state);
  if (!guide_) guide_.emplace(step_.objectives.front().layout);
  const std::int64_t size = guide_->size();
  (void)row_table_bytes(optimizer(0), rows, size, state.layout->dtype);
  const Tensor* known = table_in(state);
  if (known && known->size() != rows * size) {
    fail<UsageError>(
        "[{}] the state's table has {} numbers, and {} rows of {} are trained on. Hint: state.slots.clear().",
        optimizer(0).name, known->size(), rows, size);
  }
  if (!known) state.slots.emplace_back(table_name, zeros({rows * size}, state.layout->dtype));
  return row_table_text(optimizer(0), rows, size, state.layout->dtype);
}

Engine::Sums Engine::sums_by_table(State& state, const RowSelection& batch, const BatchPrograms& programs) {
  Tensor* table = table_in(state);
  const std::int64_t size = guide_->size(), rows = batch.count();
  if (!table || table->size() != batch.data.rows() * size)
    fail<UsageError>("[{}] it keeps a gradient of each row, and these are others. Hint: Trainer::fit.",
                     optimizer(0).name);
  const bool random = programs.whole->is_random();
  // of a single row it is not to be seen whether rows are kept apart
  const bool mixes = programs.whole->rows() > 1 && !programs.whole->is_separable();
  if (random || mixes || !programs.whole->movements().empty()) {
    fail<UsageError>(
        "[{}] the model {}, and so a row has no gradient of its own. Wanted: a loss that is a mean over rows. "
        "Hint: adam.",
        optimizer(0).name, random ? "draws random numbers" : "mixes rows");
  }
  const ShardProgram& one = programs_.of_a_row(state, step_, batch.data);
  const DType dtype = state.layout->dtype;
  const std::int64_t doubles = one.doubles();
  const std::size_t bytes = TreeSum::block_bytes(step_.size, dtype, doubles);
  const std::size_t sums_at = TreeSum::doubles_at(step_.size, dtype),
                    row_bytes = static_cast<std::size_t>(size) * size_of(dtype);
  std::byte* kept = table->mutable_raw();
  TreeSum tree(rows, step_.size, dtype, doubles, crew_->pool, crew_->workers);
  crew_->workers.run(rows, [&](std::int64_t i) {
    auto block = crew_->pool.take(bytes);
    const auto memory = crew_->pool.take(one.memory_bytes());
    one.run({state, batch, i, block.data(), reinterpret_cast<double*>(block.data() + sums_at)}, memory.data(),
            crew_->workers);
    const std::int64_t row = batch.rows.empty() ? i : batch.rows[static_cast<std::size_t>(i)];
    std::byte* own = kept + static_cast<std::size_t>(row) * row_bytes;
    if (dtype == f32) {
      replace(reinterpret_cast<float*>(block.data()), reinterpret_cast<float*>(own), size);
    } else {
      replace(reinterpret_cast<double*>(block.data()), reinterpret_cast<double*>(own), size);
    }
    tree.add(i, block.release());
  });
  Block total = tree.take_total();
  const auto* numbers = reinterpret_cast<const double*>(total.data() + sums_at);
  Sums result{total.data(), numbers, std::move(total)};
  std::byte* mean = objectives_.front().updater.slot(state, ".mean");
  const double all = divisors_[0] / static_cast<double>(rows) * static_cast<double>(batch.data.rows());
  const Elements change{gradient_of(0, result, state), size, dtype}, average{mean, size, dtype};
  Tensor moved({size}, dtype);
  copy(change, moved);
  add(change, divisors_[0], average);
  add(average, 1 / all, moved);
  return result;
}

}  // namespace thalweg
