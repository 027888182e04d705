// Small turns that are alike. Their kernels take a tenth of a microsecond, as long as it takes to find out what a turn
// may need; so that is found once, and the next turn repeats the calls.

#include <cmath>

#include "engine/check_state.hpp"
#include "engine/engine.hpp"

namespace thalweg {

bool Engine::can_be_repeated(const BatchPrograms& programs) const {
  const Member& o = objectives_.front();
  const bool by_ranks = ranks_ && ranks_->size() > 1;
  return size() == 1 && o.name.empty() && !far_ && !by_ranks && !asks_ && !owns_steps_ && !watches_layers_ &&
         !o.updater.program().skips && programs.shards == 1 && one_shard_.ran(*programs.whole) &&
         programs.whole->movements().empty() && programs.whole->reports().empty();
}

bool Engine::turn_again(State& state, const RowSelection& batch, const Turn& turn, StepReport& report) {
  if (alike_ == nullptr || state.layout != layout_ || batch.whole > 0 || !fits(state, *layout_)) return false;
  const BatchPrograms& programs = programs_.for_batch(state, step_, batch, turn.shard_size);
  if (programs.whole != alike_ || programs.shards != 1 || !one_shard_.ran(*alike_)) return false;

  Member& o = objectives_.front();
  std::byte* const gradient = one_shard_.gradient();
  one_shard_.run(*alike_, step_, state, batch, crew_->workers);
  const double* const sums = one_shard_.sums();
  const double weight = sums[1], loss = sums[0] / weight;  // not finite without a weight
  const std::int64_t count = alike_->rows();
  const auto rows = static_cast<double>(count);
  const bool has_weight = !turn.row_weights.empty() && turn.row_weights[0];
  const double divisor = has_weight ? rows * *turn.row_weights[0] : weight;
  const double norm = o.norm->of(gradient, crew_->workers) / divisor;
  if (!std::isfinite(loss) || !std::isfinite(norm)) return false;
  if (!o.updater.are_in_place(state, gradient)) return false;
  const Progress of_state{.step = o.updater.steps(state)};
  const Progress& progress = turn.progress.empty() ? of_state : turn.progress[0];
  const double lr = rate_at(0, progress);
  StepNumbers numbers{.step = of_state.step + 1 - o.updater.skipped(state),
                      .weight = divisor,
                      .gradient_norm = norm,
                      .lr = lr,
                      .seed = state.seed};
  if (o.sets_momentum) numbers.momentum = optimizer(0).schedule.momentum(progress);
  o.updater.run_again(numbers);

  const double counted = alike_->is_mean(0) ? rows : weight;
  did_.front() = {loss, counted, norm, lr};
  report.step = state.step + 1, report.samples = count, report.total_steps = progress.total;
  report.layer_norms.clear(), report.metrics.clear();
  report.loss = loss, report.weight = counted, report.gradient_norm = norm, report.lr = lr;
  return true;
}

}  // namespace thalweg
