// Tunes a policy of texts on pairs of texts with a preference, without a reward: direct preference optimisation.

#include <algorithm>

#include "core/numbers.hpp"
#include "data/preprocessing.hpp"
#include "options/error.hpp"
#include "system/margins.hpp"
#include "system/row.hpp"
#include "system/text_figures.hpp"
#include "system/tuned_options.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr const char* reference = "reference";  // the policy at the start

struct DpoOptions : TunedOptions {
  double beta = 0.1, likelihood_weight = 0;
};

Fields fields(DpoOptions& o) {
  return tuned_fields(
      o, "a run of reward with which `thalweg evaluate` rates the written texts; empty: none",
      {{"beta", &o.beta, "strength of the pull towards the policy at the start", positive},
       {"likelihood_weight", &o.likelihood_weight,
        "weight of the surprise per token of the chosen text, which is added to the loss (Pang et al. 2024)",
        not_negative}});
}

/// Both texts of each pair, (2 batch, ...): chosen, rejected, chosen, ...
Var both(const Var& chosen, const Var& rejected) {
  Shape shape = chosen.shape();
  shape.set(0, 2 * shape[0]);
  return reshape(stack({chosen, rejected}, 1), shape);
}

class Dpo {
 public:
  Dpo(const DpoOptions& options, data::TextPreprocessing text, int threads)
      : o_(options),
        policy_(std::move(text), options.net, options.length, threads),
        says_(
            [this](Scope s, const Batch& b) -> NamedVars {
              const Pairs pairs = read(s, b);
              return {{"margin", pairs.margin}, {"surprise", pairs.surprise}, {"before", pairs.surprise_before}};
            },
            threads),
        threads_(threads) {}

  /// -log sigmoid(beta (log P/Q(chosen) - log P/Q(rejected))), where P is the policy and Q the policy at the start.
  [[nodiscard]] Loss loss(const Scope& s, const Batch& b) const {
    const Pairs pairs = read(s, b);
    s.report("told apart", cast(pairs.margin > 0, s.dtype()));
    s.report("margin", pairs.margin);
    s.report("surprise a token", pairs.surprise);
    Var each = softplus(-o_.beta * pairs.margin);
    if (o_.likelihood_weight > 0) each = each + o_.likelihood_weight * pairs.surprise;
    return Loss::of_samples(each);
  }
  [[nodiscard]] SystemFigures figures(const State& state, const SystemSets& sets) const;
  [[nodiscard]] NamedMedia show(const State& state) const {
    constexpr std::int64_t texts = 6;
    const State before = part_of(state, reference);
    return samples_of({policy_, state, before, o_.prompts}, texts, RandomKey{state.seed}.fold("show"));
  }
  [[nodiscard]] Generated generate(const State& state, const GenerateRequest& request) const {
    return generated(policy_, state, o_.prompts, request);
  }

 private:
  struct Pairs {
    Var margin;                     ///< log P/Q(chosen) - log P/Q(rejected), (batch)
    Var surprise, surprise_before;  ///< by P and by Q, per token of the chosen text, (batch)
  };
  [[nodiscard]] Pairs read(const Scope& s, const Batch& b) const {
    const Var tokens = both(b["chosen"], b["rejected"]), count = both(b["chosen_count"], b["rejected_count"]);
    const std::int64_t pairs = b["prompt"].dim(0);
    const Var written = places_written(both(b["prompt"], b["prompt"]), count, tokens.dim(1), s.dtype());
    const auto read_by = [&](const Scope& at) {
      const Var logits = nn::gpt_read(at, tokens, policy_.vocabulary(), o_.net).logits;
      return reshape(sum(log_probabilities(logits, tokens) * written, -1), {pairs, 2});
    };
    const Var own = read_by(s), before = read_by((s / reference).frozen()), gone = own - before;
    const auto side = [](const Var& x, std::int64_t i) { return squeeze(slice(x, i, i + 1, 1), 1); };
    const Var size = maximum(side(reshape(sum(written, -1), {pairs, 2}), 0), 1);
    return {side(gone, 0) - side(gone, 1), -side(own, 0) / size, -side(before, 0) / size};
  }

  DpoOptions o_;
  TextPolicy policy_;
  Apply says_;
  int threads_;
};

