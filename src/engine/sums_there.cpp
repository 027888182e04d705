#include "engine/sums_there.hpp"

#include <algorithm>

#include "core/mirrored.hpp"
#include "engine/random_block.hpp"
#include "engine/small_program.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

SumsThere::SumsThere(Device& device, BlockPool& there) : device_(device), there_(there), rows_(device) {}
SumsThere::~SumsThere() = default;

const TreeSum::Join& SumsThere::adder(std::int64_t values, DType dtype, Workers& workers) {
  if (adder_.values == values && adder_.dtype == dtype) return adder_.join;
  SmallProgram add;
  const Place into_at{first_user_base, 0}, from_at{first_user_base + 1, 0};
  add.write(add.read(into_at, dtype, {values}) + add.read(from_at, dtype, {values}), into_at);
  adder_.values = -1;  // of no size until it is whole
  adder_.dtype = dtype;
  adder_.program.emplace(add.planned(device_));
  adder_.arena = Block(adder_.program->arena_bytes(), &device_);
  adder_.join = [this, &workers](std::byte* into, const std::byte* from) {
    std::byte* const bases[] = {into, const_cast<std::byte*>(from)};
    adder_.program->run(bases, adder_.arena.data(), workers);
  };
  adder_.values = values;
  return adder_.join;
}

void SumsThere::run_shard(const State& state, const RowSelection& batch, const ShardProgram& program,
                          std::int64_t begin, const ShardProgram::CallThere& call, Workers& workers) {
  if (program.is_random()) {
    random_.resize(random_block_bytes(program.rows()));
    fill_random_block(random_.data(), {state.seed, state.step, begin}, program.rows());
    device_.write(call.memory + program.random_at(), random_.data(), random_.size());
  }
  bases_.resize(ShardProgram::first_column + program.columns().size());
  rows_.place(batch, begin, program.rows(), call.memory + program.columns_at(),
              bases_.data() + ShardProgram::first_column, workers);
  program.run_there(call, workers);
}

Program::Calls* SumsThere::calls_of(const ShardProgram& program, std::int64_t shard, bool apart) {
  const std::tuple key(&program, shard, apart);
  if (const auto known = calls_.find(key); known != calls_.end()) return &known->second;
  return calls_.size() < most_recorded ? &calls_[key] : nullptr;
}

Block SumsThere::start(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                       const StepLayout& step, std::byte* numbers, Workers& workers, bool apart) {
  const DType dtype = state.layout->dtype;
  const std::size_t each = numbers_bytes(programs);
  const BytesThere parameters(device_, state.parameters);
  TreeSum tree(programs.shards, step.size, dtype, 0, there_, workers, &adder(step.size, dtype, workers));
  const std::size_t gradient_bytes = TreeSum::block_bytes(step.size, dtype, 0);
  auto first = there_.take_exactly(gradient_bytes);  // before the memory: it is the same for all programs
  const auto memory = there_.take(std::max(programs.whole->memory_bytes(), programs.last->memory_bytes()));
  for (std::int64_t i = 0; i < programs.shards; ++i) {
    auto gradient = i == 0 ? std::move(first) : there_.take_exactly(gradient_bytes);
    const ShardProgram& program = programs.of(i);
    run_shard(state, batch, program, programs.first_row(i),
              {parameters.data(), gradient.data(), memory.data(), bases_, calls_of(program, i, apart)}, workers);
    device_.copy_there(numbers + static_cast<std::size_t>(i) * each, memory.data() + program.sums_at(), each);
    tree.add(i, gradient.release());
  }
  return tree.take_total();
}

SumsThere::Total SumsThere::operator()(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                                       const StepLayout& step, BlockPool& here, Workers& workers, bool apart) {
  raw_.assign(numbers_bytes(programs) * static_cast<std::size_t>(programs.shards), {});
  if (numbers_.size() < raw_.size()) numbers_ = Block(raw_.size(), &device_);
  Total total{start(state, batch, programs, step, numbers_.data(), workers, apart), {}};
  try {
    device_.fetch(raw_.data(), numbers_.data(), raw_.size());
  } catch (...) {
    there_.give_back(std::move(total.gradient));
    throw;
  }
  total.numbers = joined(raw_.data(), programs, here, workers);
  return total;
}

