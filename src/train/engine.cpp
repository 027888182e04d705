#include "train/engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"
#include "data/gather.hpp"
#include "data/read_ahead.hpp"
#include "graph/graph.hpp"
#include "nn/init.hpp"
#include "optim/segments.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

enum ShardBase {
  parameters_base = first_user_base,
  gradient_base,
  sums_base,
  prediction_base,
  random_base,
  first_column_base
};
constexpr std::int64_t shard_doubles = 2;  // the loss and its weight
// the random block: seed and step in f64, then the place of each row in the batch in i32
constexpr std::int64_t step_offset = sizeof(double), places_offset = 2 * sizeof(double);
constexpr std::int64_t evaluation_rows = 512;  // a shard of an evaluation, or as many as work in this much memory
constexpr std::size_t evaluation_bytes = std::size_t{64} << 20;

std::int64_t aligned(std::size_t bytes) { return static_cast<std::int64_t>((bytes + 63) / 64 * 64); }

void fill_random_block(std::byte* block, const State& state, std::int64_t begin, std::int64_t rows) {
  const double numbers[] = {seed_number(state.seed), static_cast<double>(state.step)};
  std::memcpy(block, numbers, sizeof(numbers));
  auto* places = reinterpret_cast<std::int32_t*>(block + places_offset);
  std::iota(places, places + rows, static_cast<std::int32_t>(begin));
}

/// What shards hand in: the gradient and what they observe of statistics, which are summed.
std::int64_t summed_size(const Layout& layout) { return layout.trained_size + layout.statistics_size; }

double number_at(const void* place, DType dtype) {
  return dtype == f32 ? static_cast<double>(*static_cast<const float*>(place)) : *static_cast<const double*>(place);
}

const ParameterEntry& entry_named(const Layout& layout, std::string_view name) {
  const auto found = std::ranges::find(layout.entries, name, &ParameterEntry::name);
  if (found == layout.entries.end())
    fail<ModelError>("[model] the state has no parameter '{}'. Hint: it is of another model.", name);
  return *found;
}

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

namespace {
/// Whether a batch may be cut into shards: the loss and its weight have one term a sample (or the weight is the number
/// of samples), and predictions keep samples apart.
bool is_separable(const TracedObjective& traced, std::int64_t rows) {
  const auto samples = [&](Var v) { return samples_in(*traced.graph, v, traced.columns, rows); };
  const Evaluated& result = traced.result;
  if (result.prediction.defined() && samples(result.prediction) != SampleAxis::along(0)) return false;
  if (!result.loss.sum.defined()) return true;
  if (!result.loss.separable || samples(result.loss.sum) != SampleAxis::summed()) return false;
  const Node& weight = traced.graph->node(result.loss.weight);
  if (weight.op->name == "number") return weight.attributes.number == static_cast<double>(rows);
  return samples(result.loss.weight) == SampleAxis::summed();
}
}  // namespace

