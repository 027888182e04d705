// A reward: a score of texts, learned from pairs of texts with a preference.

#include <algorithm>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "data/preferences.hpp"
#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "system/margins.hpp"
#include "system/reward_net.hpp"
#include "system/row.hpp"
#include "system/text_baseline.hpp"
#include "system/text_runs.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

struct RewardOptions {
  nn::GptOptions net;
  std::string gpt = {};
  double language_weight = 0.5;
  std::int64_t pairs = 0;
};

Fields fields(RewardOptions& o) {
  Fields all = nn::fields(o.net);
  all.push_back(
      {"gpt", &o.gpt, "a run of a gpt, from which the sizes, the tokens and the parameters are taken; empty: none"});
  all.push_back({"language_weight", &o.language_weight,
                 "weight of the surprise at the tokens of the texts, which is added to the loss (Radford et al. 2018)",
                 not_negative});
  all.push_back(
      {"pairs",
       &o.pairs,
       "columns of hashed pairs of adjacent tokens, of which a linear reward learns beside the gpt; the reward "
       "is the mean of both; 0: by the gpt alone",
       {.low = 0, .high = 1 << 22}});
  return all;
}

class RewardSystem {
 public:
  RewardSystem(const RewardOptions& options, std::int64_t vocabulary, int threads)
      : o_(options),
        net_(vocabulary, options.net, options.pairs),
        score_([net = net_](Scope s, const Batch& b) { return net(s, b["tokens"], b["count"], false).reward; },
               threads) {}

  /// -log sigmoid(r(chosen) - r(rejected)), and the surprise at both texts. Each part of a reward learns the pairs for
  /// itself: on the margin of their mean, the words would soon leave the gpt nothing to learn.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const bool language = o_.language_weight > 0 && s.mode() == Mode::train;
    const auto chosen = net_(s, b["chosen"], b["chosen_count"], language);
    const auto rejected = net_(s, b["rejected"], b["rejected_count"], language);
    const Var margin = chosen.reward - rejected.reward;
    s.report("ordered right", cast(margin > 0, s.dtype()));
    Var each = s.mode() == Mode::train ? apart(chosen, rejected) : softplus(-margin);
    if (language) {
      const Var surprise = (surprise_at(chosen.logits, b["chosen"], b["chosen_count"], s.dtype()) +
                            surprise_at(rejected.logits, b["rejected"], b["rejected_count"], s.dtype())) /
                           2;
      s.report("surprise a token", surprise);
      each = each + o_.language_weight * surprise;
    }
    return Loss::of_samples(each);
  }

  [[nodiscard]] std::vector<double> rewards(const State& state, const Dataset& rows, const std::string& side) const {
    constexpr std::int64_t portion = 64;
    std::vector<double> all;
    for (std::int64_t begin = 0; begin < rows.rows(); begin += portion) {
      const std::int64_t end = std::min(rows.rows(), begin + portion);
      const Tensor own =
          score_(state, {{"tokens", rows[side].rows(begin, end)}, {"count", rows[side + "_count"].rows(begin, end)}});
      all.insert(all.end(), own.values<float>().begin(), own.values<float>().end());
    }
    return all;
  }
  [[nodiscard]] SystemFigures figures(const State& state, const SystemSets& sets) const;
  [[nodiscard]] NamedMedia show(const State& state, const Dataset& rows) const {
    const Dataset few = rows.slice(0, std::min<std::int64_t>(8, rows.rows()));
    return {{"pairs and their rewards", table(few, rewards(state, few, "chosen"), rewards(state, few, "rejected"))}};
  }

 private:
  static Var apart(const RewardNet::Scored& chosen, const RewardNet::Scored& rejected) {
    std::vector<Var> losses;
    for (std::size_t i = 0; i < chosen.parts.size(); ++i)
      losses.push_back(softplus(rejected.parts[i] - chosen.parts[i]));
    return mean(stack(losses), {0});
  }
  /// The mean over the tokens of each text, (batch).
  static Var surprise_at(const Var& logits, const Var& tokens, const Var& count, DType dtype) {
    const Var one = constant(full({tokens.dim(0)}, 1, i32));
    const Var counts = places_written(one, count, tokens.dim(1), dtype);
    return -sum(log_probabilities(logits, tokens) * counts, -1) / sum(counts, -1);
  }
  static Medium table(const Dataset& rows, const std::vector<double>& chosen, const std::vector<double>& rejected) {
    std::vector<std::vector<std::string>> lines;
    for (std::int64_t row = 0; row < rows.rows(); ++row) {
      const auto at = static_cast<std::size_t>(row);
      lines.push_back({data::text_at(rows["chosen_text"], row), fmt::format("{:.2f}", chosen[at]),
                       data::text_at(rows["rejected_text"], row), fmt::format("{:.2f}", rejected[at])});
    }
    return Medium::table({"preferred", "reward", "other", "reward"}, lines);
  }

  RewardOptions o_;
  RewardNet net_;
  Apply score_;
};

