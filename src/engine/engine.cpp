#include "engine/engine.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/error.hpp"
#include "distributed/collectives.hpp"
#include "engine/check_state.hpp"
#include "engine/entries.hpp"
#include "engine/factors.hpp"
#include "engine/not_finite.hpp"
#include "engine/rank_sum.hpp"
#include "engine/row_weight.hpp"
#include "engine/shard_size.hpp"
#include "kernels/rows.hpp"
#include "optim/asks.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t traced_rows = 2;  // enough to derive shapes

std::vector<EvaluationFunction> functions_of(const std::vector<EngineObjective>& objectives) {
  std::vector<EvaluationFunction> functions;
  for (const EngineObjective& objective : objectives) functions.push_back(objective.function);
  return functions;
}

}  // namespace

Engine::Engine(std::vector<EngineObjective> objectives, std::shared_ptr<Crew> crew)
    : functions_(functions_of(objectives)),
      crew_(std::move(crew)),
      far_(crew_->device.far()),
      programs_(functions_, far_),
      did_(objectives.size()),
      divisors_(objectives.size()) {
  for (EngineObjective& o : objectives) {
    if (o.name.find_first_of(":/[") != std::string::npos)
      fail<UsageError>("[trainer] an objective called '{}'. Wanted: a name without ':', '/' and '['", o.name);
    Updater updater(o.name, std::move(o.optimizer), o.options.averages);
    objectives_.push_back({std::move(o.name), std::move(o.options), std::move(updater), Evaluator(o.function, far_)});
    objectives_.back().sets_momentum = optimizer(size() - 1).schedule.momentum({}).has_value();
  }
  asks_ = asks_of(optimizer(0)).any();
  owns_steps_ = owns_steps(optimizer(0));
  check_asks();
  check_whole_steps();
}

namespace {

std::vector<EngineObjective> only(EvaluationFunction function, Optimizer optimizer) {
  std::vector<EngineObjective> one;
  one.push_back({"", std::move(function), std::move(optimizer)});
  return one;
}

}  // namespace

Engine::Engine(EvaluationFunction function, Optimizer optimizer, int threads)
    : Engine(only(std::move(function), std::move(optimizer)), std::make_shared<Crew>(threads)) {}

State Engine::init(const Dataset& data, std::uint64_t seed, DType dtype) {
  Engine* const alone[] = {this};
  return initial_state(alone, data, seed, dtype, false);
}

StepReport Engine::step(State& state, const RowSelection& batch, const Progress& progress, std::int64_t shard_size) {
  expect_rows();
  if (shard_size < 0) fail<UsageError>("[train_step] shard_size = {}. Wanted: >= 0", shard_size);
  if (progress.step < 0) fail<UsageError>("[train_step] progress.step = {}. Wanted: >= 0", progress.step);
  const bool is_given = progress.step != 0 || progress.total != 1;  // a loop of the user's own has no known length
  StepReport report = turn(state, batch, {{&progress, is_given ? 1U : 0U}, shard_size, {}});
  ++state.step;
  return report;
}

TracedObjective Engine::trace(const Dataset& data, Mode mode, DType dtype) {
  TracedObjective traced =
      trace_objectives(functions_, columns_of(data), std::min(data.rows(), traced_rows), mode, dtype);
  for (std::size_t i = 0; mode == Mode::train && i < size(); ++i) {
    std::set<std::string> names;
    for (const TracedParameter& p : traced.parameters) {
      if (p.declared_by >> i & 1) names.insert(p.name);
    }
    std::vector<FactoredLayer> layers;
    if (asks_of(optimizer(i)).factors) layers = factored_layers(traced, traced.of(i));
    if (names != objectives_[i].declared || layers != objectives_[i].layers) layout_.reset();
    objectives_[i].declared = std::move(names);
    objectives_[i].layers = std::move(layers);
    if (!asks_of(optimizer(i)).per_row) continue;
    std::set<std::string> stepped;
    for (const TracedParameter& p : traced.parameters) {
      if (trains(i, p) && steps(optimizer(i), {.name = p.name, .shape = p.var.shape()})) stepped.insert(p.name);
    }
    objectives_[i].slopes =
        slopes_a_row(functions_[i], columns_of(data), std::min(data.rows(), traced_rows), dtype, stepped);
  }
  return traced;
}

