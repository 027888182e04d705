#include "engine/engine.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "data/read_ahead.hpp"
#include "graph/graph.hpp"
#include "nn/init.hpp"
#include "optim/segments.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t evaluation_rows = 512;  // a shard of an evaluation, or as many as work in this much memory
constexpr std::size_t evaluation_bytes = std::size_t{64} << 20;

}  // namespace

Engine::Engine(EvaluationFunction function, Optimizer optimizer, int threads)
    : function_(std::move(function)), optimizer_(std::move(optimizer)), workers_(threads) {}

State Engine::init(const Dataset& data, std::uint64_t seed, DType dtype) {
  const TracedObjective traced =
      trace_objective(function_, columns_of(data), std::min<std::int64_t>(data.rows(), 2), Mode::train, dtype);
  if (!traced.result.loss.sum.defined()) fail<UsageError>("[train] there is no loss: the data has no column 'target'");
  State state;
  auto layout = std::make_shared<Layout>(layout_of(traced, dtype));
  state.layout = layout;
  state.seed = seed;
  state.parameters = Tensor({layout->size}, dtype);
  for (const TracedParameter& p : traced.parameters) {
    state.set_parameter(p.name, initial_values(p.options.initializer, p.var.shape(), dtype, seed, p.name, workers_));
  }
  prepare_update(state);
  return state;
}

std::unique_ptr<ShardProgram> Engine::make_program(Mode mode, std::int64_t rows, const Dataset& data,
                                                   const Layout& layout, bool with_gradient) const {
  Passes passes;
  passes.recompute = memory_ == Memory::keep   ? Recompute::nothing
                     : memory_ == Memory::fast ? Recompute::arithmetic
                                               : Recompute::cheap;
  return std::make_unique<ShardProgram>(function_, mode, rows, columns_of(data), layout, passes, with_gradient);
}

ShardProgram& Engine::program_for(Mode mode, std::int64_t rows, const Dataset& data, const Layout& layout) {
  for (auto& known : programs_) {
    if (known->is_for(mode, rows, data, layout.dtype)) return *known;
  }
  programs_.push_back(make_program(mode, rows, data, layout));
  return *programs_.back();
}

void Engine::run_shard(const ShardProgram& shard, const ShardProgram::Call& call) {
  const auto memory = pool_.take(shard.memory_bytes());
  shard.run(call, memory.data(), workers_);
}

const ShardProgram& Engine::shard_program(std::int64_t rows, std::int64_t wanted, const Dataset& data,
                                          const Layout& layout) {
  const std::int64_t size = std::min(rows, wanted > 0 ? wanted : default_shard_size(rows, layout.size));
  const ShardProgram& program = program_for(Mode::train, size, data, layout);
  return program.is_separable() || size == rows ? program : program_for(Mode::train, rows, data, layout);
}

Engine::Sums Engine::sums_of(const OneShard& shard) {
  return {shard.gradient(), shard.sums()[0], shard.sums()[1], &shard.program().movements()};
}

Engine::Sums Engine::sum_over_shards(const State& state, const RowSelection& batch, std::int64_t shard_size) {
  if (one_shard_.continues(state, batch, shard_size)) {
    one_shard_.run(state, batch, workers_);
    return sums_of(one_shard_);
  }
  const Layout& layout = *state.layout;
  const std::int64_t rows = batch.count();
  const ShardProgram& whole = shard_program(rows, shard_size, batch.data, layout);
  const std::int64_t size = whole.rows(), shards = (rows + size - 1) / size, last = rows - (shards - 1) * size;
  if (shards == 1 && OneShard::is_for(whole, layout)) {
    one_shard_.begin(whole, state, batch, shard_size);
    one_shard_.run(state, batch, workers_);
    return sums_of(one_shard_);
  }
  const ShardProgram& rest = last == size ? whole : program_for(Mode::train, last, batch.data, layout);
  const std::size_t bytes = TreeSum::block_bytes(summed_size(layout), layout.dtype, shard_doubles);
  const std::size_t sums_at = TreeSum::doubles_at(summed_size(layout), layout.dtype);
  const auto sums_in = [&](std::byte* block) { return reinterpret_cast<double*>(block + sums_at); };
  TreeSum tree(shards, summed_size(layout), layout.dtype, shard_doubles, pool_, workers_);
  workers_.run(shards, [&](std::int64_t i) {
    auto block = pool_.take(bytes);
    std::byte* gradient = block.data();
    run_shard(i + 1 < shards ? whole : rest, {state, batch, i * size, gradient, sums_in(gradient), nullptr});
    tree.add(i, block.release());
  });
  Block total = tree.take_total();
  std::byte* gradient = total.data();
  return {gradient, sums_in(gradient)[0], sums_in(gradient)[1], &whole.movements(), std::move(total)};
}

