// Tunes a policy of texts on a reward and keeps it near its start: proximal policy optimisation with a divergence
// penalty.

#include <algorithm>

#include "core/error.hpp"
#include "core/index.hpp"
#include "options/error.hpp"
#include "system/acting.hpp"
#include "system/row.hpp"
#include "system/text_figures.hpp"
#include "system/text_rewards.hpp"
#include "system/tuned_options.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct PpoTextOptions : TunedOptions {
  std::string gpt_checksum = {}, reward_checksum = {};
  std::int64_t rows = 64, passes = 4;
  double divergence = 8, divergence_weight = 0.1, gae_lambda = 0.95, clip = 0.2, value_weight = 0.1;
};

Fields fields(PpoTextOptions& o) {
  return tuned_fields(
      o, "a run of reward, which rates the texts",
      {{"gpt_checksum", &o.gpt_checksum, "checksum of the gpt's parameters; set when the run begins"},
       {"reward_checksum", &o.reward_checksum, "checksum of the reward's parameters; set when the run begins"},
       {"rows", &o.rows, "texts of a collection", {.low = 1, .high = 1 << 16}},
       {"passes", &o.passes, "epochs on each collection", {.low = 1}},
       {"divergence", &o.divergence,
        "wanted divergence of a text, in nats: beyond it the weight rises; 0: the weight is constant", not_negative},
       {"divergence_weight", &o.divergence_weight,
        "weight of log P - log Q in the reward of a token: the initial and lowest value", not_negative},
       {"gae_lambda", &o.gae_lambda, "lambda of the advantage estimate: 0 looks one token ahead, 1 to the end",
        unit_interval},
       {"clip", &o.clip, "the ratio of new to old probability gives no more gain beyond 1 - clip and 1 + clip",
        positive},
       {"value_weight", &o.value_weight, "weight of the value loss", not_negative}});
}

class PpoText {
 public:
  PpoText(const PpoTextOptions& options, const TextRun& gpt, const TextRun& reward, int threads)
      : o_(options),
        policy_(gpt.text, options.net, options.length, threads),
        judge_(reward, threads),
        before_(state_of_gpt(gpt)),
        values_([this](Scope s, const Batch& b) { return values(s, read(s, b["tokens"], false)); }, threads) {}

  /// -min(r A, clip(r) A) + c_v (V - R)^2 / 2 at each written token, where r is its probability divided by the one when
  /// it was written.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Var& tokens = b["tokens"];
    const nn::GptRead own = read(s, tokens, true);
    const Var written = places_written(b["prompt"], b["count"], tokens.dim(1), s.dtype());
    const Var log_ratio = log_probabilities(own.logits, tokens) - b["log_probability"], ratio = exp(log_ratio);
    const Var& advantage = b["advantage"];
    const Var gain = minimum(ratio * advantage, clamp(ratio, 1 - o_.clip, 1 + o_.clip) * advantage);
    const Var error = square(values(s, own) - b["return"]) / 2;
    const Var size = sum(written, -1);
    s.report("value loss", sum(error * written, -1) / size);
    s.report("change", sum((ratio - 1 - log_ratio) * written, -1));  // the divergence from the policy of the collection
    return {sum((o_.value_weight * error - gain) * written), sum(written)};
  }

  [[nodiscard]] Dataset like() const {
    acting::expect_collection("ppo_text", o_.rows, 4 * o_.length);
    const Shape places{o_.rows, o_.length - 1};
    Dataset rows;
    rows.set("tokens", Tensor({o_.rows, o_.length}, i32));
    rows.set("prompt", full({o_.rows}, 1, i32));
    rows.set("count", full({o_.rows}, 2, i32));
    for (const char* name : {"log_probability", "advantage", "return"}) rows.set(name, Tensor(places));
    return rows;
  }
  [[nodiscard]] Collection collect(const State& state, const CollectRequest& request) const;
  [[nodiscard]] TunedPolicy tuned(const State& state) const { return {policy_, state, before_, o_.prompts, &judge_}; }
  [[nodiscard]] const PpoTextOptions& options() const { return o_; }
  [[nodiscard]] Generated generate(const State& state, const GenerateRequest& request) const {
    return generated(policy_, state, o_.prompts, request);
  }

 private:
  [[nodiscard]] nn::GptRead read(const Scope& s, const Var& tokens, bool logits) const {
    return nn::gpt_read(s, tokens, policy_.vocabulary(), o_.net, logits);
  }
  /// The expected reward of a text before each of its tokens but the first, (batch, length - 1).
  [[nodiscard]] static Var values(const Scope& s, const nn::GptRead& own) {
    const Var all = squeeze(nn::dense(s / "value", own.read, 1, {.initializer = init::zeros()}), 2);
    return slice(all, 0, all.dim(1) - 1, 1);
  }
  [[nodiscard]] double weight_at(const CollectRequest& request) const {
    if (!request.last) return o_.divergence_weight;
    const auto& kept = request.last->kept;
    const auto found = std::ranges::find(kept, "weight", &NamedTensors::value_type::first);
    if (found == kept.end() || found->second.size() != 1)
      fail<ModelError>("[ppo_text] the collection does not keep the weight of the divergence");
    return found->second.item();
  }
  /// Makes the training columns from the written texts.
  [[nodiscard]] Dataset rows_of(const TextRows& rows, const TextSaid& said, const Tensor& values,
                                const std::vector<double>& rewards, double weight) const;

  PpoTextOptions o_;
  TextPolicy policy_;
  TextJudge judge_;
  State before_;
  Apply values_;
};