std::vector<std::string> Engine::check(const State& state, const Dataset& data, Mode mode) {
  const Layout& layout = *state.layout;
  const TracedObjective traced = trace(data, mode, layout.dtype);
  const Entries entries(layout);
  for (const TracedParameter& p : traced.parameters) (void)entries.at(p.name, {p.var.shape(), p.var.dtype()});
  std::vector<std::string> names;
  for (const TracedReport& report : traced.reports) names.push_back(report.name);
  return names;
}

bool Engine::trains(std::size_t objective, const TracedParameter& p) const {
  const bool mine = (p.declared_by >> objective & 1) != 0 && !p.options.frozen && !p.average;
  return mine && options(objective).trains.match(p.name);
}

bool Engine::is_prepared(const State& state) const {
  const bool same = layout_ && layout_ == state.layout && !ranks_changed_ && fits(state, *layout_);
  return same && std::ranges::all_of(objectives_, [&](const Member& o) { return o.updater.is_prepared(state); });
}

void Engine::prepare(State& state) {
  alike_ = nullptr;
  check_parameters(state);
  if (layout_ != state.layout || ranks_changed_) {
    ranks_changed_ = false;
    const auto before = layout_;
    std::vector<Layout> parts;
    for (const Member& o : objectives_) {
      parts.push_back(trained_part(*state.layout, [&](const ParameterEntry& entry) {
        const bool declared = o.declared.empty() || o.declared.contains(entry.name);
        return declared && o.options.trains.match(entry.name) && steps(o.updater.optimizer(), entry);
      }));
    }
    const bool same = before && same_places(*before, *state.layout);
    step_ = step_layout(*state.layout, std::move(parts));
    guide_.reset();
    for (std::size_t i = 0; i < size(); ++i) {
      objectives_[i].norm.emplace(optimizer(i), step_.objectives[i].layout, far_);
      objectives_[i].layer_norms.reset();
      objectives_[i].updater.forget();
      objectives_[i].factored = factored(i, step_.objectives[i].layout);
      share(i);
    }
    expect_arrivals(state.layout->dtype);
    if (!same) {
      programs_.clear();
      one_shard_ = {};
      rank_sums_.reset();
      sums_there_.reset();
      late_.reset();
    }
    layout_ = state.layout;
  }
  for (Member& o : objectives_) {
    const auto i = static_cast<std::size_t>(&o - objectives_.data());
    o.updater.prepare(state, o.shares ? o.shares->own : step_.objectives[i].layout, crew_->workers.threads(),
                      o.factored, far_);
  }
}

std::vector<FactoredLayer> Engine::factored(std::size_t objective, const Layout& trained) const {
  const Asks asks = asks_of(optimizer(objective));
  if (!asks.factors) return {};
  std::vector<FactoredLayer> layers = factored_in(trained, objectives_[objective].layers, *asks.factors);
  if (layers.empty()) {
    fail<UsageError>(
        "[{}] there is no dense layer or convolution that is trained, called once and of up to {} inputs and outputs. "
        "Hint: adamw.",
        optimizer(objective).name, asks.factors->max_size);
  }
  return layers;
}

void Engine::set_ranks(std::shared_ptr<Communicator> ranks) {
  alike_ = nullptr;
  ranks_changed_ = ranks_changed_ || ranks_ != ranks;
  rank_sums_.reset();
  ranks_ = std::move(ranks);
  if (!far_ || !ranks_ || ranks_->size() < 2) return;
  far_ = nullptr;
  whole_steps_.reset();
  programs_.stay_here();
  sums_there_.reset();
  late_.reset();
}

void Engine::share(std::size_t objective) {
  Member& o = objectives_[objective];
  o.shares.reset();
  if (!ranks_ || ranks_->size() < 2 || !o.updater.averages().empty() || optimizer(objective).method) return;
  o.shares = share_slots(optimizer(objective), step_.objectives[objective].layout, ranks_->rank(), ranks_->size(),
                         ranks_->least_to_share());
}

void Engine::expect_arrivals(DType dtype) {
  rank_sums_.reset();
  arrivals_.reset();
  sliced_norm_.reset();
  if (!shares_slots()) return;
  std::vector<const SlotShares*> shares;
  for (const Member& o : objectives_) shares.push_back(o.shares ? &*o.shares : nullptr);
  arrivals_.emplace(ranks_, std::move(shares), dtype);
  const bool has_frozen_group = std::ranges::any_of(optimizer(0).groups, &ParameterGroup::frozen);
  if (size() > 1 || asks_ || has_frozen_group) return;
  sliced_norm_.emplace(ranks_, objectives_[0].shares->gradients, step_.objectives[0].layout.trained_size, dtype);
}

