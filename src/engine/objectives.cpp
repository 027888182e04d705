#include "engine/objectives.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "distributed/collectives.hpp"
#include "optim/asks.hpp"
#include "options/nearest_name.hpp"

namespace thalweg {

namespace {

void check_rows(const std::vector<EngineObjective>& objectives, bool simultaneous) {
  constexpr std::size_t most = 64;
  if (objectives.empty() || objectives.size() > most)
    fail<UsageError>("[trainer] {} objectives. Wanted: 1 to {}", objectives.size(), most);
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    const EngineObjective& o = objectives[i];
    if (objectives.size() > 1 && o.name.empty())
      fail<UsageError>("[trainer] an objective without a name. Wanted: one without ':', '/' and '['");
    if (std::ranges::count(objectives, o.name, &EngineObjective::name) > 1)
      fail<UsageError>("[trainer] two objectives are called '{}'", o.name);
    if (o.options.every < 1) fail<UsageError>("[trainer] '{}': every = {}. Wanted: >= 1", o.name, o.options.every);
    if (o.options.every > 1 && (i == 0 || simultaneous)) {
      fail<UsageError>("[trainer] '{}': every = {}. Hint: {}", o.name, o.options.every,
                       simultaneous ? "objectives that step at once do so at each batch."
                                    : "the first objective takes its turn at each batch.");
    }
    for (const MovingAverage& average : o.options.averages) {
      if (average.decay >= 0 && average.decay < 1) continue;
      fail<UsageError>("[average] '{}': decay = {}. Wanted: in [0, 1)", average.name, average.decay);
    }
  }
}

/// The progress of an objective that steps at every `every`th batch. (For most, every = 1, which avoids a division that
/// takes as long as a small product.)
[[gnu::always_inline]] inline Progress own_progress(const Objectives::Clock& clock, std::int64_t every) {
  const auto at_least_1 = [](std::int64_t steps) { return std::max<std::int64_t>(1, steps); };
  if (every == 1) return {clock.done, at_least_1(clock.total), at_least_1(clock.steps_an_epoch)};
  return {clock.done / every, at_least_1(clock.total / every), at_least_1(clock.steps_an_epoch / every)};
}

}  // namespace

Objectives::Objectives(std::vector<EngineObjective> objectives, bool simultaneous, int threads) {
  check_rows(objectives, simultaneous);
  crew_ = std::make_shared<Crew>(threads);
  several_ = objectives.size() > 1;
  if (simultaneous) {
    engines_.push_back(std::make_unique<Engine>(std::move(objectives), crew_));
    return;
  }
  for (EngineObjective& o : objectives) {
    std::vector<EngineObjective> alone;
    alone.push_back(std::move(o));
    engines_.push_back(std::make_unique<Engine>(std::move(alone), crew_));
  }
}

State Objectives::init(const Dataset& data, std::uint64_t seed, DType dtype) {
  std::vector<Engine*> engines;
  for (const auto& engine : engines_) engines.push_back(engine.get());
  return initial_state(engines, data, seed, dtype);
}

std::vector<std::string> Objectives::check(const State& state, const Dataset& data, Mode mode) {
  std::vector<std::string> names;
  for (const auto& engine : engines_) {
    const std::vector<std::string> reports = engine->check(state, data, mode);
    for (std::size_t i = 0; are_several() && i < engine->size(); ++i) names.push_back(engine->name(i) + ".loss");
    for (const std::string& name : reports) {
      if (std::ranges::find(names, name) != names.end())
        fail<UsageError>("[report] '{}' is reported twice. Hint: give each a name of its own.", name);
      names.push_back(name);
    }
  }
  return names;
}

std::vector<std::string> Objectives::add_row_tables(State& state, std::int64_t rows) {
  std::vector<std::string> said;
  for (const auto& engine : engines_) {
    if (auto text = engine->add_row_table(state, rows)) said.push_back(std::move(*text));
  }
  return said;
}

void Objectives::note(Engine& engine, const StepReport& report) {
  const auto did = engine.did();
  for (std::size_t i = 0; are_several() && i < engine.size(); ++i)
    measured_.push_back({engine.name(i) + ".loss", did[i].loss, did[i].weight});
  for (const auto& [name, value] : report.metrics)
    measured_.push_back({name, value, static_cast<double>(report.samples)});
}

void Objectives::round_late(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                            const RowWeights& row_weights, std::vector<StepReport>& arrived) {
  Engine& engine = *engines_.front();
  progress_.assign(1, own_progress(clock, 1));
  if (!clock.plateaus.empty()) progress_[0].plateau = clock.plateaus[0].factor;
  engine.turn_late(state, batch, {progress_, shard_size, row_weights[0]}, arrived);
  ++state.step;
}

void Objectives::drop_late() {
  for (const auto& engine : engines_) engine->drop_late();
}