Dataset PpoText::rows_of(const TextRows& rows, const TextSaid& said, const Tensor& values,
                         const std::vector<double>& rewards, double weight) const {
  const std::int64_t places = o_.length - 1;
  std::vector<double> advantages;
  Tensor advantage({rows.rows(), places}), returns({rows.rows(), places});
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    const auto first = static_cast<std::int64_t>(rows.prompt.at(row)) - 1,
               end = static_cast<std::int64_t>(rows.count.at(row)) - 1;
    TextCourse course{.reward = at(rewards, row), .values = {}, .log_ratio = {}};
    for (std::int64_t i = row * places + first; i < row * places + end; ++i) {
      course.values.push_back(values.at(i));
      course.log_ratio.push_back(said.log_probability.at(i) - said.reference.at(i));
    }
    const TextAdvantages own = advantages_of(course, weight, o_.gae_lambda);
    for (std::int64_t i = first; i < end; ++i) returns.set(row * places + i, at(own.returns, i - first));
    advantages.insert(advantages.end(), own.advantage.begin(), own.advantage.end());
  }
  const std::vector<float> standard = standardised(advantages);
  std::size_t next = 0;
  for (std::int64_t row = 0; row < rows.rows(); ++row) {
    for (auto i = static_cast<std::int64_t>(rows.prompt.at(row)) - 1;
         i + 1 < static_cast<std::int64_t>(rows.count.at(row)); ++i)
      advantage.set(row * places + i, standard[next++]);
  }
  Dataset data;
  data.set("tokens", rows.tokens);
  data.set("prompt", rows.prompt);
  data.set("count", rows.count);
  data.set("log_probability", said.log_probability);
  data.set("advantage", std::move(advantage));
  data.set("return", std::move(returns));
  return data;
}