RankSums::Needs Engine::rank_needs() {
  return {arrivals_ ? &*arrivals_ : nullptr, sliced_norm_ && !watches_layers_ ? &sliced_norm_->kept() : nullptr};
}

double Engine::norm_of(std::size_t objective, const Sums& sums, const State& state) {
  GradientNorm& norm = *objectives_[objective].norm;
  std::byte* const gradient = gradient_of(objective, sums, state);
  if (!sums.sliced) return norm.of(gradient, crew_->workers);
  const double squares = sliced_norm_->squares(gradient, crew_->workers);
  if (norm.is_in_range(squares)) return std::sqrt(squares);
  sliced_norm_->complete(gradient);
  return norm.of(gradient, crew_->workers);
}

std::int64_t Engine::shard_size(const Layout& layout, const Dataset& data, std::int64_t batch_size) const {
  return default_shard_size(functions_, columns_of(data), layout, batch_size);
}

bool Engine::cuts_batches(const State& given, const Dataset& data, std::int64_t rows, std::int64_t shard_size) {
  const auto looks_further = [](const Member& o) {
    return asks_of(o.updater.optimizer()).any() || owns_steps(o.updater.optimizer());
  };
  if (std::ranges::any_of(objectives_, looks_further)) return false;
  State state = given;
  prepare(state);
  return programs_.for_batch(state, step_, {data, {}, 0, rows}, shard_size).whole->is_separable();
}

bool Engine::shares_slots() const {
  return std::ranges::any_of(objectives_, [](const Member& o) { return o.shares.has_value(); });
}

std::optional<WholeSlot> Engine::whole_of(const std::string& slot) const {
  for (const Member& o : objectives_) {
    if (!o.shares) continue;
    for (const auto& [name, size] : o.shares->whole) {
      if (slot != (o.name.empty() ? name : o.name + ":" + name)) continue;
      const bool by_number =
          size == step_.objectives[static_cast<std::size_t>(&o - objectives_.data())].layout.trained_size;
      return WholeSlot{size, by_number && o.shares->by_number ? &o.shares->gradients : nullptr};
    }
  }
  return std::nullopt;
}

std::vector<std::optional<double>> Engine::row_weights(const State& state, const Dataset& data) {
  std::vector<std::optional<double>> weights;
  for (const EvaluationFunction& function : functions_)
    weights.push_back(mean_row_weight(function, *state.layout, data, crew_->workers));
  return weights;
}

bool Engine::is_one_shard(const BatchPrograms& programs) const {
  if (programs.shards != 1 || far_) return false;
  return one_shard_.ran(*programs.whole) || OneShard::is_for(*programs.whole, step_, layout_->dtype);
}

Engine::Sums Engine::sum_over_shards(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                                     bool apart) {
  Workers& workers = crew_->workers;
  const bool by_ranks = ranks_ && ranks_->size() > 1 && programs.shards > 1;  // one shard is computed by every rank
  if (!by_ranks) settle();
  if (!apart && is_one_shard(programs)) {
    one_shard_.run(*programs.whole, step_, state, batch, workers);
    return {one_shard_.gradient(), one_shard_.sums()};
  }
  if (far_) return sum_there(state, batch, programs, apart);
  const DType dtype = state.layout->dtype;
  BlockPool& pool = crew_->pool;
  const std::int64_t doubles = programs.whole->doubles();
  const std::size_t bytes = TreeSum::block_bytes(step_.size, dtype, doubles);
  const std::size_t sums_at = TreeSum::doubles_at(step_.size, dtype);
  const auto sums_in = [&](std::byte* block) { return reinterpret_cast<double*>(block + sums_at); };
  if (by_ranks) {
    if (!rank_sums_) rank_sums_.emplace(ranks_, pool, workers);
    const RankSums::Needs needs = rank_needs();
    Block total = (*rank_sums_)(state, batch, programs, step_.size, needs);
    settle();  // what no instruction reads
    std::byte* gradient = total.data();
    return {gradient, sums_in(gradient), std::move(total), {}, needs.kept != nullptr};
  }
  TreeSum tree(programs.shards, step_.size, dtype, doubles, pool, workers);
  workers.run(programs.shards, [&](std::int64_t i) {
    auto block = pool.take_exactly(bytes);
    const ShardProgram& program = programs.of(i);
    const auto memory = pool.take(program.memory_bytes());
    program.run({state, batch, programs.first_row(i), block.data(), sums_in(block.data())}, memory.data(), workers);
    tree.add(i, block.release());
  });
  Block total = tree.take_total();
  std::byte* gradient = total.data();
  return {gradient, sums_in(gradient), std::move(total)};
}