void Engine::give_back(Sums sums) {
  if (sums.lent.data()) pool_.give_back(std::move(sums.lent));
}

double Engine::squared_norm(std::byte* gradient) {
  std::byte* bases[] = {gradient, reinterpret_cast<std::byte*>(norm_->sums.data())};
  norm_->program.run(bases, serial_arena_->data(), workers_, norm_->calls);
  double total = 0;
  for (std::size_t i = 0; i < norm_->sums.size(); ++i) total += number_at(&norm_->sums[i], norm_->pieces[i]);
  return total;
}

/// Over what is stepped: a group that is frozen has a gradient, but no say.
Engine::NormProgram Engine::squared_norm_program(const Optimizer& optimizer, const Layout& layout) {
  std::vector<Segment> pieces = {{0, {layout.trained_size}}};
  if (std::ranges::any_of(optimizer.groups, &ParameterGroup::frozen)) pieces = segments_of(optimizer, layout);
  Graph graph;
  std::vector<Bound> inputs, outputs;
  std::vector<DType> dtypes;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Var g = graph.input("gradient" + std::to_string(i), pieces[i].shape, layout.dtype);
    inputs.push_back({g, {first_user_base, pieces[i].offset * static_cast<std::int64_t>(size_of(layout.dtype))}});
    const Var part = sum(square(g));
    outputs.push_back({part, {first_user_base + 1, static_cast<std::int64_t>(i * sizeof(double))}});
    dtypes.push_back(part.dtype());
  }
  return {Program(graph, inputs, outputs), dtypes, std::vector<double>(pieces.size())};
}

void Engine::prepare_update(State& state) {
  const Layout& layout = *state.layout;
  if (update_layout_ != state.layout) {
    update_ = make_update(optimizer_, layout);
    norm_.emplace(squared_norm_program(optimizer_, layout));
    layer_norms_.reset();
    update_calls_ = {};
    serial_arena_.emplace(std::max(norm_->program.arena_bytes(), update_->program->arena_bytes()));
    update_layout_ = state.layout;
    scalars_.assign(update_->scalars.size(), 0);
  }
  const auto fits = [](const auto& slot, const UpdateSlot& wanted) {
    return slot.first == wanted.name && slot.second.size() == wanted.size && slot.second.dtype() == wanted.dtype;
  };
  if (!std::ranges::equal(state.slots, update_->slots, fits)) state.slots = initial_slots(*update_);
}

void Engine::update(State& state, std::byte* gradient, double weight, double norm, double lr,
                    const Progress& progress) {
  fill_scalars(*update_,
               {.step = state.step + 1,
                .weight = weight,
                .gradient_norm = norm,
                .lr = lr,
                .seed = state.seed,
                .momentum = optimizer_.schedule.momentum(progress)},
               scalars_);
  update_bases_.clear();
  for (std::byte* base : {state.parameters.mutable_raw(), gradient, reinterpret_cast<std::byte*>(scalars_.data())})
    update_bases_.push_back(base);
  for (auto& [name, slot] : state.slots) update_bases_.push_back(slot.mutable_raw());
  update_->program->run(update_bases_, serial_arena_->data(), workers_, update_calls_);
}

State Engine::evaluation_state(const State& state) {
  State result = state;
  prepare_update(result);
  if (update_->evaluation) result.parameters = evaluation_parameters(*update_, result, workers_);
  return result;
}