void Objectives::round_of_one(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                              const RowWeights& row_weights, StepReport& round, bool may_lag) {
  Engine& engine = *engines_.front();
  Progress progress = own_progress(clock, 1);
  if (!clock.plateaus.empty()) progress.plateau = clock.plateaus[0].factor;
  engine.turn(state, batch, {{&progress, 1}, shard_size, row_weights[0], may_lag}, round);
  if (!round.metrics.empty()) note(engine, round);
  round.total_steps = clock.total;
  ++state.step;
}

void Objectives::round_of_all(State& state, const RowSelection& batch, const Clock& clock, std::int64_t shard_size,
                              const RowWeights& row_weights, StepReport& round, bool may_lag) {
  std::size_t objective = 0;  // among all
  for (std::size_t e = 0; e < engines_.size(); ++e) {
    Engine& engine = *engines_[e];
    const std::int64_t every = engine.options(0).every;
    progress_.assign(engine.size(), own_progress(clock, every));
    for (std::size_t i = 0; i < progress_.size(); ++i, ++objective) {
      if (!clock.plateaus.empty()) progress_[i].plateau = clock.plateaus[objective].factor;
    }
    if (every > 1 && (clock.done + 1) % every != 0) {
      if (watches_layers_) {
        const std::size_t count = engine.layers(state).size();
        round.layer_norms.insert(round.layer_norms.end(), count, std::numeric_limits<double>::quiet_NaN());
      }
      continue;
    }
    StepReport& report = e == 0 ? round : other_;
    const bool is_alone = engines_.size() == 1;  // the next engine reads what this one updates
    engine.turn(state, batch, {progress_, shard_size, row_weights[e], may_lag && is_alone}, report);
    note(engine, report);
    if (e > 0) round.layer_norms.insert(round.layer_norms.end(), report.layer_norms.begin(), report.layer_norms.end());
  }
  round.total_steps = clock.total;
  round.metrics.clear();
  for (const Measured& m : measured_) round.metrics.emplace_back(m.name, m.value);
  ++state.step;
}

StepReport Objectives::step(std::string_view name, State& state, const Dataset& batch, const Progress& progress,
                            std::int64_t shard_size) {
  std::vector<std::string> names;
  for (const auto& engine : engines_) {
    if (engine->size() > 1)
      fail<UsageError>(
          "[trainer] objectives that step at once have no step of their own. Hint: .simultaneous = false.");
    if (engine->name(0) != name) {
      names.push_back(engine->name(0));
      continue;
    }
    return engine->step(state, {batch}, progress, shard_size);
  }
  fail<UsageError>("[trainer] there is no objective '{}'. Hint: {}", name, name_hint(name, names));
}

bool Objectives::ended(const State& state) { return !are_several() && engines_.front()->ended(state); }

Objectives::RowWeights Objectives::row_weights(const State& state, const Dataset& data) {
  RowWeights weights;
  for (const auto& engine : engines_) weights.push_back(engine->row_weights(state, data));
  return weights;
}

State Objectives::evaluation_state(const State& state) {
  State result = state;
  for (const auto& engine : engines_) result = engine->evaluation_state(result);
  return result;
}

LossSum Objectives::evaluate(const State& state, const Dataset& data, Tensor& predictions) {
  LossSum total;
  Tensor unused;
  Metrics reports;
  for (const auto& engine : engines_) {
    for (std::size_t i = 0; i < engine->size(); ++i) {
      const bool first = engine == engines_.front() && i == 0;
      LossSum one = engine->evaluate(i, state, data, first ? predictions : unused);
      if (are_several()) reports.emplace_back(engine->name(i) + ".loss", one.sum / one.weight);
      std::ranges::copy(one.reports, std::back_inserter(reports));
      if (first) total = std::move(one);
    }
  }
  total.reports = std::move(reports);
  return total;
}

std::string Objectives::explain(const State& state, const Dataset& data, std::int64_t wanted) {
  const std::int64_t rows = shard_size(wanted, state, data, data.rows());
  std::string text;
  for (const auto& engine : engines_) {
    if (engines_.size() > 1) text += fmt::format("{}Objective '{}'\n", text.empty() ? "" : "\n", engine->name(0));
    text += engine->explain(state, data, rows);
  }
  return text;
}

StepCost Objectives::measure(const State& state, const Dataset& batch, std::int64_t wanted) {
  const std::int64_t rows = shard_size(wanted, state, batch, batch.rows());
  StepCost total = engines_.front()->measure(state, batch, rows);
  for (std::size_t e = 1; e < engines_.size(); ++e) {
    const StepCost one = engines_[e]->measure(state, batch, rows);
    const auto add = [](StepCost::Part& to, const StepCost::Part& part) {
      to.seconds += part.seconds, to.operations += part.operations, to.bytes += part.bytes;
    };
    add(total.forward, one.forward), add(total.backward, one.backward), add(total.update, one.update);
    total.arena_bytes = std::max(total.arena_bytes, one.arena_bytes);
    total.intermediate_bytes = std::max(total.intermediate_bytes, one.intermediate_bytes);
  }
  return total;
}