Engine::Sums Engine::sum_there(const State& state, const RowSelection& batch, const BatchPrograms& programs,
                               bool apart) {
  if (!sums_there_) sums_there_.emplace(*far_, crew_->there);
  try {
    auto [gradient, numbers] = (*sums_there_)(state, batch, programs, step_, crew_->pool, crew_->workers, apart);
    std::byte* const first = gradient.data();
    const double* const sums = numbers.data();
    return {first, sums, std::move(gradient), std::move(numbers)};
  } catch (const IndexError&) {
    run_here(functions_, step_, state, batch, programs.whole->rows(), programs_.precision(), crew_->workers);
    throw;
  }
}

void Engine::give_back(Sums sums) {
  if (sums.lent.data()) (far_ ? crew_->there : crew_->pool).give_back(std::move(sums.lent));
}

std::byte* Engine::gradient_of(std::size_t objective, const Sums& sums, const State& state) const {
  const std::int64_t first = step_.objectives[objective].at;
  return first == 0 ? sums.gradient : sums.gradient + static_cast<std::size_t>(first) * size_of(state.layout->dtype);
}

namespace {

/// Moves runs of numbers to the left, one after another, and returns where they begin.
std::byte* joined(std::byte* numbers, const Runs& runs, DType dtype) {
  const auto bytes = [&](std::int64_t count) { return static_cast<std::size_t>(count) * size_of(dtype); };
  if (runs.size() == 1) return numbers + bytes(runs.front().first);
  std::byte* to = numbers;
  for (const Share run : runs) {
    std::memmove(to, numbers + bytes(run.first), bytes(run.size()));
    to += bytes(run.size());
  }
  return numbers;
}

}  // namespace

void Engine::update(std::size_t objective, State& state, const Sums& sums, double divisor, double norm, double lr,
                    const Progress& progress) {
  Updater& updater = objectives_[objective].updater;
  const auto& shares = objectives_[objective].shares;
  std::byte* gradient = gradient_of(objective, sums, state);
  if (shares)
    gradient = joined(gradient, shares->gradients[static_cast<std::size_t>(ranks_->rank())], state.layout->dtype);
  StepNumbers numbers{.step = updater.steps(state) + 1 - updater.skipped(state),
                      .weight = divisor,
                      .gradient_norm = norm,
                      .lr = lr,
                      .seed = state.seed};
  if (objectives_[objective].sets_momentum) numbers.momentum = optimizer(objective).schedule.momentum(progress);
  settle();  // those of the objective before
  updater.run(state, gradient, numbers, crew_->workers);
  if (shares) arrivals_->expect(objective, state.parameters.mutable_raw());
}

State Engine::with_slots(State state) {
  prepare(state);
  return state;
}

State Engine::evaluation_state(const State& state) {
  State result = state;
  prepare(result);
  for (Member& o : objectives_) result.parameters = o.updater.evaluated(result, crew_->workers);
  return result;
}

LossSum Engine::evaluate(std::size_t objective, const State& state, const Dataset& data, Tensor& predictions) {
  Evaluator& evaluator = objectives_[objective].evaluator;
  return evaluator(state, data, predictions, evaluator.is_far() ? crew_->there : crew_->pool, crew_->workers);
}

void Engine::set_memory(Memory memory) {
  if (!programs_.set_memory(memory)) return;
  alike_ = nullptr;
  one_shard_ = {};
  rank_sums_.reset();
  sums_there_.reset();
  late_.reset();
}

