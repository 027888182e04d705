#include "engine/row_table.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "core/numbers.hpp"
#include "engine/engine.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t traced_rows = 2;

// A name of its own, unlike the slots of the update, which begin with an objective's name or with none.
constexpr std::string_view gradients_name = "rows:gradients", slopes_name = "rows:slopes";

Tensor* table_in(State& state, std::string_view name) {
  const auto slot = std::ranges::find(state.slots, name, &std::pair<std::string, Tensor>::first);
  return slot == state.slots.end() ? nullptr : &slot->second;
}

/// row = gradient; gradient -= the old row.
template <class T>
void replace(T* gradient, T* row, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) {
    const T before = row[i];
    row[i] = gradient[i];
    gradient[i] -= before;
  }
}

/// change += divisor mean, and mean += change / all.
template <class T>
void take_in(T* change, T* mean, std::int64_t size, double divisor, double all) {
  for (std::int64_t i = 0; i < size; ++i) {
    const auto moved = static_cast<double>(change[i]), before = static_cast<double>(mean[i]);
    change[i] = static_cast<T>(moved + divisor * before);
    mean[i] = static_cast<T>(before + moved / all);
  }
}

std::string memory_text(std::int64_t bytes) {
  constexpr double kibi = 1 << 10;
  const double size = static_cast<double>(bytes) / kibi;
  if (size < kibi) return fmt::format("{:.1f} KiB", size);
  return size < kibi * kibi ? fmt::format("{:.1f} MiB", size / kibi) : fmt::format("{:.1f} GiB", size / kibi / kibi);
}

}  // namespace

SagaTable row_table(std::int64_t rows, std::int64_t parameters, std::int64_t slopes, DType dtype) {
  const bool few = slopes > 0 && slopes < parameters;
  return {rows, few ? slopes : parameters, few, dtype};
}

SagaTable row_table_of(const EvaluationFunction& function, const Optimizer& optimizer, const Layout& layout,
                       const Dataset& data, std::int64_t rows) {
  const Layout trained = stepped_part(optimizer, layout);
  std::set<std::string> names;
  for (const ParameterEntry& entry : trained.entries) {
    if (!entry.frozen) names.insert(entry.name);
  }
  const std::int64_t slopes =
      slopes_a_row(function, columns_of(data), std::min(rows, traced_rows), layout.dtype, names);
  return row_table(rows, trained.trained_size, slopes, layout.dtype);
}

void check_row_table(const Optimizer& optimizer, const SagaTable& table) {
  const double most = asks_of(optimizer).most_bytes;
  if (static_cast<double>(table.bytes()) <= most) return;
  fail<UsageError>("[{}] {}. Wanted: at most {}. Hint: svrg needs two vectors; {}.most_mib allows more.",
                   optimizer.name, row_table_text(optimizer, table), memory_text(static_cast<std::int64_t>(most)),
                   optimizer.name);
}

std::string row_table_text(const Optimizer& optimizer, const SagaTable& table) {
  return fmt::format("{}: a {} of each of {} rows, {} number{}, {}", optimizer.name,
                     table.slopes ? "slope at each output" : "gradient", with_commas(table.rows),
                     with_commas(table.numbers), table.numbers == 1 ? "" : "s", memory_text(table.bytes()));
}

std::optional<std::string> Engine::add_row_table(State& state, std::int64_t rows) {
  if (!asks_of(optimizer(0)).per_row) return std::nullopt;
  prepare(state);
  make_guide();
  const std::int64_t size = guide_->size();
  SagaTable table = row_table(rows, size, objectives_.front().slopes, state.layout->dtype);
  const Tensor* known = table_in(state, slopes_name);
  if (!known) {
    known = table_in(state, gradients_name);
    if (known) table = row_table(rows, size, 0, state.layout->dtype);  // the table keeps the form in which it began
  }
  check_row_table(optimizer(0), table);
  if (known && known->size() != table.size()) {
    fail<UsageError>(
        "[{}] the state's table has {} numbers, and {} rows of {} are trained on. Hint: state.slots.clear().",
        optimizer(0).name, known->size(), rows, table.numbers);
  }
  if (!known) state.slots.emplace_back(table.slopes ? slopes_name : gradients_name, zeros({table.size()}, table.dtype));
  return row_table_text(optimizer(0), table);
}

Engine::Sums Engine::sums_by_table(State& state, const RowSelection& batch, const BatchPrograms& programs) {
  const std::int64_t size = guide_->size(), rows = batch.count(), all = batch.data.rows();
  Tensor *slopes = table_in(state, slopes_name), *gradients = table_in(state, gradients_name);
  const std::int64_t wanted = all * (slopes ? objectives_.front().slopes : size);
  const Tensor* table = slopes ? slopes : gradients;
  if (!table || table->size() != wanted)
    fail<UsageError>("[{}] the state has no table for these {} rows. Hint: Trainer::fit.", optimizer(0).name, all);
  Sums result =
      slopes ? sums_by_slopes(state, batch, programs, *slopes) : sums_by_gradients(state, batch, programs, *gradients);
  const double divisor = divisors_[0], of_all = divisor / static_cast<double>(rows) * static_cast<double>(all);
  std::byte* mean = objectives_.front().updater.slot(state, ".mean");
  if (far_) return take_in_there(std::move(result), mean, divisor, of_all);
  if (state.layout->dtype == f32) {
    take_in(reinterpret_cast<float*>(result.gradient), reinterpret_cast<float*>(mean), size, divisor, of_all);
  } else {
    take_in(reinterpret_cast<double*>(result.gradient), reinterpret_cast<double*>(mean), size, divisor, of_all);
  }
  return result;
}