SystemFigures RewardSystem::figures(const State& state, const SystemSets& sets) const {
  constexpr std::int64_t shown = 40;
  constexpr const char* right = "ordered right";
  const std::vector<double> chosen = rewards(state, sets.test, "chosen"),
                            rejected = rewards(state, sets.test, "rejected");
  std::vector<double> margins, longer;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    margins.push_back(chosen[i] - rejected[i]);
    longer.push_back(static_cast<double>(data::text_at(sets.test["chosen_text"], row).size()) -
                     static_cast<double>(data::text_at(sets.test["rejected_text"], row).size()));
  }
  const Dataset few = sets.test.slice(0, std::min(shown, sets.test.rows()));
  return {.metrics = margin_metrics(margins, right),
          .baselines = {{"bag of words", margin_metrics(tfidf_preferences(sets.train, sets.test, sets.seed), right)},
                        {"the longer text", {margin_metrics(longer, right).front()}}},
          .media = {{"pairs and their rewards", table(few, chosen, rejected)}},
          .on = fmt::format("{} pairs", with_commas(sets.test.rows()))};
}

System make_reward(const SystemData& data, const RewardOptions& options) {
  const auto* text = data.preprocessing ? data.preprocessing->text() : nullptr;
  if (!text) fail<UsageError>("[reward] the rows are not pairs. Wanted: format = \"preferences\" in [data]");
  if (!options.net.tied)
    fail_option("tied", "[reward] tied = false: a reward has no separate output over tokens. Wanted: {}",
                options.gpt.empty() ? "true" : "a gpt that was trained with tied = true");
  if (options.net.positions == "learned" && text->sequence_length > options.net.context)
    fail_option("context", "[reward] context = {}, and texts have up to {} tokens. Hint: {} in [data]",
                options.net.context, text->sequence_length, options.gpt.empty() ? "sequence_length" : "no other gpt");
  const auto system = std::make_shared<const RewardSystem>(options, text->tokenizer.size(), data.threads);
  return {.objectives = {{.loss = [system](Scope s, const Batch& b) { return system->loss(s, b); }}},
          .show = [system](const State& state, const Dataset& rows) { return system->show(state, rows); },
          .evaluate = [system](const State& state, const SystemSets& sets) { return system->figures(state, sets); },
          .goal = "ordered right"};
}

void settle_run(RewardOptions& o) {
  if (!o.gpt.empty()) o.gpt = place_of_run(o.gpt);
}

}  // namespace

std::vector<SystemRow> reward_systems() {
  return {system_row<RewardOptions>(
      {.name = "reward",
       .summary = "a score of texts, learned from pairs of texts with a preference",
       .formula = "-log sigmoid(r(chosen) - r(rejected)); r = (mean over the tokens of gpt(text)) w, or the mean "
                  "of that and a linear score of tokens and pairs",
       .when = "pairs of texts with a preference (format = \"preferences\"), to order texts or to tune a policy on",
       .source = "Bradley and Terry 1952; of texts: Ziegler et al. 2019, Stiennon et al. 2020",
       .defaults = {{"optimizer", OptionMap{{"kind", "adamw"}, {"lr", 3e-4}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "10%"}}},
                    {"train", OptionMap{{"epochs", 3}, {"batch_size", 16}}}},
       .part = gpt_part("gpt")},
      make_reward, settle_run)};
}

}  // namespace thalweg
