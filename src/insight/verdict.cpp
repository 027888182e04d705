#include "insight/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <span>

#include "insight/gradient_flow.hpp"

namespace thalweg {

namespace {

using namespace verdict_rule;
using Values = std::vector<double>;

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// The mean over a part of the run, from 0 to 1; at least one value.
double level(const Values& values, double from, double to) {
  const auto n = static_cast<double>(values.size());
  const auto end = std::max<std::size_t>(1, static_cast<std::size_t>(std::round(to * n)));
  const auto begin = std::min(static_cast<std::size_t>(std::round(from * n)), end - 1);
  return mean(std::span(values).subspan(begin, end - begin));
}

/// How far the values go against their own trend from one to the next: the smaller of the root mean squares of the
/// rises and of the falls. The deviation of white noise; 0 for a curve that goes one way.
double noise(std::span<const double> values) {
  if (values.size() < 2) return 0;
  double rises = 0, falls = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double d = values[i] - values[i - 1];
    (d > 0 ? rises : falls) += d * d;
  }
  return std::sqrt(std::min(rises, falls) / static_cast<double>(values.size() - 1));
}

struct Line {
  double slope = 0, error = 0;  // the standard error of the slope
  [[nodiscard]] bool falls() const { return slope < -significance * error; }
};

/// Least squares.
Line fit_line(std::span<const double> x, std::span<const double> y) {
  const double mx = mean(x), my = mean(y);
  double xx = 0, xy = 0, residual = 0;
  for (std::size_t i = 0; i < x.size(); ++i) xx += (x[i] - mx) * (x[i] - mx), xy += (x[i] - mx) * (y[i] - my);
  if (xx == 0 || x.size() < 3) return {};
  const double slope = xy / xx;
  for (std::size_t i = 0; i < x.size(); ++i) residual += std::pow(y[i] - my - slope * (x[i] - mx), 2);
  return {slope, std::sqrt(residual / static_cast<double>(x.size() - 2) / xx)};
}

std::optional<double> find(const Metrics& metrics, std::string_view name) {
  const auto found = std::ranges::find(metrics, name, &Metrics::value_type::first);
  return found == metrics.end() ? std::nullopt : std::optional(found->second);
}

/// A metric of the epochs that measured it.
Values measured(const History& history, std::string_view metric) {
  Values values;
  for (const EpochReport& epoch : history.epochs) {
    if (const auto value = find(epoch.metrics, metric)) values.push_back(*value);
  }
  return values;
}

constexpr std::size_t stretches = 20, fewest_epochs = 8;

/// The mean of each of 20 equal stretches, or the values themselves where they are fewer.
Values stretched(const Values& values) {
  if (values.size() <= stretches) return values;
  Values means;
  for (std::size_t i = 0; i < stretches; ++i) {
    const std::size_t begin = i * values.size() / stretches, end = (i + 1) * values.size() / stretches;
    means.push_back(mean(std::span(values).subspan(begin, end - begin)));
  }
  return means;
}

/// The loss of the run, stretch by stretch, and against what: the sum of the rates so far, which is the time of
/// gradient descent, so that warm-up and decay of the rate bend no line.
struct Run {
  Values raw, loss, time, gradient, validation;
  Values epoch_loss, epoch_time;  // where steps were kept too
  double first = 0, last = 0, lowest = 0;
  [[nodiscard]] double fall() const { return first - last; }
};

/// Losses of the epochs, and the sum of the rates at their ends.
void add_epochs(Run& run, const History& history, const Values& time) {
  for (const EpochReport& epoch : history.epochs) {
    const auto loss = find(epoch.metrics, "loss");
    const auto end = std::ranges::upper_bound(history.steps, epoch.step, {}, &StepReport::step);
    if (!loss || end == history.steps.begin()) continue;
    run.epoch_loss.push_back(*loss);
    run.epoch_time.push_back(time[static_cast<std::size_t>(end - history.steps.begin()) - 1]);
  }
}

Run run_of(const History& history) {
  Run run;
  Values time, gradient;
  double elapsed = 0;
  const bool rated = std::ranges::any_of(history.steps, [](const StepReport& step) { return step.lr > 0; });
  for (const StepReport& step : history.steps) {
    run.raw.push_back(step.loss);
    gradient.push_back(step.gradient_norm);
    time.push_back(elapsed += rated ? step.lr : 1);
  }
  if (run.raw.empty()) {
    run.raw = measured(history, "loss");
    for (std::size_t i = 0; i < run.raw.size(); ++i) time.push_back(static_cast<double>(i));
  }
  run.validation = measured(history, "validation.loss");
  if (run.raw.empty()) return run;
  add_epochs(run, history, time);
  run.loss = stretched(run.raw);
  run.time = stretched(time);
  run.gradient = stretched(gradient);
  const std::size_t few = std::clamp<std::size_t>(run.raw.size() / 20, 1, 10);
  run.first = mean(std::span(run.raw).first(few));
  run.last = run.loss.back();
  run.lowest = *std::ranges::min_element(run.loss);
  return run;
}

std::string percent(double part) {
  if (part != 0 && std::abs(part) < 0.0005) return "less than 0.1 %";
  return fmt::format("{:.{}f} %", 100 * part, std::abs(part) < 0.1 ? 1 : 0);
}

Evidence from_to(const Run& run) {
  return {"fall", run.fall(), fmt::format("The training loss went from {:.4g} to {:.4g}.", run.first, run.last)};
}

std::optional<Evidence> gradient_ratio(const Run& run) {
  if (run.gradient.empty()) return std::nullopt;
  const double first = level(run.gradient, 0, 0.2), last = level(run.gradient, 0.8, 1);
  if (!(first > 0)) return std::nullopt;
  return Evidence{"gradient_ratio", last / first,
                  fmt::format("The gradient's norm is {:.3g} in the last fifth of the run and was {:.3g} in the first.",
                              last, first)};
}

/// Far above its first value, and at the end no lower than that: a network that died of a blow-up stands still.
std::optional<Verdict> blew_up(const Run& run, const std::string& advice) {
  const double began = run.raw.front(), size = std::abs(began), highest = *std::ranges::max_element(run.loss);
  const double by_chance = significance * noise(std::span(run.raw).subspan(run.raw.size() / 2));
  if (highest - began <= size + by_chance || began - run.last >= stayed_up * size) return std::nullopt;
  return Verdict{VerdictKind::diverged,
                 "Diverged: the loss blew up, and came back no lower than it began.",
                 {{"highest", highest,
                   fmt::format("The training loss began at {:.4g}, stood at {:.4g} and ended at {:.4g}.", began,
                               highest, run.last)}},
                 advice};
}

std::optional<Verdict> diverged(const History& history, const Run& run) {
  const auto broken = std::ranges::find_if_not(run.raw, [](double loss) { return std::isfinite(loss); });
  const std::string advice = "Lower lr to a third, warm it up over the first 5 % of the steps, or set clip_norm to 1.";
  if (broken != run.raw.end()) {
    const auto at = static_cast<std::size_t>(broken - run.raw.begin());
    const bool by_steps = !history.steps.empty();
    const auto when = by_steps ? history.steps[at].step : static_cast<std::int64_t>(at) + 1;
    return Verdict{VerdictKind::diverged,
                   "Diverged: the loss is no longer a number.",
                   {{by_steps ? "step" : "epoch", static_cast<double>(when),
                     fmt::format("The loss is {} in {} {}.", *broken, by_steps ? "step" : "epoch", when)}},
                   advice};
  }
  if (run.raw.empty()) return std::nullopt;
  const double gained = std::max(0.0, run.first - run.lowest), rise = run.last - run.lowest;
  const double length = static_cast<double>(run.raw.size()) / static_cast<double>(run.loss.size());
  const double margin = blow_up_margin * std::abs(run.first) + significance * noise(run.raw) * std::sqrt(2 / length);
  if (rise <= given_back * gained + margin) return blew_up(run, advice);
  return Verdict{VerdictKind::diverged,
                 "Diverged: the loss rose again and gave back what it had gained.",
                 {from_to(run),
                  {"rise", rise, fmt::format("At its lowest it was {:.4g}; it ended {:.4g} above.", run.lowest, rise)}},
                 advice};
}

std::optional<Verdict> overfitting(const History& history, const Run& run) {
  const Values& v = run.validation;
  if (v.size() < 3) return std::nullopt;
  const auto best = static_cast<std::size_t>(std::ranges::min_element(v) - v.begin());
  const std::span after = std::span(v).subspan(best + 1);
  if (after.size() < 2) return std::nullopt;
  const std::size_t window = std::min(after.size(), std::max<std::size_t>(1, v.size() / 5));
  const double last = mean(after.last(window)), rise = last - v[best];
  if (rise <= validation_rise * std::abs(v[best]) || rise <= significance * noise(after)) return std::nullopt;
  const Values loss = measured(history, "loss");
  const bool both = loss.size() == v.size();
  if (both && loss.back() >= loss[best]) return std::nullopt;

  Verdict verdict{
      VerdictKind::overfitting,
      "Overfitting: the model went on learning the training rows, and grew worse on the others.",
      {{"best_epoch", static_cast<double>(best + 1),
        fmt::format("The validation loss was lowest, {:.4g}, after epoch {} of {}.", v[best], best + 1, v.size())},
       {"validation_rise", rise / std::abs(v[best]),
        fmt::format("It ended at {:.4g}, {} above.", last, percent(rise / std::abs(v[best])))}},
      "Stop early, raise weight_decay, take a smaller model, or find more data."};
  if (both) {
    verdict.evidence.push_back(
        {"training_fall", loss[best] - loss.back(),
         fmt::format("The training loss fell from {:.4g} to {:.4g} in that time.", loss[best], loss.back())});
  }
  if (history.reason == StopReason::stopped_early) {
    verdict.advice = "Early stopping caught it. To gain more: raise weight_decay, take a smaller model, or more data.";
  }
  return verdict;
}

Verdict crawling_verdict(const Run& run, Evidence evidence, std::string advice) {
  Verdict verdict{VerdictKind::crawling, "Crawling: the rate is too low.", {from_to(run)}, std::move(advice)};
  verdict.evidence.push_back(std::move(evidence));
  if (auto gradient = gradient_ratio(run)) verdict.evidence.push_back(std::move(*gradient));
  return verdict;
}

std::optional<Verdict> crawling(const Run& run) {
  const double part = run.first == 0 ? 0 : run.fall() / std::abs(run.first);
  if (run.loss.size() < static_cast<std::size_t>(fewest_steps) || part >= crawling_fall) return std::nullopt;
  // the mean over an epoch has every row once: a fall that is lost in the noise of batches is seen there
  const bool by_epochs = run.epoch_loss.size() >= fewest_epochs;
  const Values& loss = by_epochs ? run.epoch_loss : run.loss;
  const Values& time = by_epochs ? run.epoch_time : run.time;
  const double seen = loss.front() == 0 ? 0 : (loss.front() - loss.back()) / std::abs(loss.front());
  const auto gradient = gradient_ratio(run);
  if (seen < motionless_fall && part < stayed_up && gradient && gradient->value >= motionless_gradient) {
    return crawling_verdict(
        run, {"fall_part", seen, fmt::format("That is {} of it: it hardly moved.", percent(std::max(0.0, seen)))},
        "Raise lr tenfold. If the loss stays where it is, the inputs may say nothing of the target.");
  }
  const std::size_t half = loss.size() / 2;
  const Line one = fit_line(std::span(time).first(half), std::span(loss).first(half)),
             two = fit_line(std::span(time).last(half), std::span(loss).last(half));
  if (!one.falls() || !two.falls() || two.slope / one.slope < crawling_pace) return std::nullopt;
  return crawling_verdict(
      run,
      {"pace", two.slope / one.slope,
       fmt::format("For each unit of rate it fell {:.2f} times as fast in the second half of the run as in the first: "
                   "a straight line, with no bend in sight.",
                   two.slope / one.slope)},
      "Raise lr: three times, then ten times as high.");
}

/// The fall between the last two fifths of the run, of the curve that counts.
struct Late {
  std::string curve, when;
  double fall = 0, part = 0;
  bool falling = false;
};

const Values& curve_of(const Run& run) { return run.validation.size() >= 5 ? run.validation : run.loss; }
std::string_view curve_name(const Run& run) { return run.validation.size() >= 5 ? "validation loss" : "training loss"; }

Late late_fall_of(const Run& run) {
  const Values& v = curve_of(run);
  Late late{std::string(curve_name(run)), "Between the last two fifths of the run"};
  if (v.size() < 2) return late;
  const double before = level(v, 0.6, 0.8), last = level(v, 0.8, 1);
  const double whole = v.front() - *std::ranges::min_element(v);
  late.fall = before - last;
  late.part = whole > 0 ? late.fall / whole : 0;
  const std::span half = std::span(v).subspan(v.size() / 2);
  const double error = noise(half) * std::sqrt(2 / std::max(1.0, static_cast<double>(v.size()) / 5));
  late.falling =
      late.part > late_fall && late.fall > late_fall_of_level * std::abs(last) && late.fall > significance * error;
  return late;
}

/// Where the rate was taken to its end, every curve is flat there: what it fell in the second half of the sum of rates.
Late second_half_fall_of(const Run& run) {
  const Values& v = curve_of(run);
  Late late{std::string(curve_name(run)), "In the second half of the sum of its rates"};
  if (v.size() < 2) return late;
  const auto middle = std::ranges::lower_bound(run.time, run.time.back() / 2) - run.time.begin();
  const double at = (static_cast<double>(middle) + 0.5) / static_cast<double>(run.time.size());
  const double last = level(v, 0.9, 1), whole = run.first - *std::ranges::min_element(v);
  late.fall = level(v, std::max(0.0, at - 0.1), std::min(1.0, at + 0.1)) - last;
  late.part = whole > 0 ? late.fall / whole : 0;
  late.falling = late.part > second_half_fall && late.fall > significance * noise(v) / std::sqrt(2.0);
  return late;
}

Evidence late_evidence(const Late& late) {
  return {"late_fall", late.part,
          fmt::format("{} the {} {} by {} of its whole fall.", late.when, late.curve, late.fall < 0 ? "rose" : "fell",
                      percent(std::abs(late.part)))};
}

/// The last rate as a part of the highest; 1 where no steps were kept.
double final_rate(const History& history) {
  if (history.steps.empty()) return 1;
  const double peak = std::ranges::max_element(history.steps, {}, &StepReport::lr)->lr;
  return peak > 0 ? history.steps.back().lr / peak : 1;
}

/// Where a schedule took the rate down, a flat end is its doing too.
Evidence rate_evidence(double part) {
  return {
      "final_rate", part,
      fmt::format("The schedule ended at {} of the highest rate, which flattens the end of a curve.", percent(part))};
}

/// Whether the loss lost less than a tenth over the run, and ended.
bool stands_still(const History& history) {
  const Run run = run_of(history);
  return !run.raw.empty() && std::isfinite(run.raw.back()) && std::abs(run.fall()) < stayed_up * std::abs(run.first);
}

Verdict too_short(const Run& run) {
  const auto count = static_cast<double>(run.raw.size());
  return {
      VerdictKind::still_falling,
      "Still falling, for all that can be said of so short a run.",
      {{"steps", count, fmt::format("{} losses were recorded; {} are needed to judge a run.", count, fewest_steps)}},
      "Train longer."};
}

}  // namespace

