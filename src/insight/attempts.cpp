#include "insight/attempts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/numbers.hpp"

namespace thalweg {

namespace {

/// "in steps": the runs that tried something.
std::string tried_text(std::string_view what, std::int64_t steps, double before, double after) {
  if (!std::isfinite(after)) return fmt::format("{} diverged within {} steps.", what, steps);
  return fmt::format("{}: {} steps took the training loss from {} to {}.", what, steps, number_text(before, 4),
                     number_text(after, 4));
}

/// Where the trials begin.
std::string start_text(const History& history) {
  const bool is_last = history.best_epoch == 0 || history.best_epoch == std::ssize(history.epochs);
  return is_last ? "the end" : fmt::format("epoch {}, which was kept,", history.best_epoch);
}

/// How far a step along the gradient may go, beside the rate.
void search_line(const Trials& trials, double rate, Verdict& verdict) {
  const LineSearch line = trials.along(rate);
  if (line.rows == 0) return;
  const bool lowers = line.after < line.before;
  verdict.tried.push_back(
      lowers
          ? fmt::format("Along the gradient of {} rows their loss is lowest, {} instead of {}, at a step of {} times "
                        "the gradient; lr is {}.",
                        line.rows, number_text(line.after, 4), number_text(line.before, 4), number_text(line.lr, 3),
                        number_text(rate, 3))
          : fmt::format("Along the gradient of {} rows no step lowers their loss, {}.", line.rows,
                        number_text(line.before, 4)));
}

/// Whether the parameters that were kept are those of an epoch well before the last.
bool kept_an_early_epoch(const History& history) {
  constexpr double late = 0.75;
  const auto epochs = static_cast<double>(history.epochs.size());
  return history.best_epoch > 0 && static_cast<double>(history.best_epoch) < late * epochs;
}

}  // namespace

bool try_lower_rates(const Case& c, const Trials& trials, Verdict& verdict) {
  const double before = c.course.raw.empty() ? std::nan("") : c.course.raw.front();
  for (const auto& [part, word] : {std::pair{3.0, "a third"}, {9.0, "a ninth"}}) {
    const double rate = c.course.peak_rate / part, after = trials.afresh(rate);
    verdict.tried.push_back(
        tried_text(fmt::format("From the start with lr = {}", number_text(rate, 3)), trials.steps, before, after));
    if (!(after < before)) continue;
    verdict.advice = fmt::format("Lower lr to {}, {}: that was seen to fall.", word, number_text(rate, 3));
    return true;
  }
  verdict.advice = "Lower lr by far more than to a ninth, which did not fall either; or look at the data and the loss.";
  return true;
}

bool try_settling(const Case& c, const Trials& trials, Verdict& verdict) {
  const double rate = c.course.peak_rate * c.course.final_rate, before = trials.now();
  const double same = trials.onward(rate), lower = trials.onward(rate / 3);
  const std::string from = start_text(c.history);
  verdict.tried.push_back(
      tried_text(fmt::format("On from {} with lr = {}", from, number_text(rate, 3)), trials.steps, before, same));
  verdict.tried.push_back(
      tried_text(fmt::format("The same with lr = {}", number_text(rate / 3, 3)), trials.steps, before, lower));
  verdict.advice = lower < same ? fmt::format(
                                      "Let a schedule take lr down (cosine), or lower it to {}: that was seen "
                                      "to settle.",
                                      number_text(rate / 3, 3))
                                : "A third of lr did no better. Larger batches, or more rows to validate on.";
  return true;
}

bool try_higher_rate(const Case& c, const Trials& trials, Verdict& verdict) {
  const double rate = c.course.peak_rate, before = trials.now();
  const double same = trials.onward(rate), higher = trials.onward(3 * rate);
  verdict.tried.push_back(tried_text(
      fmt::format("On from {} with lr = {}", start_text(c.history), number_text(rate, 3)), trials.steps, before, same));
  verdict.tried.push_back(
      tried_text(fmt::format("The same with lr = {}", number_text(3 * rate, 3)), trials.steps, before, higher));
  const bool better = higher < before && before - higher > 1.5 * std::max(0.0, before - same);
  if (better) verdict.advice = fmt::format("Raise lr threefold, to {}, and try more.", number_text(3 * rate, 3));
  if (better && trials.along) search_line(trials, rate, verdict);
  return better;
}

bool try_going_on(const Case& c, const Trials& trials, Verdict& verdict) {
  if (kept_an_early_epoch(c.history)) {
    verdict.advice = fmt::format(
        "Epoch {} of {} had the lowest validation loss and was kept, so more epochs may not help. Train once for twice "
        "as many, and compare.",
        c.history.best_epoch, c.history.epochs.size());
    return true;
  }
  const double rate = c.course.peak_rate * (c.course.final_rate < annealed ? 0.3 : c.course.final_rate);
  const double before = trials.now(), after = trials.onward(rate);
  verdict.tried.push_back(
      tried_text(fmt::format("On from {} with lr = {}", start_text(c.history), number_text(rate, 3)), trials.steps,
                 before, after));
  if (!(after < before)) {
    verdict.advice =
        "A short continuation did not lower the loss, which does not show whether more epochs help. Train once for "
        "twice as many, and compare.";
  }
  return true;
}

}  // namespace thalweg