void Objectives::measure_ranks(const std::shared_ptr<Communicator>& ranks, State state, const Dataset& batch,
                               std::int64_t wanted) {
  const std::int64_t rows = shard_size(wanted, state, batch, batch.rows());
  begin_sharing(ranks, state);
  Communicator::Measured total;
  for (const auto& engine : engines_) {
    const Communicator::Measured one = engine->measure_ranks(state, batch, rows);
    total.computing += one.computing, total.messages += one.messages, total.together += one.together;
    total.hidden += one.hidden, total.update += one.update, total.parameters += one.parameters;
    total.whole += one.whole, total.parameters_hidden += one.parameters_hidden;
    total.bytes += one.bytes, total.parameter_bytes += one.parameter_bytes;
    total.shards = one.shards, total.buckets += one.buckets;
  }
  ranks->note(total);
  end_sharing();
}

void Objectives::plan_as(const FitOptions& options) {
  for (const auto& engine : engines_) {
    engine->set_memory(options.memory);
    engine->set_precision(options.precision);
  }
}

void Objectives::watch_layers(bool watch) {
  watches_layers_ = watch;
  for (const auto& engine : engines_) engine->watch_layers(watch);
}

WholeSlots Objectives::whole_of(const Slots& slots) const {
  WholeSlots whole;
  for (const auto& [name, values] : slots) {
    whole.push_back({values.size()});
    for (const auto& engine : engines_) {
      if (const auto known = engine->whole_of(name)) whole.back() = *known;
    }
  }
  return whole;
}

void Objectives::begin_sharing(const std::shared_ptr<Communicator>& ranks, State& state) {
  const Slots whole = std::exchange(state.slots, {});
  for (const auto& engine : engines_) {
    engine->set_ranks(ranks);
    state = engine->with_slots(std::move(state));
  }
  Communicator::Kept kept;
  std::uint64_t own = 0;
  const WholeSlots all = whole_of(state.slots);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Tensor& part = state.slots[i].second;
    kept.whole_slots += all[i].size * static_cast<std::int64_t>(size_of(part.dtype()));
    own += part.bytes();
  }
  for (const std::uint64_t bytes : gather(*ranks, {&own, 1}))
    kept.most_slots = std::max(kept.most_slots, static_cast<std::int64_t>(bytes));
  ranks->note(kept);
  if (whole.empty()) return;
  std::vector<std::int64_t> sizes;
  for (const auto& slot : whole) {
    const auto part = std::ranges::find(state.slots, slot.first, &Slots::value_type::first);
    sizes.push_back((part == state.slots.end() ? slot : *part).second.size());  // a count of steps left out is whole
  }
  state.slots = own_part(*ranks, whole, whole_of(whole), sizes);
}

void Objectives::end_sharing() {
  for (const auto& engine : engines_) engine->set_ranks({});
}

std::int64_t Objectives::shard_size(std::int64_t wanted, const State& state, const Dataset& data,
                                    std::int64_t batch_size) const {
  if (wanted > 0) return wanted;
  // a method that owns its steps computes all rows at once, which would need all memory of a device
  const bool owned =
      std::ranges::any_of(optimizers(), [](const Optimizer* optimizer) { return owns_steps(*optimizer); });
  if (device().takes_batches_whole() && !owned) return std::max<std::int64_t>(1, batch_size);
  std::int64_t most = 1;
  for (const auto& engine : engines_) most = std::max(most, engine->shard_size(*state.layout, data, batch_size));
  return most;
}

bool Objectives::cut_batches(const State& state, const Dataset& data, std::int64_t rows, std::int64_t shard_size) {
  return std::ranges::all_of(engines_,
                             [&](const auto& engine) { return engine->cuts_batches(state, data, rows, shard_size); });
}

bool Objectives::shares_slots() const {
  return std::ranges::any_of(engines_, [](const auto& engine) { return engine->shares_slots(); });
}

State Objectives::whole(Communicator& ranks, const State& state, bool on_all) const {
  if (!shares_slots()) return state;
  State all = state;
  all.slots = joined_parts(ranks, state.slots, whole_of(state.slots), on_all);
  return all;
}

Slots Objectives::slots_to_write(Communicator& ranks, const State& state) const {
  return part_to_write(ranks, state.slots, whole_of(state.slots));
}

std::vector<std::string> Objectives::layers(const State& state) {
  std::vector<std::string> all;
  for (const auto& engine : engines_) {
    for (std::string& layer : engine->layers(state)) {
      const bool taken = std::ranges::find(all, layer) != all.end();  // by another objective that trains it too
      all.push_back(taken ? engine->name(0) + ":" + layer : std::move(layer));
    }
  }
  return all;
}

std::vector<const Optimizer*> Objectives::optimizers() const {
  std::vector<const Optimizer*> all;
  for (const auto& engine : engines_) {
    for (std::size_t i = 0; i < engine->size(); ++i) all.push_back(&engine->optimizer(i));
  }
  return all;
}

}  // namespace thalweg
