#include "engine/engine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/error.hpp"
#include "engine/check_state.hpp"
#include "engine/not_finite.hpp"
#include "engine/row_weight.hpp"
#include "nn/init.hpp"

namespace thalweg {

Engine::Engine(EvaluationFunction function, Optimizer optimizer, int threads)
    : function_(std::move(function)),
      workers_(threads),
      programs_(function_),
      evaluator_(function_),
      updater_(std::move(optimizer)) {}

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
  prepare(state);
  return state;
}

void Engine::prepare(State& state) {
  check_parameters(state);
  updater_.prepare(state);
  if (layout_ == state.layout) return;
  const auto before = std::exchange(layout_, state.layout);
  norm_.emplace(optimizer(), *state.layout);
  layer_norms_.reset();
  if (!before || same_places(*before, *layout_)) return;
  programs_.clear();
  one_shard_ = {};
}

std::vector<std::string> Engine::check(const State& state, const Dataset& data, Mode mode) const {
  const Layout& layout = *state.layout;
  const TracedObjective traced =
      trace_objective(function_, columns_of(data), std::min<std::int64_t>(data.rows(), 2), mode, layout.dtype);
  for (const TracedParameter& p : traced.parameters) (void)entry_in(layout, p.name, {p.var.shape(), p.var.dtype()});
  std::vector<std::string> names;
  for (const TracedReport& report : traced.reports) names.push_back(report.name);
  return names;
}

std::optional<double> Engine::row_weight(const State& state, const Dataset& data) {
  return mean_row_weight(function_, *state.layout, data, workers_);
}

Engine::Sums Engine::sum_over_shards(const State& state, const RowSelection& batch, const BatchPrograms& programs) {
  const Layout& layout = *state.layout;
  if (programs.shards == 1 && OneShard::is_for(*programs.whole, layout)) {
    one_shard_.run(*programs.whole, state, batch, workers_);
    return {one_shard_.gradient(), one_shard_.sums()};
  }
  const std::int64_t doubles = programs.whole->doubles();
  const std::size_t bytes = TreeSum::block_bytes(summed_size(layout), layout.dtype, doubles);
  const std::size_t sums_at = TreeSum::doubles_at(summed_size(layout), layout.dtype);
  const auto sums_in = [&](std::byte* block) { return reinterpret_cast<double*>(block + sums_at); };
  TreeSum tree(programs.shards, summed_size(layout), layout.dtype, doubles, pool_, workers_);
  workers_.run(programs.shards, [&](std::int64_t i) {
    auto block = pool_.take(bytes);
    const ShardProgram& program = programs.of(i);
    const auto memory = pool_.take(program.memory_bytes());
    program.run({state, batch, programs.first_row(i), block.data(), sums_in(block.data())}, memory.data(), workers_);
    tree.add(i, block.release());
  });
  Block total = tree.take_total();
  std::byte* gradient = total.data();
  return {gradient, sums_in(gradient), std::move(total)};
}

void Engine::give_back(Sums sums) {
  if (sums.lent.data()) pool_.give_back(std::move(sums.lent));
}

void Engine::update(State& state, const Sums& sums, double divisor, double norm, double lr, const Progress& progress) {
  updater_.run(state, sums.gradient,
               {.step = state.step + 1 - updater_.skipped(state),
                .weight = divisor,
                .gradient_norm = norm,
                .lr = lr,
                .seed = state.seed,
                .momentum = optimizer().schedule.momentum(progress)},
               workers_);
}

State Engine::evaluation_state(const State& state) {
  State result = state;
  prepare(result);
  const UpdateProgram& update = updater_.program();
  if (!update.evaluation) return result;
  State counted = result;
  counted.step -= updater_.skipped(result);
  result.parameters = evaluation_parameters(update, counted, workers_);
  return result;
}

LossSum Engine::evaluate(const State& state, const Dataset& data, Tensor& predictions) {
  return evaluator_(state, data, predictions, pool_, workers_);
}

void Engine::set_memory(Memory memory) {
  if (programs_.set_memory(memory)) one_shard_ = {};
}

void Engine::watch_layers(bool watch) {
  watches_layers_ = watch;
  layer_norms_.reset();
}

namespace {

/// Moves a statistic towards the mean of what was observed, given as a sum over `rows` beside the others'.
void move(State& state, const Movement& m, const std::byte* observed, double rows) {
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

}  // namespace

StepReport Engine::step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size,
                        std::optional<double> row_weight) {
  const FlushDenormals flush;
  const std::int64_t rows = batch.count();
  if (rows == 0) fail<UsageError>("[train] a batch of no rows");
  prepare(state);
  const BatchPrograms& programs = programs_.for_batch(state, batch, shard_size);
  Sums sums = sum_over_shards(state, batch, programs);
  StepReport report{.step = state.step + 1, .total_steps = progress.total, .samples = rows};
  report.lr = optimizer().lr * optimizer().schedule.factor(progress);
  const auto& reports = programs.whole->reports();
  for (std::size_t i = 0; i < reports.size(); ++i)
    report.metrics.emplace_back(reports[i], sums.numbers[2 + i] / static_cast<double>(rows));
  if (sums.weight() == 0) {
    updater_.skip(state);
  } else {
    report.weight = programs.whole->is_mean() ? static_cast<double>(rows) : sums.weight();
    report.loss = sums.loss() / sums.weight();
    take_step(state, batch, programs, sums, row_weight ? static_cast<double>(rows) * *row_weight : sums.weight(),
              progress, report);
  }
  give_back(std::move(sums));
  ++state.step;
  return report;
}

void Engine::take_step(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums,
                       double divisor, const Progress& progress, StepReport& report) {
  const Layout& layout = *state.layout;
  report.gradient_norm = norm_->of(sums.gradient, workers_) / divisor;
  const bool finite = std::isfinite(report.loss) && std::isfinite(report.gradient_norm);
  if (!finite && !updater_.program().skips)
    explain_not_finite(function_, state, batch, programs.whole->rows(), report.loss, workers_);
  if (watches_layers_) {
    if (!layer_norms_) layer_norms_.emplace(layout);
    report.layer_norms = layer_norms_->of(sums.gradient, divisor, pool_, workers_);
  }
  update(state, sums, divisor, report.gradient_norm, report.lr, progress);
  if (!finite) return;
  const std::byte* observed = sums.gradient + static_cast<std::size_t>(layout.trained_size) * size_of(layout.dtype);
  for (const Movement& m : programs.whole->movements()) {
    const std::int64_t unseen = programs.last->observes(m) ? 0 : programs.last->rows();
    move(state, m, observed, static_cast<double>(batch.count() - unseen));
  }
}

std::string Engine::explain(const State& state, const Dataset& data) {
  const ShardProgram& shard = *programs_.for_batch(state, {data}, 0).whole;
  const auto update = make_update(optimizer(), *state.layout);
  return fmt::format("Gradient, for shards of {} rows:\n{}\nUpdate:\n{}", shard.rows(), shard.program().explain(),
                     update.program->explain());
}

}  // namespace thalweg
