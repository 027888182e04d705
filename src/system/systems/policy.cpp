// A policy that learns from its own episodes, by policy gradient with a baseline: proximal policy optimisation.

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "core/error.hpp"
#include "system/acting.hpp"
#include "system/row.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using acting::Positions;

struct PolicyOptions {
  std::string environment = "cartpole";
  std::int64_t environments = 8, steps = 128, passes = 10;
  double discount = 0.99, gae_lambda = 0.95, clip = 0.2, value_weight = 0.5, entropy_weight = 0.01;
  std::vector<std::int64_t> hidden = {64, 64};
};

Fields fields(PolicyOptions& o) {
  return {
      {"environment", &o.environment, "the environment: thalweg list environments"},
      {"environments", &o.environments, "episodes that run at the same time", {.low = 1, .high = 4096}},
      {"steps", &o.steps, "steps of each of these episodes in a collection", {.low = 1, .high = 1 << 20}},
      {"passes", &o.passes, "epochs on each collection", {.low = 1}},
      {"discount", &o.discount, "discount factor of rewards, per step", unit_interval},
      {"gae_lambda", &o.gae_lambda, "lambda of the advantage estimate: 0 looks one step ahead, 1 to the end",
       unit_interval},
      {"clip", &o.clip, "the ratio of new to old probability gives no more gain beyond 1 - clip and 1 + clip",
       positive},
      {"value_weight", &o.value_weight, "weight of the value loss", not_negative},
      {"entropy_weight", &o.entropy_weight, "weight of the entropy, which keeps the policy exploring", not_negative},
      {"hidden", &o.hidden, "units of the dense layers, the same for the policy and the values", {.low = 1}}};
}

constexpr std::size_t remembered = 100;             // the number of latest episodes over which the length is averaged
constexpr std::int64_t measured_episodes = 100;     // episodes in an evaluation
constexpr std::int64_t longest_measured = 100'000;  // the largest number of steps of an evaluated episode

/// Two nets of dense layers, initialised as by Huang et al. (2022).
class PolicyNet {
 public:
  PolicyNet(const Environment& environment, PolicyOptions options)
      : actions_(environment.actions()), o_(std::move(options)) {}

  /// Log-probabilities (batch, actions) and values (batch).
  [[nodiscard]] std::pair<Var, Var> operator()(const Scope& s, const Batch& b) const {
    const Var x = flatten(b["observation"]);
    const Var logits = layers(s / "policy", x, actions_, 0.01), value = layers(s / "value", x, 1, 1);
    return {log_softmax(acting::masked(logits, b["legal"])), reshape(value, {b.rows()})};
  }

  /// -min(r A, clip(r) A) + c_v (V - R)^2 / 2 - c_e H, where r is the action's probability divided by the one at the
  /// collection.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const auto [log_probabilities, value] = (*this)(s, b);
    const Var log_ratio = pick(log_probabilities, b["action"]) - b["log_probability"], ratio = exp(log_ratio);
    const Var& advantage = b["advantage"];
    const Var gain = minimum(ratio * advantage, clamp(ratio, 1 - o_.clip, 1 + o_.clip) * advantage);
    const Var entropy = -sum(exp(log_probabilities) * log_probabilities, -1);
    const Var error = square(value - b["return"]) / 2;
    s.report("entropy", entropy);
    s.report("value loss", error);
    s.report("divergence", ratio - 1 - log_ratio);  // the divergence of the old policy from the new one (Schulman 2020)
    return Loss::of_samples(-gain + o_.value_weight * error - o_.entropy_weight * entropy);
  }

 private:
  [[nodiscard]] Var layers(const Scope& s, Var x, std::int64_t outputs, double gain) const {
    for (std::size_t i = 0; i < o_.hidden.size(); ++i) {
      const nn::DenseOptions options{.initializer = init::orthogonal(std::numbers::sqrt2)};
      x = tanh(nn::dense(s / ("layer" + std::to_string(i + 1)), x, o_.hidden[i], options));
    }
    return nn::dense(s / "output", x, outputs, {.initializer = init::orthogonal(gain)});
  }

  std::int64_t actions_;
  PolicyOptions o_;
};