void Engine::move(State& state, const Movement& m, const std::byte* observed, double rows) {
  const Layout& layout = *state.layout;
  const std::int64_t first = layout.size - layout.statistics_size;
  const auto move_all = [&]<class T>(T* values, const T* sums) {
    for (std::int64_t i = m.offset; i < m.offset + m.size; ++i) {
      const double old = static_cast<double>(values[i]), mean = static_cast<double>(sums[i - first]) / rows;
      values[i] = static_cast<T>(old + m.momentum * (mean - old));
    }
  };
  std::byte* values = state.parameters.mutable_raw();
  if (layout.dtype == f32) {
    move_all(reinterpret_cast<float*>(values), reinterpret_cast<const float*>(observed));
  } else {
    move_all(reinterpret_cast<double*>(values), reinterpret_cast<const double*>(observed));
  }
}

void Engine::set_memory(Memory memory) {
  if (memory_ != memory) {
    programs_.clear();
    one_shard_ = {};
  }
  memory_ = memory;
}

void Engine::watch_layers(bool watch) {
  watches_layers_ = watch;
  layer_norms_.reset();
}

StepReport Engine::step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size) {
  const FlushDenormals flush;
  if (batch.count() == 0) fail<UsageError>("[train] a batch of no rows");
  prepare_update(state);
  const Layout& layout = *state.layout;
  Sums summed = sum_over_shards(state, batch, shard_size);
  const double weight = summed.weight, loss = summed.loss / weight;
  const double norm = std::sqrt(squared_norm(summed.gradient)) / weight;
  const bool finite = std::isfinite(loss) && std::isfinite(norm);
  if (!finite && !update_->skips) explain_not_finite(state, batch, shard_size, loss);
  StepReport report;
  if (watches_layers_) {
    if (!layer_norms_) layer_norms_.emplace(layout);
    report.layer_norms = layer_norms_->of(summed.gradient, weight, pool_, workers_);
  }
  report.lr = optimizer_.lr * optimizer_.schedule.factor(progress);
  update(state, summed.gradient, weight, norm, report.lr, progress);
  const std::byte* observed = summed.gradient + static_cast<std::size_t>(layout.trained_size) * size_of(layout.dtype);
  if (finite) {
    for (const Movement& m : *summed.movements) move(state, m, observed, static_cast<double>(batch.count()));
  }
  give_back(std::move(summed));
  report.step = ++state.step;
  report.total_steps = progress.total;
  report.loss = loss;
  report.gradient_norm = norm;
  report.samples = batch.count();
  return report;
}

namespace {
/// Throws where the data itself has a number that is not finite.
void check_columns(const State& state, const RowSelection& batch, std::int64_t begin, std::int64_t count) {
  for (const auto& [name, values] : batch.data.columns()) {
    if (!is_float(values.dtype())) continue;
    for (std::int64_t i = begin; i < begin + count; ++i) {
      const std::int64_t row = batch.rows.empty() ? i : batch.rows[static_cast<std::size_t>(i)];
      const Tensor own = values.rows(row, row + 1);
      for (std::int64_t k = 0; k < own.size(); ++k) {
        if (std::isfinite(own.at(k))) continue;
        fail<NumericError>(
            "[train] step {}: the column '{}' has a value that is not finite ({}) in row {} of the data. Hint: clean "
            "the data.",
            state.step + 1, name, own.at(k), row);
      }
    }
  }
}
}  // namespace

void Engine::explain_not_finite(const State& state, const RowSelection& batch, std::int64_t shard_size, double loss) {
  const Layout& layout = *state.layout;
  std::string where = "the gradient of the loss";
  for (const ParameterEntry& entry : layout.entries) {
    const Tensor values = state.parameter(entry.name);
    for (std::int64_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values.at(i))) continue;
      fail<NumericError>(
          "[train] step {}: the parameter '{}' is not finite (element {} is {}). Hint: a lower lr, or clip_norm.",
          state.step + 1, entry.name, i, values.at(i));
    }
  }
  const std::int64_t rows = batch.count();
  const std::int64_t size = shard_program(rows, shard_size, batch.data, layout).rows();
  const Block gradient(TreeSum::block_bytes(summed_size(layout), layout.dtype, shard_doubles));
  for (std::int64_t begin = 0; begin < rows; begin += size) {
    const std::int64_t count = std::min(size, rows - begin);
    check_columns(state, batch, begin, count);
    const ShardProgram seen(function_, Mode::train, count, columns_of(batch.data), layout,
                            {false, false, false, false, false});
    const Block memory(seen.memory_bytes());
    double sums[shard_doubles] = {};
    if (const auto op =
            seen.find_not_finite({state, batch, begin, gradient.data(), sums, nullptr}, memory.data(), workers_)) {
      where = "first in the op " + *op;
      break;
    }
  }
  fail<NumericError>(
      "[train] step {}: the loss is {} and the gradient is not finite, {}. Hint: a lower lr, or clip_norm.",
      state.step + 1, loss, where);
}