std::string_view name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::diverged: return "diverged";
    case VerdictKind::crawling: return "crawling";
    case VerdictKind::still_falling: return "still falling";
    case VerdictKind::converged: return "converged";
    case VerdictKind::overfitting: return "overfitting";
  }
  return "";
}

namespace {

Verdict judge_losses(const History& history) {
  const Run run = run_of(history);
  if (auto verdict = diverged(history, run)) return *verdict;
  const bool by_steps = !history.steps.empty();
  if (by_steps ? run.raw.size() < fewest_steps : run.raw.size() < 3) return too_short(run);
  if (auto verdict = overfitting(history, run)) return *verdict;
  if (auto verdict = crawling(run)) return *verdict;

  const double rate = final_rate(history);
  const bool is_annealed = rate < annealed;
  const Late late = is_annealed ? second_half_fall_of(run) : late_fall_of(run);
  Verdict verdict{
      late.falling ? VerdictKind::still_falling : VerdictKind::converged,
      late.falling ? fmt::format("Still falling: the {} had not levelled out when the run ended.", late.curve)
                   : fmt::format("Converged: the {} has levelled out{}.", late.curve,
                                 is_annealed ? ", as far as the schedule takes it" : ""),
      {from_to(run), late_evidence(late)},
      late.falling ? "Train for twice as many epochs; a schedule stretches with the run."
                   : "More epochs of the same will gain little. A larger model, other inputs or another lr may."};
  if (auto gradient = gradient_ratio(run)) verdict.evidence.push_back(std::move(*gradient));
  if (rate < 0.5) verdict.evidence.push_back(rate_evidence(rate));
  return verdict;
}

}  // namespace

Verdict judge(const History& history) {
  Verdict verdict = judge_losses(history);
  if (auto flow = gradient_flow(history)) {
    if (flow->flow == Flow::vanishing && stands_still(history)) {
      verdict.kind = VerdictKind::crawling;
      verdict.sentence = "Crawling: the gradient vanishes on its way to the first layers.";
      verdict.advice = "Initialise by he_normal with relu, normalise (norm = \"batch\"), or add residual connections.";
    }
    verdict.evidence.push_back({"gradient_flow", flow->value, std::move(flow->sentence)});
  }
  return verdict;
}

}  // namespace thalweg