/// Unfinished episodes, and the lengths and returns of the latest finished ones. They are saved as the number of each
/// episode, which gives its seed, and its actions so far.
class Episodes {
 public:
  Episodes(const Environment& environment, std::int64_t count, RandomKey key) : key_(key.fold("episodes")) {
    for (std::int64_t i = 0; i < count; ++i) {
      worlds_.push_back(environment.copy());
      numbers_.push_back(-1);
      actions_.emplace_back();
      begin(static_cast<std::size_t>(i));
    }
  }

  /// Continues from the saved episodes in `kept`.
  void restore(const NamedTensors& kept) {
    const auto named = [&](std::string_view name) -> const Tensor& {
      const auto found = std::ranges::find(kept, name, &NamedTensors::value_type::first);
      if (found == kept.end()) fail<ModelError>("[policy] the collection keeps no '{}'", name);
      return found->second;
    };
    const Tensor &numbers = named("episode"), &counts = named("taken"), &actions = named("actions");
    const std::int64_t width = actions.size() / std::max<std::int64_t>(1, counts.size());
    if (numbers.size() != size() || counts.size() != size() || actions.size() != width * size())
      fail<ModelError>("[policy] the collection keeps {} episodes. Wanted: {}", numbers.size(), size());
    for (std::int64_t i = 0; i < size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      numbers_[at] = static_cast<std::int64_t>(numbers.at(i)) - 1;
      begin(at);
      if (!(counts.at(i) <= static_cast<double>(width)))
        fail<ModelError>("[policy] the collection keeps {} actions of {}", width, counts.at(i));
      for (std::int64_t k = 0; k < static_cast<std::int64_t>(counts.at(i)); ++k) {
        const auto action = static_cast<std::int64_t>(actions.at(i * width + k));
        if (!worlds_[at]->legal(action))
          fail<ModelError>("[policy] the collection keeps action {} where it is not legal", action);
        (void)step(at, action);
      }
    }
    if (std::ranges::find(kept, "ended", &NamedTensors::value_type::first) == kept.end()) return;
    const Tensor& ended = named("ended");  // (episodes, 2)
    for (std::int64_t i = 0; i + 1 < ended.size(); i += 2) ended_.push_back({ended.at(i), ended.at(i + 1)});
  }

  [[nodiscard]] NamedTensors kept() const {
    std::size_t width = 1;
    for (const auto& actions : actions_) width = std::max(width, actions.size());
    Tensor numbers({size()}, i32), counts({size()}, i32), taken({size(), static_cast<std::int64_t>(width)}, i32);
    for (std::int64_t i = 0; i < size(); ++i) {
      const auto& actions = actions_[static_cast<std::size_t>(i)];
      numbers.set(i, static_cast<double>(numbers_[static_cast<std::size_t>(i)]));
      counts.set(i, static_cast<double>(actions.size()));
      for (std::size_t k = 0; k < actions.size(); ++k)
        taken.set(i * static_cast<std::int64_t>(width) + static_cast<std::int64_t>(k), static_cast<double>(actions[k]));
    }
    NamedTensors all = {{"episode", numbers}, {"taken", counts}, {"actions", taken}};
    if (ended_.empty()) return all;
    Tensor ended({std::ssize(ended_), 2}, f64);
    for (std::int64_t i = 0; i < std::ssize(ended_); ++i) {
      ended.set(2 * i, ended_[static_cast<std::size_t>(i)].length);
      ended.set(2 * i + 1, ended_[static_cast<std::size_t>(i)].reward);
    }
    all.emplace_back("ended", ended);
    return all;
  }

  [[nodiscard]] std::int64_t size() const { return std::ssize(worlds_); }
  [[nodiscard]] const Environment& operator[](std::size_t i) const { return *worlds_[i]; }
  [[nodiscard]] std::vector<const Environment*> positions() const {
    std::vector<const Environment*> all;
    for (const auto& world : worlds_) all.push_back(world.get());
    return all;
  }

  double step(std::size_t i, std::int64_t action) {
    actions_[i].push_back(action);
    return worlds_[i]->step(action);
  }
  /// Records the results of a finished episode, and begins the next one.
  void renew(std::size_t i) {
    ended_.push_back({static_cast<double>(worlds_[i]->steps()), worlds_[i]->outcome()});
    if (ended_.size() > remembered) ended_.erase(ended_.begin());
    begin(i);
  }