Engine::Sums Engine::sums_by_gradients(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                       Tensor& table) {
  const std::int64_t size = guide_->size(), rows = batch.count();
  const bool random = programs.whole->is_random();
  // a single row does not show whether the model mixes rows
  const bool mixes = programs.whole->rows() > 1 && !programs.whole->is_separable();
  if (random || mixes || !programs.whole->movements().empty()) {
    fail<UsageError>(
        "[{}] the model {}, and so a row has no gradient of its own. Wanted: a loss that is a mean over rows. "
        "Hint: adam.",
        optimizer(0).name, random ? "draws random numbers" : "mixes rows");
  }
  const ShardProgram& one = programs_.of_a_row(state, step_, batch.data);
  if (far_) return sums_by_gradients_there(state, batch, one, table);
  const DType dtype = state.layout->dtype;
  const std::int64_t doubles = one.doubles();
  const std::size_t bytes = TreeSum::block_bytes(step_.size, dtype, doubles);
  const std::size_t sums_at = TreeSum::doubles_at(step_.size, dtype),
                    row_bytes = static_cast<std::size_t>(size) * size_of(dtype);
  std::byte* kept = table.mutable_raw();
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
  return {total.data(), nullptr, std::move(total)};
}

/// The table is with the device, and so is what becomes of each row's gradient.
Engine::Sums Engine::sums_by_gradients_there(State& state, const RowSelection& batch, const ShardProgram& one,
                                             Tensor& table) {
  const std::int64_t size = guide_->size(), rows = batch.count();
  const DType dtype = state.layout->dtype;
  const std::size_t row_bytes = static_cast<std::size_t>(size) * size_of(dtype);
  Vectors& vectors = guide_->vectors;
  std::byte* const kept = Mirrored::write_there(*far_, table);
  const Block numbers(static_cast<std::size_t>(one.doubles()) * sizeof(double), far_);
  const TreeSum::Join join = vectors.joining(size, dtype);
  TreeSum tree(rows, size, dtype, 0, crew_->there, crew_->workers, &join);
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t row = batch.rows.empty() ? i : batch.rows[static_cast<std::size_t>(i)];
    Block gradient = sums_there_->start(state, {batch.data, {&row, 1}}, {&one, &one, 1}, step_, numbers.data(),
                                        crew_->workers, true);
    auto change = crew_->there.take(TreeSum::block_bytes(size, dtype, 0));
    const Elements own{kept + static_cast<std::size_t>(row) * row_bytes, size, dtype};
    const ConstElements now{gradient.data(), size, dtype};
    vectors.move(now, -1, own, {change.data(), size, dtype});
    vectors.copy(now, own);
    crew_->there.give_back(std::move(gradient));
    tree.add(i, change.release());
  }
  Block total = tree.take_total();
  return {total.data(), nullptr, std::move(total)};
}

Engine::Sums Engine::take_in_there(Sums change, std::byte* mean, double divisor, double all) {
  const std::int64_t size = guide_->size();
  const DType dtype = layout_->dtype;
  Block total = crew_->there.take(TreeSum::block_bytes(size, dtype, 0)).release();
  const ConstElements moved{change.gradient, size, dtype};
  const Elements before{mean, size, dtype};
  guide_->vectors.move(moved, divisor, before, {total.data(), size, dtype});
  guide_->vectors.add_quotient(before, moved, all, before);
  give_back(std::move(change));
  return {total.data(), nullptr, std::move(total)};
}

Engine::Sums Engine::sums_by_slopes(State& state, const RowSelection& batch, const BatchPrograms& programs,
                                    Tensor& table) {
  const std::int64_t size = guide_->size();
  const DType dtype = state.layout->dtype;
  const auto program_for = [&](std::int64_t rows) -> const SlopeProgram& {
    for (const auto& known : guide_->slope_programs) {
      if (known->is_for(rows, batch.data)) return *known;
    }
    return *guide_->slope_programs.emplace_back(std::make_unique<SlopeProgram>(
        functions_[0], rows, columns_of(batch.data), step_.objectives.front().layout, programs_.precision(), device()));
  };
  const SlopeProgram &whole = program_for(programs.whole->rows()), &last = program_for(programs.last->rows());
  const std::size_t bytes = TreeSum::block_bytes(size, dtype, 0);
  std::byte* kept = table.mutable_raw();
  const TreeSum::Join join = guide_->vectors.joining(size, dtype);
  BlockPool& pool = far_ ? crew_->there : crew_->pool;
  TreeSum tree(programs.shards, size, dtype, 0, pool, crew_->workers, far_ ? &join : nullptr);
  const auto run = [&](std::int64_t i) {
    const SlopeProgram& program = i + 1 < programs.shards ? whole : last;
    auto block = pool.take(bytes);
    const auto memory = pool.take(program.memory_bytes());
    const SlopeProgram::Call call{state, batch, programs.first_row(i), kept, block.data()};
    if (far_) {
      program.run_there(call, sums_there_->rows(), memory.data(), crew_->workers);
    } else {
      program.run(call, memory.data(), crew_->workers);
    }
    tree.add(i, block.release());
  };
  if (far_) {  // one after another, as the device runs them
    for (std::int64_t i = 0; i < programs.shards; ++i) run(i);
  } else {
    crew_->workers.run(programs.shards, run);
  }
  Block total = tree.take_total();
  return {total.data(), nullptr, std::move(total)};
}

}  // namespace thalweg