std::unique_ptr<Engine::ShardProgram> Engine::make_program(Mode mode, std::int64_t rows,
                                                           const std::vector<ColumnSpec>& columns, const Layout& layout,
                                                           Passes passes, bool with_gradient) const {
  const TracedObjective traced = trace_objective(function_, columns, rows, mode, layout.dtype);
  std::vector<Bound> inputs, outputs;
  const auto element = static_cast<std::int64_t>(size_of(layout.dtype));
  for (std::size_t i = 0; i < columns.size(); ++i)
    inputs.push_back({traced.columns[i], {first_column_base + static_cast<int>(i), 0}});
  std::vector<Var> trained;
  std::vector<Place> gradients_at;
  for (const TracedParameter& p : traced.parameters) {
    const ParameterEntry& entry = entry_named(layout, p.name);
    if (!(entry.shape == p.var.shape())) {
      fail<ModelError>("[model] the parameter '{}' is {} in the state and {} in the model", p.name, entry.shape,
                       p.var.shape());
    }
    inputs.push_back({p.var, {parameters_base, entry.offset * element}});
    if (entry.frozen) continue;
    trained.push_back(p.var);
    gradients_at.push_back({gradient_base, entry.offset * element});
  }
  if (const auto& random = traced.random) {
    inputs.push_back({random->seed, {random_base, 0}});
    inputs.push_back({random->step, {random_base, step_offset}});
    inputs.push_back({random->places, {random_base, places_offset}});
  }
  std::vector<Movement> movements;
  for (const Observation& observation : traced.observations) {
    const ParameterEntry& entry = entry_named(layout, observation.statistic);
    movements.push_back({entry.offset, entry.shape.size(), observation.momentum});
    const std::int64_t place = layout.trained_size + entry.offset - (layout.size - layout.statistics_size);
    outputs.push_back({static_cast<double>(rows) * observation.value, {gradient_base, place * element}});
  }
  const Loss& loss = traced.result.loss;
  std::optional<double> known_weight;
  if (loss.sum.defined()) {
    outputs.push_back({loss.sum, {sums_base, 0}});
    const Node& weight = traced.graph->node(loss.weight);
    if (weight.op->name == "number") {
      known_weight = weight.attributes.number;
    } else {
      outputs.push_back({loss.weight, {sums_base, sizeof(double)}});
    }
    if (mode == Mode::train && with_gradient) {
      passes.backward_begins = traced.graph->size();
      passes.recompute = memory_ == Memory::keep   ? Recompute::nothing
                         : memory_ == Memory::fast ? Recompute::arithmetic
                                                   : Recompute::cheap;
      const std::vector<Var> gradient = gradients(loss.sum, trained);
      for (std::size_t i = 0; i < trained.size(); ++i) outputs.push_back({gradient[i], gradients_at[i]});
    }
  }
  Signature prediction;
  if (mode == Mode::evaluate && traced.result.prediction.defined()) {
    outputs.push_back({traced.result.prediction, {prediction_base, 0}});
    prediction = {traced.result.prediction.shape(), traced.result.prediction.dtype()};
  }
  auto shard = std::make_unique<ShardProgram>(
      ShardProgram{mode, rows, columns, Program(*traced.graph, inputs, outputs, passes), prediction,
                   is_separable(traced, rows), traced.random.has_value(), std::move(movements)});
  if (loss.sum.defined()) shard->loss = {loss.sum.dtype(), loss.weight.dtype(), known_weight};
  place_memory(*shard);
  return shard;
}

void Engine::place_memory(ShardProgram& shard) {
  std::size_t end = shard.program.arena_bytes();
  const auto next = [&](std::size_t bytes) {
    const auto begin = static_cast<std::size_t>(aligned(end));
    end = begin + bytes;
    return begin;
  };
  shard.bases_at = next((first_column_base + shard.columns.size()) * sizeof(std::byte*));
  shard.sums_at = next(shard_doubles * sizeof(double));
  shard.random_at =
      next(shard.random ? places_offset + static_cast<std::size_t>(shard.rows) * sizeof(std::int32_t) : 0);
  shard.columns_at = next(0);
  for (const ColumnSpec& column : shard.columns) (void)next(column.row.bytes() * static_cast<std::size_t>(shard.rows));
  shard.bytes = next(0);
}

Engine::ShardProgram& Engine::program_for(Mode mode, std::int64_t rows, const Dataset& data, const Layout& layout) {
  for (auto& known : programs_) {
    if (known->mode == mode && known->rows == rows && are_columns_of(known->columns, data)) return *known;
  }
  programs_.push_back(make_program(mode, rows, columns_of(data), layout, {}));
  return *programs_.back();
}

void Engine::run_shard(const ShardProgram& shard, const State& state, const RowSelection& batch, std::int64_t begin,
                       std::byte* gradient, double* sums, std::byte* predictions) {
  const auto memory = pool_.take(shard.bytes);
  run_shard_in(memory.data(), nullptr, shard, state, batch, begin, gradient, sums, predictions);
}

void Engine::run_shard_in(std::byte* memory, Program::Addresses* known, const ShardProgram& shard, const State& state,
                          const RowSelection& batch, std::int64_t begin, std::byte* gradient, double* sums,
                          std::byte* predictions) {
  auto** bases = reinterpret_cast<std::byte**>(memory + shard.bases_at);
  bases[parameters_base - first_user_base] = const_cast<std::byte*>(state.parameters.raw());
  bases[gradient_base - first_user_base] = gradient;
  bases[sums_base - first_user_base] = memory + shard.sums_at;
  bases[prediction_base - first_user_base] = predictions;
  bases[random_base - first_user_base] = memory + shard.random_at;
  if (shard.random) fill_random_block(memory + shard.random_at, state, begin, shard.rows);
  std::byte* into = memory + shard.columns_at;
  for (std::size_t i = 0; i < shard.columns.size(); ++i) {
    const Tensor& values = batch.data.columns()[i].second;
    const std::size_t row_bytes = shard.columns[i].row.bytes(), size = row_bytes * static_cast<std::size_t>(shard.rows);
    std::byte*& base = bases[first_column_base - first_user_base + static_cast<int>(i)];
    if (batch.rows.empty()) {  // rows in order are read where they lie
      base = const_cast<std::byte*>(values.raw()) + static_cast<std::size_t>(begin) * row_bytes;
    } else {
      data::gather(values, batch.rows.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(shard.rows)),
                   {into, size});
      base = into;
    }
    into += aligned(size);
  }
  const std::span<std::byte* const> all(bases, first_column_base - first_user_base + shard.columns.size());
  if (known) {
    shard.program.run(all, memory, workers_, *known);
  } else {
    shard.program.run(all, memory, workers_);
  }
  if (!shard.loss) return;
  sums[0] = number_at(memory + shard.sums_at, shard.loss->sum);
  sums[1] = shard.loss->known_weight ? *shard.loss->known_weight
                                     : number_at(memory + shard.sums_at + sizeof(double), shard.loss->weight);
}