  /// Means over the latest finished episodes; empty before the first one has finished.
  [[nodiscard]] Metrics metrics() const {
    if (ended_.empty()) return {};
    double length = 0, reward = 0;
    for (const Ended& one : ended_) {
      length += one.length;
      reward += one.reward;
    }
    const auto count = static_cast<double>(ended_.size());
    return {{"episode length", length / count}, {"return", reward / count}};
  }

 private:
  struct Ended {
    double length, reward;
  };
  void begin(std::size_t i) {
    ++numbers_[i];
    actions_[i].clear();
    worlds_[i]->reset(acting::seed_of(key_.fold(i).fold(static_cast<std::uint64_t>(numbers_[i]))));
  }

  RandomKey key_;
  std::vector<std::unique_ptr<Environment>> worlds_;
  std::vector<std::int64_t> numbers_;               // the number of the present episode of each environment, from 0
  std::vector<std::vector<std::int64_t>> actions_;  // actions since the episode began
  std::vector<Ended> ended_;
};

/// The records of a collection, step by step: (steps, environments) each.
struct Written {
  std::vector<float> observations, legal, log_probabilities;
  std::vector<std::int32_t> actions;
  std::vector<double> values, rewards;
  std::vector<bool> over;
  /// The values after steps at which an episode was cut off at its largest length: (place, value).
  std::vector<std::pair<std::size_t, double>> after_cut;
};

class Collector {
 public:
  Collector(const SystemData& data, const PolicyOptions& options, const PolicyNet& net)
      : environment_(acting::environment_named(data, "policy", options.environment, 1)),
        o_(options),
        adviser_(acting::adviser_of(net, data.threads)) {}

  [[nodiscard]] const Environment& environment() const { return *environment_; }
  [[nodiscard]] const acting::Adviser& adviser() const { return adviser_; }

  [[nodiscard]] Collection operator()(const State& state, const CollectRequest& request) const {
    const RandomKey key = RandomKey{request.seed}.fold("policy");
    Episodes episodes(*environment_, o_.environments, key);
    if (request.last) episodes.restore(request.last->kept);
    const RandomKey draws = key.fold("actions").fold(static_cast<std::uint64_t>(request.number));
    Written written;
    for (std::int64_t t = 0; t < o_.steps; ++t) {
      if (request.stop.stop_requested()) return {};
      take_step(state, episodes, draws, written);
    }
    const std::vector<float> last = adviser_(state, episodes.positions()).values;
    return {rows_of(written, last), episodes.kept(), episodes.metrics()};
  }

  /// The rows as columns of a collection.
  [[nodiscard]] Dataset like() const {
    const std::int64_t numbers = environment_->observation_shape().size() + environment_->actions() + 5;
    acting::expect_collection("policy", o_.environments * o_.steps, numbers);
    Written none;
    const auto rows = static_cast<std::size_t>(o_.environments * o_.steps);
    none.observations.resize(rows * static_cast<std::size_t>(environment_->observation_shape().size()));
    none.legal.assign(rows * static_cast<std::size_t>(environment_->actions()), 1.f);
    none.log_probabilities.resize(rows);
    none.actions.resize(rows);
    none.values.resize(rows);
    none.rewards.resize(rows);
    none.over.resize(rows);
    return rows_of(none, std::vector<float>(static_cast<std::size_t>(o_.environments)));
  }