void Engine::set_precision(Precision precision) {
  for (const Member& o : objectives_) {
    if (precision == Precision::single || !owns_steps(o.updater.optimizer())) continue;
    fail<UsageError>(
        "[{}] precision = \"bf16\": it compares losses that it computes itself, in f32. Wanted: precision = \"f32\", "
        "or an optimizer that is given gradients",
        o.updater.optimizer().name);
  }
  if (!programs_.set_precision(precision)) return;
  alike_ = nullptr;
  one_shard_ = {};
  rank_sums_.reset();
  sums_there_.reset();
  late_.reset();
}

void Engine::watch_layers(bool watch) {
  alike_ = nullptr;
  watches_layers_ = watch;
  for (Member& o : objectives_) o.layer_norms.reset();
}

std::vector<std::string> Engine::layers(const State& state) {
  State same = state;
  prepare(same);
  std::vector<std::string> all;
  for (const StepLayout::Part& part : step_.objectives) {
    for (std::string& layer : layers_of(part.layout)) all.push_back(std::move(layer));
  }
  return all;
}

namespace {

/// Moves a statistic towards the mean of the observations, which are given as a sum over `rows`.
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

void Engine::turn(State& state, const RowSelection& batch, const Turn& turn, StepReport& report) {
  const FlushDenormals flush;
  std::optional<Pace::Step> step;
  const bool is_shared = crew_->workers.threads() > 1 && !far_ && !owns_steps_ && (!ranks_ || ranks_->size() == 1);
  if (is_shared) step.emplace(pace_, batch.count(), crew_->workers);
  if (!turn_again(state, batch, turn, report)) turn_anew(state, batch, turn, report);
}

void Engine::turn_anew(State& state, const RowSelection& batch, const Turn& turn, StepReport& report) {
  alike_ = nullptr;
  const std::int64_t rows = batch.count();
  if (rows == 0) fail<UsageError>("[train] a batch of no rows");
  if (objectives_.front().declared.empty()) (void)trace(batch.data, Mode::train, state.layout->dtype);
  if (!is_prepared(state)) prepare(state);
  if (owns_steps_) return whole_turn(state, batch, turn, report);
  const BatchPrograms programs = programs_.for_batch(state, step_, batch, turn.shard_size);
  Sums sums = sum_over_shards(state, batch, programs);
  report.step = state.step + 1, report.samples = rows;
  report.layer_norms.clear(), report.metrics.clear();
  bool moves = false;
  const std::size_t objectives = size();
  const auto progress_of = [&](std::size_t i) {
    return turn.progress.empty() ? Progress{.step = objectives_[i].updater.steps(state)} : turn.progress[i];
  };
  for (std::size_t i = 0; i < objectives; ++i) {
    did_[i] = {};
    did_[i].lr = rate_at(i, progress_of(i));
    const auto weight = turn.row_weights.empty() ? std::nullopt : turn.row_weights[i];
    divisors_[i] = weight ? static_cast<double>(rows) * *weight : sums.weight(i);
    if (sums.weight(i) != 0) look_at(i, state, batch, programs, sums, report);
  }
  for (std::size_t i = 0; i < objectives; ++i) {  // after all gradients were computed at the same parameters
    Updater& updater = objectives_[i].updater;
    const Progress progress = progress_of(i);
    if (sums.weight(i) == 0) {
      updater.skip(state);
    } else {
      const bool finite = std::isfinite(did_[i].loss) && (std::isfinite(did_[i].gradient_norm) || is_mended(i));
      if (!asks_ || !finite || !update_as_asked(state, batch, programs, sums, progress))
        update(i, state, sums, divisors_[i], did_[i].gradient_norm, did_[i].lr, progress);
      moves = moves || finite;
    }
    updater.count_step(state);
    if (i == 0) report.total_steps = progress.total;
  }
  if (!turn.may_lag) settle();
  if (moves && !programs.whole->movements().empty()) move_statistics(state, batch, programs, sums);
  const auto& [loss, weight, gradient_norm, lr] = did_.front();
  report.loss = loss, report.weight = weight, report.gradient_norm = gradient_norm, report.lr = lr;
  const auto& reports = programs.whole->reports();
  const double* reported = sums.numbers + programs.whole->losses();
  for (std::size_t i = 0; i < reports.size(); ++i)
    report.metrics.emplace_back(reports[i], reported[i] / static_cast<double>(rows));
  if (can_be_repeated(programs)) alike_ = programs.whole;
  if (sums.lent.data()) give_back(std::move(sums));
}

bool Engine::is_mended(std::size_t objective) const {
  const auto begins = [](const std::vector<Transform>& chain) { return chain.front().name == "zero_nonfinite"; };
  const Optimizer& optimizer = this->optimizer(objective);
  return !optimizer.chain.empty() && begins(optimizer.chain) &&
         std::ranges::all_of(optimizer.groups, [&](const ParameterGroup& group) {
           return group.frozen || group.chain.empty() || begins(group.chain);
         });
}

double Engine::rate_at(std::size_t objective, const Progress& progress) const {
  const Optimizer& optimizer = this->optimizer(objective);
  const double lr = optimizer.lr * optimizer.schedule.factor(progress);
  if (std::isfinite(lr)) return lr;
  fail<UsageError>("[train] the learning rate of step {} is {}, from lr = {} and the schedule '{}'. Wanted: finite",
                   progress.step + 1, lr, optimizer.lr, optimizer.schedule.name());
}

void Engine::look_at(std::size_t objective, const State& state, const RowSelection& batch,
                     const BatchPrograms& programs, const Sums& sums, StepReport& report) {
  Member& o = objectives_[objective];
  Did& did = did_[objective];
  std::byte* gradient = gradient_of(objective, sums, state);
  const double divisor = divisors_[objective];
  did.weight = programs.whole->is_mean(objective) ? static_cast<double>(batch.count()) : sums.weight(objective);
  did.loss = sums.loss(objective) / sums.weight(objective);
  did.gradient_norm = norm_of(objective, sums, state) / divisor;
  const bool finite = std::isfinite(did.loss) && std::isfinite(did.gradient_norm);
  const bool mended = std::isfinite(did.loss) && is_mended(objective);
  if (!finite && !mended && !o.updater.program().skips) throw_not_finite(objective, state, batch, programs);
  if (watches_layers_) watch_layers(objective, gradient, report);
}

void Engine::throw_not_finite(std::size_t objective, const State& state, const RowSelection& batch,
                              const BatchPrograms& programs) {
  const std::string& name = objectives_[objective].name;
  const std::string which = name.empty() ? "" : fmt::format(", objective '{}'", name);
  auto [message, found] =
      explain_not_finite(functions_, step_, state, batch, programs.whole->rows(), programs_.precision(),
                         {did_[objective].loss, did_[objective].gradient_norm, which}, crew_->workers);
  // each rank has examined its own rows
  if (batch.whole > 0) message = from_first_that(*ranks_, found, std::move(message));
  fail<NumericError>("{}", message);
}

void Engine::watch_layers(std::size_t objective, std::byte* gradient, StepReport& report) {
  Member& o = objectives_[objective];
  if (!o.layer_norms) o.layer_norms.emplace(step_.objectives[objective].layout, far_);
  BlockPool& pool = far_ ? crew_->there : crew_->pool;
  for (const double norm : o.layer_norms->of(gradient, divisors_[objective], pool, crew_->workers))
    report.layer_norms.push_back(norm);
}

void Engine::move_statistics(State& state, const RowSelection& batch, const BatchPrograms& programs, const Sums& sums) {
  if (far_) {
    return sums_there_->move_statistics(state, programs, step_, batch.count(), sums.gradient, crew_->workers);
  }
  const std::byte* observed =
      sums.gradient + static_cast<std::size_t>(step_.statistics_at) * size_of(state.layout->dtype);
  for (const Movement& m : programs.whole->movements()) {
    const std::int64_t unseen = programs.last->observes(m) ? 0 : programs.last->rows();
    move(state, m, observed, static_cast<double>(batch.count() - unseen));
  }
}

std::string Engine::explain(const State& given, const Dataset& data, std::int64_t shard_size) {
  State state = given;
  if (objectives_.front().declared.empty()) (void)trace(data, Mode::train, state.layout->dtype);
  prepare(state);
  const ShardProgram& shard = *programs_.for_batch(state, step_, {data}, shard_size).whole;
  std::string text = fmt::format("Gradient, for shards of {} rows:\n{}", shard.rows(), shard.program().explain());
  for (const Member& o : objectives_) {
    const std::string which = o.name.empty() ? "" : fmt::format(" of '{}'", o.name);
    const auto& program = o.updater.program().program;
    text += fmt::format("\nUpdate{}:\n{}", which,
                        program ? program->explain() : o.updater.optimizer().name + " takes its steps in f64\n");
  }
  return text;
}

}  // namespace thalweg