SystemFigures Dpo::figures(const State& state, const SystemSets& sets) const {
  constexpr std::int64_t portion = 32;
  std::vector<double> margins;
  double surprise = 0, surprise_before = 0;
  for (std::int64_t begin = 0; begin < sets.test.rows(); begin += portion) {
    NamedTensors inputs;
    for (const char* column : {"prompt", "chosen", "chosen_count", "rejected", "rejected_count"})
      inputs.emplace_back(column, sets.test[column].rows(begin, std::min(sets.test.rows(), begin + portion)));
    const NamedTensors out = says_.all(state, inputs);
    for (std::int64_t i = 0; i < out[0].second.size(); ++i) {
      margins.push_back(o_.beta * out[0].second.at(i));
      surprise += out[1].second.at(i);
      surprise_before += out[2].second.at(i);
    }
  }
  const auto count = static_cast<double>(sets.test.rows());
  const State before = part_of(state, reference);
  std::optional<TextJudge> judge;
  if (!o_.reward.empty()) judge.emplace(text_run("reward", o_.reward, "reward"), threads_);
  SystemFigures figures = figures_of({policy_, state, before, o_.prompts, judge ? &*judge : nullptr}, o_.texts,
                                     RandomKey{sets.seed}.fold("evaluation"));
  Metrics own = margin_metrics(margins, "told apart");
  own.emplace_back("surprise a token", surprise / count);
  figures.metrics.insert(figures.metrics.begin(), own.begin(), own.end());
  figures.baselines.front().second.emplace_back("surprise a token", surprise_before / count);
  figures.on = fmt::format("{} pairs; {}", with_commas(sets.test.rows()), figures.on);
  return figures;
}

System make_dpo(const SystemData& data, const DpoOptions& options) {
  const auto* text = data.preprocessing ? data.preprocessing->text() : nullptr;
  if (!text) fail<UsageError>("[dpo] the rows are not pairs. Wanted: format = \"preferences\" in [data]");
  check_prompts("dpo", options.prompts, *text, options.length);
  const auto system = std::make_shared<const Dpo>(options, *text, data.threads);
  return {.objectives = {{.loss = [system](Scope s, const Batch& b) { return system->loss(s, b); }}},
          .show = [system](const State& state, const Dataset&) { return system->show(state); },
          .evaluate = [system](const State& state, const SystemSets& sets) { return system->figures(state, sets); },
          .generate = [system](const State& state,
                               const GenerateRequest& request) { return system->generate(state, request); },
          .start = options.gpt,
          .goal = "told apart"};
}

/// Makes the paths of the runs absolute. Throws if a run is missing, or if their tokens differ.
void settle_runs(DpoOptions& o) {
  if (o.gpt.empty())
    fail_option("gpt", "[dpo] gpt is not set. Wanted: the folder of a finished run of gpt, which is then tuned");
  o.gpt = place_of_run(o.gpt);
  if (o.reward.empty()) return;
  o.reward = place_of_run(o.reward);
  const TextRun judge = text_run("reward", o.reward, "reward");
  expect_same_tokens("dpo", o.gpt, text_run("gpt", o.gpt, "gpt"), o.reward, judge);
  expect_reads("dpo", judge, o.length);
}

}  // namespace

std::vector<SystemRow> dpo_systems() {
  return {system_row<DpoOptions>(
      {.name = "dpo",
       .summary = "a policy of texts, tuned on pairs of texts with a preference",
       .formula = "-log sigmoid(beta (log P(chosen) / Q(chosen) - log P(rejected) / Q(rejected))), Q: P at the start",
       .when = "pairs of texts with a preference (format = \"preferences\") and a gpt; without a reward, and without "
               "drawing texts",
       .source = "Rafailov et al. 2023",
       .defaults = {{"optimizer", OptionMap{{"kind", "adamw"}, {"lr", 1e-4}, {"clip_norm", 1.}}},
                    {"schedule", OptionMap{{"kind", "cosine"}, {"warmup", "10%"}}},
                    {"train", OptionMap{{"epochs", 1}, {"batch_size", 16}}}},
       .part = gpt_part(reference)},
      make_dpo, settle_runs)};
}

}  // namespace thalweg