 private:
  void take_step(const State& state, Episodes& episodes, RandomKey draws, Written& written) const {
    const std::vector<const Environment*> positions = episodes.positions();
    const acting::Said said = adviser_(state, positions);
    append(written.observations, acting::observations(positions, episodes.size()));
    append(written.legal, acting::legal_actions(positions, episodes.size()));
    std::vector<std::size_t> cut;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const std::size_t place = written.actions.size();
      const std::int64_t action = acting::drawn(said.of(i), *positions[i], random_unit(draws, place));
      written.actions.push_back(static_cast<std::int32_t>(action));
      written.log_probabilities.push_back(said.of(i)[static_cast<std::size_t>(action)]);
      written.values.push_back(said.values[i]);
      written.rewards.push_back(episodes.step(i, action));
      written.over.push_back(positions[i]->over());
      if (positions[i]->cut()) cut.push_back(i);
    }
    note_cut(state, positions, cut, written);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      if (positions[i]->over()) episodes.renew(i);
    }
  }

  /// For an episode that was only cut off, the value of its last state estimates the missing rewards (Pardo et al.
  /// 2018).
  void note_cut(const State& state, Positions positions, const std::vector<std::size_t>& cut, Written& written) const {
    if (cut.empty()) return;
    std::vector<const Environment*> ends;
    for (const std::size_t i : cut) ends.push_back(positions[i]);
    const std::vector<float> values = adviser_(state, ends).values;
    const std::size_t first = written.actions.size() - positions.size();
    for (std::size_t k = 0; k < cut.size(); ++k) written.after_cut.emplace_back(first + cut[k], values[k]);
  }

  /// A_t = sum over l of (discount lambda)^l delta_{t+l}, delta_t = r_t + discount V_{t+1} - V_t, to the end of the
  /// episode (Schulman et al. 2016).
  [[nodiscard]] std::vector<double> advantages(const Written& written, const std::vector<float>& last) const {
    const auto width = static_cast<std::size_t>(o_.environments), count = written.actions.size();
    std::vector<double> all(count), ends(count);
    for (const auto& [place, value] : written.after_cut) ends[place] = value;
    for (std::size_t at = count; at-- > 0;) {
      const bool is_last = at + width >= count, over = written.over[at];
      const double next = over ? ends[at] : is_last ? last[at + width - count] : written.values[at + width];
      const double later = over || is_last ? 0 : all[at + width];
      all[at] = written.rewards[at] + o_.discount * next - written.values[at] + o_.discount * o_.gae_lambda * later;
    }
    return all;
  }

  /// The advantages have mean 0 and deviation 1 over the collection.
  [[nodiscard]] Dataset rows_of(const Written& written, const std::vector<float>& last) const {
    const std::vector<double> advantage = advantages(written, last);
    const auto rows = std::ssize(written.actions);
    const double count = static_cast<double>(rows);
    const double mean = std::accumulate(advantage.begin(), advantage.end(), 0.0) / count;
    double squares = 0;
    for (const double a : advantage) squares += (a - mean) * (a - mean);
    const double scale = 1 / (std::sqrt(squares / count) + 1e-8);
    std::vector<float> standard, returns;
    for (std::size_t i = 0; i < advantage.size(); ++i) {
      standard.push_back(static_cast<float>((advantage[i] - mean) * scale));
      returns.push_back(static_cast<float>(advantage[i] + written.values[i]));
    }
    Shape observations{rows};
    for (const std::int64_t size : environment_->observation_shape()) observations.push_back(size);
    Dataset data;
    data.set("observation", Tensor::from(written.observations, observations));
    data.set("legal", Tensor::from(written.legal, {rows, environment_->actions()}));
    data.set("action", Tensor::from(written.actions, {rows}));
    data.set("log_probability", Tensor::from(written.log_probabilities, {rows}));
    data.set("advantage", Tensor::from(standard, {rows}));
    data.set("return", Tensor::from(returns, {rows}));
    return data;
  }

  static void append(std::vector<float>& to, const Tensor& tensor) {
    const auto values = tensor.values<float>();
    to.insert(to.end(), values.begin(), values.end());
  }

  std::unique_ptr<Environment> environment_;
  PolicyOptions o_;
  acting::Adviser adviser_;
};

/// Chooses the action of each unfinished episode.
using ActAll = std::function<std::vector<std::int64_t>(const std::vector<const Environment*>&)>;

/// The mean length and return of episodes, and the shortest length. All policies get episodes with the same seeds.
Metrics measure_episodes(const Environment& environment, std::int64_t count, RandomKey key, const ActAll& act) {
  std::vector<std::unique_ptr<Environment>> all;
  for (std::int64_t i = 0; i < count; ++i) {
    all.push_back(environment.copy());
    all.back()->reset(acting::seed_of(key.fold(static_cast<std::uint64_t>(i))));
  }
  for (std::int64_t step = 0;; ++step) {
    std::vector<Environment*> going;
    std::vector<const Environment*> seen;
    for (const auto& one : all) {
      if (one->over()) continue;
      going.push_back(one.get());
      seen.push_back(one.get());
    }
    if (going.empty()) break;
    if (step == longest_measured)
      fail<UsageError>("[policy] an episode of {} did not end within {} steps", environment.name(), longest_measured);
    const std::vector<std::int64_t> actions = act(seen);
    for (std::size_t i = 0; i < going.size(); ++i) going[i]->step(actions[i]);
  }
  double length = 0, reward = 0, shortest = static_cast<double>(longest_measured);
  for (const auto& one : all) {
    length += static_cast<double>(one->steps());
    reward += one->outcome();
    shortest = std::min(shortest, static_cast<double>(one->steps()));
  }
  const auto n = static_cast<double>(count);
  return {{"episode length", length / n}, {"shortest episode", shortest}, {"return", reward / n}};
}