const Engine::ShardProgram& Engine::shard_program(std::int64_t rows, std::int64_t wanted, const Dataset& data,
                                                  const Layout& layout) {
  const std::int64_t size = std::min(rows, wanted > 0 ? wanted : default_shard_size(rows, layout.size));
  const ShardProgram& program = program_for(Mode::train, size, data, layout);
  return program.separable || size == rows ? program : program_for(Mode::train, rows, data, layout);
}

Engine::Sums Engine::sum_over_shards(const State& state, const RowSelection& batch, std::int64_t shard_size) {
  const Layout& layout = *state.layout;
  const std::int64_t rows = batch.count();
  const ShardProgram& whole = shard_program(rows, shard_size, batch.data, layout);
  const std::int64_t size = whole.rows, shards = (rows + size - 1) / size, last = rows - (shards - 1) * size;
  const ShardProgram& rest = last == size ? whole : program_for(Mode::train, last, batch.data, layout);
  const std::size_t bytes = TreeSum::block_bytes(summed_size(layout), layout.dtype, shard_doubles);
  const std::size_t sums_at = TreeSum::doubles_at(summed_size(layout), layout.dtype);
  if (shards == 1) {
    OneShard& own = one_shard_;
    if (own.gradient.size() < bytes) own.gradient = Block(bytes);
    if (own.memory.size() < whole.bytes) own.memory = Block(whole.bytes);
    run_shard_in(own.memory.data(), &own.addresses, whole, state, batch, 0, own.gradient.data(),
                 reinterpret_cast<double*>(own.gradient.data() + sums_at), nullptr);
    return {std::move(own.gradient), &whole.movements, true};
  }
  TreeSum tree(shards, summed_size(layout), layout.dtype, shard_doubles, pool_, workers_);
  workers_.run(shards, [&](std::int64_t i) {
    auto block = pool_.take(bytes);
    run_shard(i + 1 < shards ? whole : rest, state, batch, i * size, block.data(),
              reinterpret_cast<double*>(block.data() + sums_at), nullptr);
    tree.add(i, block.release());
  });
  return {tree.take_total(), &whole.movements};
}

void Engine::give_back(Sums sums) {
  if (sums.one_shard) {
    one_shard_.gradient = std::move(sums.block);
  } else {
    pool_.give_back(std::move(sums.block));
  }
}

