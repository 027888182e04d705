#include "engine/sums_there.hpp"

#include <algorithm>

#include "core/mirrored.hpp"
#include "engine/random_block.hpp"
#include "thalweg/ops.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

const TreeSum::Join& SumsThere::adder(std::int64_t values, DType dtype, Workers& workers) {
  if (adder_.values == values && adder_.dtype == dtype) return adder_.join;
  TileProgram add;
  add.dtype = dtype;
  add.outer = values;
  for (const int input : {0, 1}) add.loads.push_back({input, View::dense({values}), dtype});
  add.steps = {{find_micro_op("add"), {0, 1, 0, 0}}};
  add.stores = {{2, 0, {0}}};
  adder_ = {-1, dtype, device_.tiles(add)};  // of no size until it is whole
  adder_.scratch = Block(adder_.kernel.scratch, &device_);
  adder_.join = [this, &workers](std::byte* into, const std::byte* from) {
    const std::byte* inputs[] = {into, from};
    adder_.kernel.run({&into, inputs, adder_.scratch.data(), workers});
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
  Graph graph;
  const Var go = graph.input("go", {}, f64);
  std::vector<Bound> inputs = {{go, {first_user_base + 3, 0}}}, outputs;
  for (const Movement& m : movements) {
    const std::string name = std::to_string(m.offset);
    const Place value{first_user_base, m.offset * element},
        observed{first_user_base + 1, (step.statistics_at + m.offset - first) * element},
        rows{first_user_base + 2, std::ssize(mover.offsets) * static_cast<std::int64_t>(sizeof(double))};
    const Var now = graph.input("statistic" + name, {m.size}, layout.dtype),
              sum = graph.input("observed" + name, {m.size}, layout.dtype), n = graph.input("rows" + name, {}, f64);
    const Var old = cast(now, f64), mean = cast(sum, f64) / n;
    const Var moved = old + graph.number(m.momentum, f64) * (mean - old);
    outputs.push_back({cast(where(not_equal(go, 0), moved, old), layout.dtype), value});
    inputs.push_back({now, value}), inputs.push_back({sum, observed}), inputs.push_back({n, rows});
    mover.offsets.push_back(m.offset);
  }
  mover.program.emplace(graph, inputs, outputs, Passes{}, device_);
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
