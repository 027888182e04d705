// Turns of an engine whose reports arrive some steps later.

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "engine/engine.hpp"
#include "kernels/rows.hpp"

namespace thalweg {

namespace {

/// What divides the gradient of a batch, where it does not depend on what the device finds.
std::optional<double> known_divisor(const BatchPrograms& programs, std::int64_t rows,
                                    std::optional<double> row_weight) {
  if (row_weight) return static_cast<double>(rows) * *row_weight;
  const auto weight = programs.whole->known_weight(0), last = programs.last->known_weight(0);
  if (!weight || !last) return std::nullopt;
  return *weight * static_cast<double>(programs.shards - 1) + *last;
}

}  // namespace

bool Engine::can_be_late(const BatchPrograms& programs) const {
  if (!far_ || size() != 1 || watches_layers_) return false;
  const Member& o = objectives_.front();
  const auto may_count = [](const ShardProgram* program) {
    return program->has_loss(0) && program->known_weight(0).value_or(1) > 0;
  };
  return may_count(programs.whole) && may_count(programs.last) && o.name.empty() && o.updater.program().go >= 0;
}

void Engine::turn_late(State& state, const RowSelection& batch, const Turn& turn, std::vector<StepReport>& arrived) {
  const FlushDenormals flush;
  const std::int64_t rows = batch.count();
  const bool may_be =
      far_ && !asks_ && !owns_steps_ && rows > 0 && batch.whole == 0 && !objectives_.front().declared.empty();
  if (may_be && !is_prepared(state)) prepare(state);
  const BatchPrograms* programs = may_be ? &programs_.for_batch(state, step_, batch, turn.shard_size) : nullptr;
  if (programs == nullptr || !can_be_late(*programs)) {
    await(state, arrived);
    arrived.push_back(this->turn(state, batch, turn));
    return;
  }
  LateSteps::Asked asked{.step = state.step,
                         .data = batch.data,
                         .rows = {batch.rows.begin(), batch.rows.end()},
                         .row_numbers = batch.numbers};
  const Updater& updater = objectives_.front().updater;
  const Progress progress = turn.progress.empty() ? Progress{.step = updater.steps(state)} : turn.progress[0];
  if (!turn.progress.empty()) asked.progress = progress;
  asked.shard_size = turn.shard_size;
  asked.programs = *programs;
  asked.total = progress.total;
  asked.lr = rate_at(0, progress);
  if (!turn.row_weights.empty()) asked.row_weight = turn.row_weights[0];
  asked.divisor = known_divisor(*programs, rows, asked.row_weight);
  start_late(state, std::move(asked));
  if (late_->is_full()) arrive(state, arrived);
}

void Engine::start_late(State& state, LateSteps::Asked asked) {
  Workers& workers = crew_->workers;
  if (!sums_there_) sums_there_.emplace(*far_, crew_->there);
  if (!late_) late_.emplace(*far_);
  Member& o = objectives_.front();
  const BatchPrograms programs = asked.programs;
  const std::int64_t rows = asked.batch().count();
  std::byte* const numbers = late_->numbers_of(programs, *o.norm);
  Sums sums{nullptr, nullptr, sums_there_->start(state, asked.batch(), programs, step_, numbers, workers)};
  sums.gradient = sums.lent.data();
  StepNumbers next{.step = o.updater.steps(state) + 1 - o.updater.skipped(state),
                   .weight = asked.divisor.value_or(1),  // otherwise the device finds it, as it does the norm
                   .gradient_norm = 0,
                   .lr = asked.lr,
                   .seed = state.seed};
  if (o.sets_momentum)
    next.momentum = optimizer(0).schedule.momentum(asked.progress.value_or(Progress{.step = o.updater.steps(state)}));
  std::byte* const scalars = o.updater.scalars_of(next);
  constexpr std::int64_t word = sizeof(double);
  const LateSteps::ScalarsAt at{.norm = scalar_gradient_norm * word,
                                .inverse_weight = scalar_inverse_weight * word,
                                .go = o.updater.program().go * word};
  std::byte* const gradient = gradient_of(0, sums, state);
  late_->judge(std::move(asked), *o.norm, gradient, scalars, at, workers);
  o.updater.run(state, gradient, scalars, workers);
  if (!programs.whole->movements().empty())
    sums_there_->move_statistics(state, programs, step_, rows, sums.gradient, workers, scalars + at.go);
  give_back(std::move(sums));
}

void Engine::await(State& state, std::vector<StepReport>& arrived) {
  while (late_ && !late_->is_empty()) arrive(state, arrived);
}

void Engine::arrive(State& state, std::vector<StepReport>& arrived) {
  const LateSteps::Asked* oldest = nullptr;
  try {
    oldest = &late_->oldest();
  } catch (const IndexError&) {
    return take_again(state, arrived);  // which names the row
  }
  if (!LateSteps::went_on(*oldest)) return take_again(state, arrived);
  arrived.push_back(report_of(*oldest));
  late_->pop();
}

void Engine::take_again(State& state, std::vector<StepReport>& arrived) {
  const std::int64_t next = state.step;
  for (const LateSteps::Asked& asked : late_->take_back()) {
    state.step = asked.step;
    const std::span<const Progress> progress(asked.progress ? &*asked.progress : nullptr, asked.progress ? 1 : 0);
    arrived.push_back(turn(state, asked.batch(), {progress, asked.shard_size, std::span(&asked.row_weight, 1)}));
  }
  state.step = next;
}

StepReport Engine::report_of(const LateSteps::Asked& asked) {
  const BatchPrograms& programs = asked.programs;
  const std::byte* const raw = asked.numbers.data();
  const std::vector<double> sums = SumsThere::joined(raw, programs, crew_->pool, crew_->workers);
  const std::int64_t rows = asked.batch().count();
  const std::size_t norm_at = SumsThere::numbers_bytes(programs) * static_cast<std::size_t>(programs.shards);
  StepReport report;
  report.step = asked.step + 1, report.samples = rows, report.total_steps = asked.total;
  report.loss = sums[0] / sums[1], report.lr = asked.lr;
  report.weight = programs.whole->is_mean(0) ? static_cast<double>(rows) : sums[1];
  report.gradient_norm = std::sqrt(objectives_.front().norm->total(raw + norm_at)) / asked.divisor.value_or(sums[1]);
  const std::vector<std::string>& reports = programs.whole->reports();
  for (std::size_t i = 0; i < reports.size(); ++i)
    report.metrics.emplace_back(
        reports[i], sums[static_cast<std::size_t>(programs.whole->losses()) + i] / static_cast<double>(rows));
  return report;
}

}  // namespace thalweg