ActAll acting_by(const acting::Adviser& adviser, const State& state) {
  return [&adviser, &state](const std::vector<const Environment*>& positions) {
    const acting::Said said = adviser(state, positions);
    std::vector<std::int64_t> actions;
    for (std::size_t i = 0; i < positions.size(); ++i)
      actions.push_back(acting::most_probable(said.of(i), *positions[i]));
    return actions;
  };
}

ActAll acting_at_random(RandomKey key) {
  return [key, drawn = std::uint64_t{0}](const std::vector<const Environment*>& positions) mutable {
    std::vector<std::int64_t> actions;
    for (const Environment* one : positions) actions.push_back(acting::any_action(*one, random_unit(key, drawn++)));
    return actions;
  };
}

/// The last state of an episode with the most probable actions.
Medium last_drawing(const Collector& collector, const State& state) {
  const std::unique_ptr<Environment> world = collector.environment().copy();
  world->reset(1);
  const ActAll act = acting_by(collector.adviser(), state);
  while (!world->over() && world->steps() < longest_measured) world->step(act({world.get()}).front());
  return Medium::text(world->drawing());
}

System make_policy(const SystemData& data, const PolicyOptions& options) {
  const PolicyNet net(*acting::environment_named(data, "policy", options.environment, 1), options);
  const auto collector = std::make_shared<const Collector>(data, options, net);
  const auto evaluate = [collector](const State& state, const SystemSets& sets) {
    const RandomKey key = RandomKey{sets.seed}.fold("evaluation");
    const Environment& environment = collector->environment();
    return SystemFigures{
        .metrics = measure_episodes(environment, measured_episodes, key, acting_by(collector->adviser(), state)),
        .baselines = {{"at random",
                       measure_episodes(environment, measured_episodes, key, acting_at_random(key.fold("random")))}},
        .media = {{"how an episode ends", last_drawing(*collector, state)}},
        .on = fmt::format("{} episodes", measured_episodes)};
  };
  const auto play = [collector](const State& state, std::uint64_t seed) {
    collector->adviser().expect_net_in(state, collector->environment());
    Playing playing{collector->environment().copy(), {}};
    playing.environment->reset(seed);
    playing.act = [collector, state](const Environment& at) {
      return acting_by(collector->adviser(), state)({&at}).front();
    };
    return playing;
  };
  return {.objectives = {{.loss = [net](const Scope& s, const Batch& b) { return net.loss(s, b); }}},
          .show = [collector](const State& state, const Dataset&) -> NamedMedia {
            return {{"how an episode ends", last_drawing(*collector, state)}};
          },
          .evaluate = evaluate,
          .own_rows =
              OwnRows{.like = collector->like(),
                      .collect = [collector](const State& state,
                                             const CollectRequest& request) { return (*collector)(state, request); },
                      .passes = options.passes,
                      .unit = "steps",
                      .goal = "episode length"},
          .play = play};
}

}  // namespace

std::vector<SystemRow> policy_systems() {
  const OptionMap defaults = {
      {"optimizer", OptionMap{{"kind", "adam"}, {"lr", 1e-3}, {"eps", 1e-5}, {"clip_norm", 0.5}}},
      {"schedule", OptionMap{{"kind", "linear"}}},
      {"train", OptionMap{{"epochs", 1000}, {"batch_size", 256}, {"checkpoint_every", "5%"}}}};
  return {system_row<PolicyOptions>(
      {.name = "policy",
       .summary = "a policy that learns from its own episodes (PPO)",
       .formula = "-min(r A, clamp(r, 1 - clip, 1 + clip) A) + value_weight (V - R)^2 / 2 - entropy_weight H; r = "
                  "p(action) / p(action) at the collection, A: advantages by gae_lambda, R = A + V at the collection",
       .when = "control, and other tasks with a reward but without examples",
       .source = "Schulman et al. 2017; advantages: Schulman et al. 2016; the details: Huang et al. 2022",
       .defaults = defaults},
      make_policy)};
}

}  // namespace thalweg