Collection PpoText::collect(const State& state, const CollectRequest& request) const {
  const RandomKey key = RandomKey{request.seed}.fold("ppo_text").fold(static_cast<std::uint64_t>(request.number));
  const TextRows rows = policy_.write(state, o_.prompts, o_.rows, request.number * o_.rows, key);
  if (request.stop.stop_requested()) return {};
  const TextSaid said = policy_.said(state, before_, rows);
  const std::vector<double> rewards = judge_(rows);
  const double weight = weight_at(request), count = static_cast<double>(o_.rows);
  double reward = 0, divergence = 0, tokens = 0;
  for (std::int64_t row = 0; row < o_.rows; ++row) {
    reward += at(rewards, row) / count;
    tokens += (rows.count.at(row) - rows.prompt.at(row)) / count;
    for (std::int64_t i = 0; i + 1 < o_.length; ++i)
      divergence += said.divergence.at(row * (o_.length - 1) + i) / count;
  }
  const double next = o_.divergence > 0 ? next_weight(weight, divergence, o_.divergence, o_.divergence_weight) : weight;
  return {
      .rows = rows_of(rows, said, values_(state, {{"tokens", rows.tokens}}), rewards, weight),
      .kept = {{"weight", full({1}, next, f64)}},
      .metrics = {
          {"reward", reward}, {"divergence", divergence}, {"divergence weight", weight}, {"tokens a text", tokens}}};
}

System make_ppo_text(const SystemData& data, const PpoTextOptions& options) {
  const TextRun gpt = text_run_as_it_was("gpt", options.gpt, "gpt", options.gpt_checksum),
                reward = text_run_as_it_was("reward", options.reward, "reward", options.reward_checksum);
  check_prompts("ppo_text", options.prompts, gpt.text, options.length);
  expect_reads("ppo_text", reward, options.length);
  const auto system = std::make_shared<const PpoText>(options, gpt, reward, data.threads);
  return {.objectives = {{.loss = [system](Scope s, const Batch& b) { return system->loss(s, b); }}},
          .show =
              [system](const State& state, const Dataset&) {
                constexpr std::int64_t texts = 6;
                return samples_of(system->tuned(state), texts, RandomKey{state.seed}.fold("show"));
              },
          .evaluate =
              [system](const State& state, const SystemSets& sets) {
                return figures_of(system->tuned(state), system->options().texts,
                                  RandomKey{sets.seed}.fold("evaluation"));
              },
          .generate = [system](const State& state,
                               const GenerateRequest& request) { return system->generate(state, request); },
          .own_rows =
              OwnRows{.like = system->like(),
                      .collect = [system](const State& state,
                                          const CollectRequest& request) { return system->collect(state, request); },
                      .passes = options.passes,
                      .unit = "texts",
                      .goal = "reward"}};
}

/// Makes the paths of the runs absolute, and sets the checksums of their present parameters.
void settle_runs(PpoTextOptions& o) {
  const auto place = [](std::string& run, std::string_view key) {
    if (run.empty()) fail_option(key, "[ppo_text] {0} is not set. Wanted: the folder of a finished run of {0}", key);
    run = place_of_run(run);
  };
  place(o.gpt, "gpt");
  place(o.reward, "reward");
  if (!o.gpt_checksum.empty() && !o.reward_checksum.empty()) return;
  const TextRun gpt = text_run("gpt", o.gpt, "gpt"), reward = text_run("reward", o.reward, "reward");
  expect_same_tokens("ppo_text", o.gpt, gpt, o.reward, reward);
  o.gpt_checksum = gpt.checksum;
  o.reward_checksum = reward.checksum;
}

}  // namespace

std::vector<SystemRow> ppo_text_systems() {
  return {system_row<PpoTextOptions>(
      {.name = "ppo_text",
       .summary = "a policy of texts, tuned on a reward and kept near its start (PPO)",
       .formula =
           "-min(r A, clamp(r, 1 - clip, 1 + clip) A) + value_weight (V - R)^2 / 2 at each token, whose reward is "
           "-weight (log P - log Q), and at the last of a text reward(text) more; Q: P at the start",
       .when = "a gpt, and a reward that a run on pairs has learned",
       .source = "Schulman et al. 2017; of texts: Ziegler et al. 2019, Stiennon et al. 2020, Ouyang et al. 2022",
       .defaults = {{"optimizer", OptionMap{{"kind", "adam"}, {"lr", 1e-4}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "constant"}}},
                    {"train", OptionMap{{"epochs", 200}, {"batch_size", 32}, {"checkpoint_every", "5%"}}}},
       .part = gpt_part("")},
      make_ppo_text, settle_runs)};
}

}  // namespace thalweg