std::int64_t Engine::evaluation_shard(std::int64_t rows, const Dataset& data, const Layout& layout) {
  const auto bytes = [&](std::int64_t size) {
    return program_for(Mode::evaluate, size, data, layout).program().arena_bytes();
  };
  std::int64_t size = std::min(rows, evaluation_rows);
  if (!program_for(Mode::evaluate, size, data, layout).is_separable()) return rows;
  while (size > 1 && bytes(size) > evaluation_bytes) size = (size + 1) / 2;
  return size;
}

std::pair<double, double> Engine::evaluate(const State& state, const RowSelection& selection, Tensor* predictions) {
  const FlushDenormals flush;
  const Layout& layout = *state.layout;
  const std::int64_t rows = selection.count();
  if (rows == 0) fail<UsageError>("[evaluate] a set of no rows");
  const std::int64_t size = evaluation_shard(rows, selection.data, layout);
  const Signature& prediction = program_for(Mode::evaluate, size, selection.data, layout).prediction();
  std::size_t row_bytes = 0;
  Tensor unused, &values = predictions ? *predictions : unused;
  std::byte* into = nullptr;
  if (prediction.shape.rank() > 0) {
    Shape shape = prediction.shape;
    shape.set(0, rows);
    values = Tensor(shape, prediction.dtype);
    row_bytes = values.bytes() / static_cast<std::size_t>(rows);
    into = values.mutable_raw();
  }
  std::pair<double, double> total{0, 0};
  if (!selection.data.streams()) {
    evaluate_part(state, selection, size, into, total);
    return total;
  }
  const std::int64_t part = 4 * size;  // whole shards, so that it is the same sum
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  data::ReadAhead ahead(selection.data, data::in_portions(std::move(all), part), workers_.threads());
  for (std::int64_t done = 0; done < rows; done += part) {
    const Dataset read = ahead.next();
    evaluate_part(state, {read}, size, into ? into + static_cast<std::size_t>(done) * row_bytes : nullptr, total);
  }
  return total;
}

void Engine::evaluate_part(const State& state, const RowSelection& part, std::int64_t shard_size,
                           std::byte* predictions, std::pair<double, double>& total) {
  const std::int64_t rows = part.count(), size = std::min(rows, shard_size), shards = (rows + size - 1) / size;
  const ShardProgram& whole = program_for(Mode::evaluate, size, part.data, *state.layout);
  const ShardProgram& rest = program_for(Mode::evaluate, rows - (shards - 1) * size, part.data, *state.layout);
  const Signature& prediction = whole.prediction();
  const auto shard_bytes = static_cast<std::int64_t>(prediction.shape.rank() > 0 ? prediction.bytes() : 0);
  std::vector<double> sums(static_cast<std::size_t>(shards * shard_doubles), 0);
  workers_.run(shards, [&](std::int64_t i) {
    run_shard(i + 1 < shards ? whole : rest, {state, part, i * size, nullptr, sums.data() + i * shard_doubles,
                                              predictions ? predictions + i * shard_bytes : nullptr});
  });
  for (std::int64_t i = 0; i < shards; ++i) {
    total.first += sums[static_cast<std::size_t>(i * shard_doubles)];
    total.second += sums[static_cast<std::size_t>(i * shard_doubles + 1)];
  }
}

std::string Engine::explain(const State& state, const Dataset& data, std::int64_t rows) {
  const Layout& layout = *state.layout;
  const ShardProgram& shard = shard_program(rows, 0, data, layout);
  const auto update = make_update(optimizer_, layout);
  return fmt::format("Gradient, for shards of {} rows:\n{}\nUpdate:\n{}", shard.rows(), shard.program().explain(),
                     update.program->explain());
}

}  // namespace thalweg