double Engine::squared_norm(std::byte* gradient) {
  std::byte* bases[] = {gradient, reinterpret_cast<std::byte*>(norm_->sums.data())};
  norm_->program.run(bases, serial_arena_->data(), workers_, norm_->addresses);
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
    update_addresses_ = {};
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
  update_bases_ = {state.parameters.mutable_raw(), gradient, reinterpret_cast<std::byte*>(scalars_.data())};
  for (auto& [name, slot] : state.slots) update_bases_.push_back(slot.mutable_raw());
  update_->program->run(update_bases_, serial_arena_->data(), workers_, update_addresses_);
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
    one_shard_.addresses = {};
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
  const Block& total = summed.block;
  const auto* sums =
      reinterpret_cast<const double*>(total.data() + TreeSum::doubles_at(summed_size(layout), layout.dtype));
  const double weight = sums[1], loss = sums[0] / weight;
  const double norm = std::sqrt(squared_norm(total.data())) / weight;
  const bool finite = std::isfinite(loss) && std::isfinite(norm);
  if (!finite && !update_->skips) explain_not_finite(state, batch, shard_size, loss);
  StepReport report;
  if (watches_layers_) {
    if (!layer_norms_) layer_norms_.emplace(layout);
    report.layer_norms = layer_norms_->of(total.data(), weight, pool_, workers_);
  }
  report.lr = optimizer_.lr * optimizer_.schedule.factor(progress);
  update(state, total.data(), weight, norm, report.lr, progress);
  const std::byte* observed = total.data() + static_cast<std::size_t>(layout.trained_size) * size_of(layout.dtype);
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
  const std::int64_t size = shard_program(rows, shard_size, batch.data, layout).rows;
  const std::size_t bytes = TreeSum::block_bytes(summed_size(layout), layout.dtype, shard_doubles);
  for (std::int64_t begin = 0; begin < rows; begin += size) {
    const std::int64_t count = std::min(size, rows - begin);
    const auto seen =
        make_program(Mode::train, count, columns_of(batch.data), layout, {false, false, false, false, false});
    std::vector<std::int64_t> own(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      own[static_cast<std::size_t>(i)] =
          batch.rows.empty() ? begin + i : batch.rows[static_cast<std::size_t>(begin + i)];
    const Dataset part = batch.data.take(own);
    const Block gradient(bytes), arena(seen->program.arena_bytes());
    const Block random(static_cast<std::size_t>(places_offset) +
                       static_cast<std::size_t>(count) * sizeof(std::int32_t));
    fill_random_block(random.data(), state, begin, count);
    double sums[shard_doubles] = {};
    std::vector<std::byte*> bases = {const_cast<std::byte*>(state.parameters.raw()), gradient.data(),
                                     reinterpret_cast<std::byte*>(sums), nullptr, random.data()};
    for (const ColumnSpec& column : seen->columns) {
      const Tensor& values = part[column.name];
      for (std::int64_t i = 0; is_float(values.dtype()) && i < values.size(); ++i) {
        if (std::isfinite(values.at(i))) continue;
        fail<NumericError>(
            "[train] step {}: the column '{}' has a value that is not finite ({}) in row {} of the data. Hint: clean "
            "the data.",
            state.step + 1, column.name, values.at(i), own[static_cast<std::size_t>(i * count / values.size())]);
      }
      bases.push_back(const_cast<std::byte*>(values.raw()));
    }
    if (const auto op = seen->program.find_not_finite(bases, arena.data(), workers_)) {
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
    return program_for(Mode::evaluate, size, data, layout).program.arena_bytes();
  };
  std::int64_t size = std::min(rows, evaluation_rows);
  if (!program_for(Mode::evaluate, size, data, layout).separable) return rows;
  while (size > 1 && bytes(size) > evaluation_bytes) size = (size + 1) / 2;
  return size;
}

std::pair<double, double> Engine::evaluate(const State& state, const RowSelection& selection, Tensor* predictions) {
  const FlushDenormals flush;
  const Layout& layout = *state.layout;
  const std::int64_t rows = selection.count();
  if (rows == 0) fail<UsageError>("[evaluate] a set of no rows");
  const std::int64_t size = evaluation_shard(rows, selection.data, layout);
  const Signature& prediction = program_for(Mode::evaluate, size, selection.data, layout).prediction;
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
  std::int64_t begun = 0;
  const auto next = [&]() -> std::optional<std::vector<std::int64_t>> {
    if (begun == rows) return std::nullopt;
    std::vector<std::int64_t> chosen(static_cast<std::size_t>(std::min(part, rows - begun)));
    std::iota(chosen.begin(), chosen.end(), begun);
    begun += static_cast<std::int64_t>(chosen.size());
    return chosen;
  };
  data::ReadAhead ahead(selection.data, next, workers_.threads());
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
  const std::int64_t shard_bytes =
      static_cast<std::int64_t>(whole.prediction.shape.rank() > 0 ? whole.prediction.bytes() : 0);
  std::vector<double> sums(static_cast<std::size_t>(shards * shard_doubles), 0);
  workers_.run(shards, [&](std::int64_t i) {
    run_shard(i + 1 < shards ? whole : rest, state, part, i * size, nullptr, sums.data() + i * shard_doubles,
              predictions ? predictions + i * shard_bytes : nullptr);
  });
  for (std::int64_t i = 0; i < shards; ++i) {
    total.first += sums[static_cast<std::size_t>(i * shard_doubles)];
    total.second += sums[static_cast<std::size_t>(i * shard_doubles + 1)];
  }
}

std::string Engine::explain(const State& state, const Dataset& data, std::int64_t rows) {
  const Layout& layout = *state.layout;
  const std::int64_t size = shard_program(rows, 0, data, layout).rows;
  const auto update = make_update(optimizer_, layout);
  return fmt::format("Gradient, for shards of {} rows:\n{}\nUpdate:\n{}", size,
                     make_program(Mode::train, size, columns_of(data), layout, {})->program.explain(),
                     update.program->explain());
}

}  // namespace thalweg
