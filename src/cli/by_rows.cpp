#include "cli/by_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/opened_run.hpp"
#include "cli/outcome.hpp"
#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "data/split.hpp"
#include "insight/attempts.hpp"
#include "insight/course.hpp"
#include "insight/paired.hpp"
#include "store/checkpoint.hpp"
#include "train/row_losses.hpp"

namespace thalweg::cli {

namespace {

/// A model and another on the same rows.
struct Compared {
  std::string part;
  std::int64_t rows = 0;
  double effective = 0;     ///< rows of equal weight that tell as much
  PairedDifference gain{};  ///< the other's loss minus the model's
  double other = 0;         ///< the other's mean loss
  double largest = 0;       ///< the part of the model's whole loss that its worst row has; 0 if losses can be negative
  std::int64_t worst = -1;  ///< the number of that row

  /// Better by more than chance, and by more than another constant could gain that happens to fit these rows.
  [[nodiscard]] bool is_better() const { return gain.low > 0 && gain.mean > 0.005 * std::abs(other); }
  [[nodiscard]] bool is_worse() const { return gain.high < 0; }
  [[nodiscard]] bool are_few() const { return effective < 30; }
  /// Whether a gain of a fifth of the loss may exist that these rows do not show.
  [[nodiscard]] bool are_undecided() const { return gain.low < 0 && gain.high > 0.2 * std::abs(other); }
  [[nodiscard]] Evidence evidence(const std::string& name) const {
    return {"gain_over_constant", gain.mean,
            fmt::format("On {} the loss of {} minus the model's is {} (95 %: {} to {}): above 0, the model is better.",
                        counted(rows, part + " rows"), name, number_text(gain.mean, 3), number_text(gain.low, 3),
                        number_text(gain.high, 3))};
  }
};

/// Rows of weight 0 are left out. Empty for fewer than two rows and where a loss is not finite.
std::optional<Compared> compared(const std::string& part, const Tensor& own, const Tensor& other, const Dataset& data) {
  std::vector<double> losses, others, weights;
  Compared result{.part = part};
  double sum = 0, highest = 0, lowest = 0;
  for (std::int64_t row = 0; row < own.size(); ++row) {
    const double weight = data.has("weight") ? data["weight"].at(row) : 1;
    if (weight == 0) continue;
    if (!std::isfinite(own.at(row)) || !std::isfinite(other.at(row))) return std::nullopt;
    losses.push_back(own.at(row)), others.push_back(other.at(row)), weights.push_back(weight);
    sum += weight * own.at(row), lowest = std::min(lowest, own.at(row));
    result.other += weight * other.at(row);
    if (weight * own.at(row) > highest) highest = weight * own.at(row), result.worst = row;
  }
  if (losses.size() < 2) return std::nullopt;
  double total = 0;
  for (const double weight : weights) total += weight;
  result.rows = std::ssize(losses);
  result.effective = effective_count(weights);
  result.gain = paired_difference(others, losses, weights);
  result.other /= total;
  result.largest = lowest < 0 || !(sum > 0) ? 0 : highest / sum;
  return result;
}

/// Whether every row counts that has a weight: no label is one that the loss ignores.
bool all_count(const Measured& one) {
  std::int64_t rows = one.data->rows();
  if (one.data->has("weight")) {
    const Tensor& weights = (*one.data)["weight"];
    if (weights.size() != rows) return false;
    rows = 0;
    for (std::int64_t row = 0; row < weights.size(); ++row) rows += weights.at(row) != 0;
  }
  return one.evaluation.rows == rows;
}

Tensor losses_of(const EndedRun& run, const State& state, const Dataset& data) {
  return row_losses(run.session.recipe.make_model(run.registry), run.session.recipe.make_loss(run.registry), state,
                    data, run.config.train.threads);
}

std::optional<Compared> against_constant(const EndedRun& run, const Measured& one) {
  const Baseline& constant = run.baselines.front();
  if (run.session.system || one.data->rows() < 2 || !constant.model || !all_count(one)) return std::nullopt;
  const Tensor its = row_losses(constant.model, run.session.recipe.make_loss(run.registry), constant.trainer->state(),
                                *one.data, run.config.train.threads);
  return compared(one.name, losses_of(run, run.session.trainer.state(), *one.data), its, *one.data);
}

/// By how much more often than the constant the model is right; nothing if an accuracy is not known.
std::optional<double> more_often_right(const Evaluation& evaluation, const std::vector<NamedMetrics>& baselines) {
  const auto own = find_in(evaluation.metrics, "accuracy");
  // from the first baseline that has an accuracy; the constant of the loss may have none
  std::optional<double> constant;
  for (const auto& [name, metrics] : baselines) constant = constant ? constant : find_in(metrics, "accuracy");
  return own && constant ? std::optional(*own - *constant) : std::nullopt;
}

/// Whether that is more than chance. The accuracy on n rows has a standard deviation of at most 1 / (2 sqrt(n)); the
/// test requires two of them.
bool is_right_more_often(std::optional<double> more, double rows) { return more > 1 / std::sqrt(rows); }

/// Whether the model's gain over the constant on held-out rows also exists on training rows: the epoch that was kept
/// may be the best of many on a few held-out rows by chance.
bool holds_on_training_rows(const EndedRun& run, const PairedDifference& gain, std::optional<double> more_often) {
  constexpr std::int64_t most = 4096;
  // the gain on the training rows must be at least this fraction of the gain on the held-out rows
  constexpr double part = 0.3;
  const Dataset rows = data::spread_rows(run.session.parts.train, most);
  const Evaluation own = run.session.trainer.evaluate(rows);
  const double gained = run.constants.constant_training - own["loss"];
  if (gain.low > 0 && gained > part * gain.mean) return true;
  const auto often = more_often_right(own, metrics_of(run.shown, run.session.recipe, rows));
  return more_often && often && *often > part * *more_often;
}

/// The training loss of the last epoch divided by that of the best constant; 1 if it is not known.
double part_of_constant(const EndedRun& run) {
  const auto loss = run.history.epochs.empty() ? std::nullopt : find_in(run.history.epochs.back().metrics, "loss");
  return loss && run.constants.constant_training > 0 ? *loss / run.constants.constant_training : 1;
}

/// Whether the run was long enough, by its own verdict.
bool has_ended(const Verdict& verdict) {
  return verdict.kind == VerdictKind::converged || verdict.kind == VerdictKind::schedule_ended ||
         verdict.kind == VerdictKind::overfitting;
}

void not_judged(Verdict& verdict, std::string sentence, std::string advice) {
  verdict.kind = VerdictKind::not_judged;
  verdict.sentence = "Not judged: " + std::move(sentence);
  verdict.advice = std::move(advice);
}

/// "line 9" of a table.
std::string place_of(const EndedRun& run, const Measured& one, std::int64_t row) {
  const auto& places = origin_of(run.session, one).places;
  if (std::ssize(places) != one.data->rows()) return fmt::format("row {}", row + 1);
  return fmt::format("line {}", places[static_cast<std::size_t>(row)]);
}

/// Compares the model with the best constant, on the test rows if there are any.
void heed_constant(Verdict& verdict, const EndedRun& run, const std::function<Verdict(JudgeOptions)>& again) {
  constexpr double most_of_all = 0.5;
  constexpr double fewest = 10;  // of fewer rows one has most of the loss by chance
  if (run.measured.empty()) return;
  const Measured& last = run.measured.back();
  const bool nothing = verdict.kind == VerdictKind::learned_nothing;
  const double part = part_of_constant(run);
  const bool learned = part < 0.9, by_heart = part < 0.03;
  if (!nothing && (last.name != "test" || !learned || !has_ended(verdict))) return;
  const auto against = against_constant(run, last);
  if (!against) return;
  const auto often = more_often_right(last.evaluation, last.baselines);
  const bool by_right = is_right_more_often(often, against->effective);
  if (nothing && (against->is_better() || by_right) &&
      holds_on_training_rows(run, against->gain, by_right ? often : std::nullopt)) {
    JudgeOptions better = run.constants;
    better.beats_constant = true;
    verdict = again(std::move(better));
  } else if (nothing && learned && against->effective >= fewest && against->largest > most_of_all) {
    not_judged(verdict,
               fmt::format("one of {}, {}, has {} of their loss.", counted(against->rows, last.name + " rows"),
                           place_of(run, last, against->worst), percent_text(against->largest)),
               "Look at that row, which decides every figure. If it is right, hold out more rows, or test on every row "
               "(--cv 5).");
  } else if (nothing && learned && (against->are_undecided() || (against->are_few() && !by_heart))) {
    not_judged(verdict,
               fmt::format("{} are too few to decide whether the model is better than the best constant.",
                           counted(against->rows, last.name + " rows")),
               "Hold out more rows, give test rows (--test), or test on every row (--cv 5).");
  } else if (!nothing && against->is_worse() && !by_right) {
    verdict.kind = VerdictKind::learned_nothing;
    verdict.sentence = "Learned nothing that generalises: on the test rows it is worse than the best constant.";
    verdict.advice =
        "Check whether the test rows are like the training rows, and whether validation rows are among "
        "the training rows; "
        "or take a smaller model, or raise weight_decay.";
  } else {
    return;
  }
  verdict.evidence.push_back(against->evidence(run.constants.constant_name));
}

/// The best epoch's parameters and the last epoch's, as they are evaluated. Nothing if the run does not keep the best.
std::optional<std::pair<State, State>> best_and_last(const EndedRun& run) {
  std::vector<std::string> damaged;
  const auto end =
      newest_checkpoint(run.folder.checkpoints(), run.session.trainer.state(), run.config.fingerprint(), damaged);
  if (!end || !end->best_parameters) return std::nullopt;
  State best = end->state, last = end->state;
  best.parameters = *end->best_parameters;
  last.parameters = evaluated_parameters(end->state, run.config.make_optimizer(run.registry));
  return std::pair(std::move(best), std::move(last));
}

/// The last epoch minus the best one. Nothing if the run does not keep the best.
std::optional<Compared> rise_on(const EndedRun& run, const Measured& rows) {
  const auto ends = best_and_last(run);
  if (!ends) return std::nullopt;
  const auto& [best, last] = *ends;
  return compared(rows.name, losses_of(run, best, *rows.data), losses_of(run, last, *rows.data), *rows.data);
}

/// Compares the best epoch with the last one, on the test rows if there are any.
void heed_rise(Verdict& verdict, const EndedRun& run, const std::function<Verdict(JudgeOptions)>& again) {
  constexpr double few = 30, enough = 200;
  if (verdict.kind != VerdictKind::overfitting || run.session.system || run.measured.empty()) return;
  const Measured& last = run.measured.back();
  if (!all_count(last)) return;
  const std::optional<Compared> rise = rise_on(run, last);
  const double rows = rise ? rise->effective : static_cast<double>(last.data->rows());
  const bool is_chance = rise ? !(rise->gain.low > 0) : rows < few;
  if (is_chance && rows < enough) {
    std::string advice = "Hold out more rows, or test on every row (--cv 5).";
    if (kept_epoch(run.history) > 0) advice += " With restore_best = false the last epoch is kept.";
    not_judged(verdict,
               fmt::format("the validation loss rose, but on {} that may be chance.",
                           counted(last.data->rows(), last.name + " rows")),
               std::move(advice));
  } else if (is_chance) {
    JudgeOptions risen = run.constants;
    risen.rise_is_chance = true;
    verdict = again(std::move(risen));
  }
  if (!rise) return;
  verdict.evidence.push_back({"rise_of_rows", rise->gain.mean,
                              fmt::format("On the {} rows the loss of the last epoch minus that of the best one is {} "
                                          "(95 %: {} to {}).",
                                          last.name, number_text(rise->gain.mean, 3), number_text(rise->gain.low, 3),
                                          number_text(rise->gain.high, 3))});
}

/// If a linear model learns from the same rows, the inputs tell something about the target, and the data is not the
/// cause of the failure; nor has a run come to an end that a linear fit leaves far behind.
void heed_linear(Verdict& verdict, const EndedRun& run) {
  constexpr double clearly = 0.8;
  const bool nothing = verdict.kind == VerdictKind::learned_nothing, ended = verdict.kind == VerdictKind::converged;
  const auto fitted = std::ranges::find(run.baselines, "linear", &Baseline::name);
  if (!(nothing || ended) || fitted == run.baselines.end()) return;
  double compared_with = run.constants.constant_training, linear = fitted->training_loss;
  std::string rows = "training";
  const bool validated = !run.measured.empty() && run.measured.front().name == "validation";
  if (validated) {
    const Measured& one = run.measured.front();
    compared_with = ended ? one.evaluation["loss"] : run.constants.constant_validation;
    linear = fitted->trainer->evaluate(*one.data)["loss"];
    rows = one.name;
  } else if (ended) {
    return;  // on the training rows a linear fit of many inputs can be better by learning them by heart
  }
  if (!(linear < clearly * compared_with)) return;
  const std::string fit = fmt::format("A linear model has a {} loss of {}", rows, number_text(linear, 4));
  verdict.evidence.push_back(
      {"linear", linear,
       fmt::format("{}, {} one of {}.", fit, ended ? "this run" : "the best constant", number_text(compared_with, 4))});
  if (ended) {
    verdict.kind = VerdictKind::crawling;
    verdict.sentence = "Crawling: it levelled out, but a linear fit of the same inputs is far better.";
    verdict.advice =
        "Take the linear fit (--model linear --optimizer lbfgs --set train.batch_size=\"all\"), or look for a better "
        "lr (thalweg lr) and train longer.";
    return;
  }
  verdict.advice = fmt::format(
      "The inputs do tell something about the target: a linear model learned it. {}",
      verdict.rate_advice.empty() ? "Check lr first (thalweg lr), then train for more epochs." : verdict.rate_advice);
}

}  // namespace

const Origin& origin_of(const Session& session, const Measured& measured) {
  return measured.name == "test" ? session.parts.test_origin : session.parts.validation_origin;
}

void check_by_rows(Verdict& verdict, const EndedRun& run, const std::function<Verdict(JudgeOptions)>& again) {
  if (run.baselines.empty()) return;
  heed_constant(verdict, run, again);
  heed_rise(verdict, run, again);
  heed_linear(verdict, run);
}

}  // namespace thalweg::cli