std::vector<double> SumsThere::joined(const std::byte* raw, const BatchPrograms& programs, BlockPool& here,
                                      Workers& workers) {
  const std::size_t each = numbers_bytes(programs);
  return sum_of_numbers(programs.shards, programs.whole->doubles(), here, workers,
                        [&](std::int64_t i, double* numbers) {
                          programs.of(i).read_sums(raw + static_cast<std::size_t>(i) * each, numbers);
                        });
}

void SumsThere::plan_mover(const State& state, const std::vector<Movement>& movements, const StepLayout& step) {
  const Layout& layout = *state.layout;
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  const std::int64_t first = layout.size - layout.statistics_size;
  Mover mover;
  mover.layout = state.layout;
  SmallProgram program;
  const Var go = program.read({first_user_base + 3, 0}, f64);
  for (const Movement& m : movements) {
    const Place value{first_user_base, m.offset * element},
        observed{first_user_base + 1, (step.statistics_at + m.offset - first) * element},
        rows{first_user_base + 2, std::ssize(mover.offsets) * static_cast<std::int64_t>(sizeof(double))};
    const Var old = program.read_wide(value, layout.dtype, {m.size});
    const Var mean = program.read_wide(observed, layout.dtype, {m.size}) / program.read(rows, f64);
    const Var moved = old + program.number(m.momentum) * (mean - old);
    program.write(cast(where(not_equal(go, 0), moved, old), layout.dtype), value);
    mover.offsets.push_back(m.offset);
  }
  mover.program.emplace(program.planned(device_));
  mover.arena = Block(mover.program->arena_bytes(), &device_);
  mover.rows = Block(movements.size() * sizeof(double), &device_);
  mover.one = Block(sizeof(double), &device_);
  const double one = 1;
  device_.write(mover.one.data(), reinterpret_cast<const std::byte*>(&one), sizeof(one));
  mover_ = std::move(mover);
}

void SumsThere::move_statistics(State& state, const BatchPrograms& programs, const StepLayout& step, std::int64_t rows,
                                std::byte* sum, Workers& workers, std::byte* go) {
  const std::vector<Movement>& movements = programs.whole->movements();
  if (movements.empty()) return;
  const bool is_planned = mover_ && mover_->layout == state.layout &&
                          std::ranges::equal(mover_->offsets, movements, {}, {}, &Movement::offset);
  if (!is_planned) plan_mover(state, movements, step);
  std::vector<double> observed;
  for (const Movement& m : movements)
    observed.push_back(static_cast<double>(rows - (programs.last->observes(m) ? 0 : programs.last->rows())));
  device_.write(mover_->rows.data(), reinterpret_cast<const std::byte*>(observed.data()),
                observed.size() * sizeof(double));
  std::byte* const bases[] = {Mirrored::write_there(device_, state.parameters), sum, mover_->rows.data(),
                              go ? go : mover_->one.data()};
  mover_->program->run(bases, mover_->arena.data(), workers, mover_->calls);
}

void run_here(std::span<const EvaluationFunction> objectives, const StepLayout& step, const State& state,
              const RowSelection& batch, std::int64_t shard_rows, Precision precision, Workers& workers) {
  const std::int64_t rows = batch.count();
  const Block gradient(static_cast<std::size_t>(step.size) * size_of(state.layout->dtype));
  for (std::int64_t begin = 0; begin < rows; begin += shard_rows) {
    const std::int64_t count = std::min(shard_rows, rows - begin);
    const ShardProgram here(objectives, count, columns_of(batch.data), *state.layout, step, {.precision = precision});
    const Block memory(here.memory_bytes());
    std::vector<double> sums(static_cast<std::size_t>(here.doubles()));
    here.run({state, batch, begin, gradient.data(), sums.data()}, memory.data(), workers);
  }
}

}  // namespace thalweg
