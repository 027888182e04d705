#include "insight/attempts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "insight/pace.hpp"

namespace thalweg {

namespace {

/// The sentence about a trial: what it did, and what it made of the training loss.
std::string tried_text(std::string_view what, std::int64_t steps, double before, double after) {
  if (!std::isfinite(after)) return fmt::format("{} diverged within {}.", what, counted(steps, "steps"));
  return fmt::format("{}: {} took the training loss from {} to {}.", what, counted(steps, "steps"),
                     number_text(before, 4), number_text(after, 4));
}

/// Adds what was tried, once: two rules may try the same.
void tell(Verdict& verdict, std::string tried) {
  if (std::ranges::find(verdict.tried, tried) == verdict.tried.end()) verdict.tried.push_back(std::move(tried));
}

/// Where the trials begin, in words.
std::string start_text(const History& history) {
  const std::int64_t kept = kept_epoch(history);
  const bool is_last = kept == 0 || kept == std::ssize(history.epochs);
  return is_last ? "the end" : fmt::format("epoch {}, which was kept,", kept);
}

/// Tells which step along the gradient lowers the loss most, to compare it with the learning rate.
void search_line(const Trials& trials, double rate, Verdict& verdict) {
  const LineSearch line = trials.along(rate);
  if (line.rows == 0) return;
  const bool lowers = line.after < line.before;
  tell(verdict,
       lowers ? fmt::format("Of the steps tried along the gradient of {}, the best took the loss to {} from {}, at {} "
                            "times the gradient; lr is {}.",
                            counted(line.rows, "rows"), number_text(line.after, 4), number_text(line.before, 4),
                            number_text(line.lr, 3), number_text(rate, 3))
              : fmt::format("None of the steps tried along the gradient of {} lowered their loss of {}.",
                            counted(line.rows, "rows"), number_text(line.before, 4)));
}

/// The loss before the first step, of the rows over which trials are measured.
double loss_at_start(const Case& c, const Trials& trials) {
  if (trials.at_start) return trials.at_start();
  return c.course.raw.empty() ? std::nan("") : c.course.raw.front();
}

/// The loss after a trial from the start with this rate, which the verdict tells.
double tried_from_start(double rate, double before, const Trials& trials, Verdict& verdict) {
  const double after = trials.afresh(rate);
  tell(verdict,
       tried_text(fmt::format("From the start with lr = {}", number_text(rate, 3)), trials.steps, before, after));
  return after;
}

}  // namespace

bool lower_rates_reach(double goal, const Case& c, const Trials& trials, Verdict& verdict) {
  const double before = loss_at_start(c, trials);
  verdict.advice = fmt::format(
      "Lower lr far below {}, because the loss did not fall with that either; or check the data and the loss.",
      number_text(c.course.peak_rate / 81, 3));
  const double rate = c.course.peak_rate;
  const auto reaches = [&](double lower, double than) {
    const double after = tried_from_start(lower, before, trials, verdict);
    if (after < than)
      verdict.advice = fmt::format("Lower lr to {}: in a trial the loss fell with it.", number_text(lower, 3));
    return after;
  };
  const double third = reaches(rate / 3, before);
  if (third < goal) return true;
  const double part = third < before ? 9 : 81;  // where a third makes it worse, much less is needed
  return reaches(rate / part, std::min(before, third)) < goal;
}

bool far_rates_reach(double goal, const Case& c, const Trials& trials, Verdict& verdict) {
  constexpr double clearly = 0.05;
  const double before = loss_at_start(c, trials), lower = c.course.peak_rate / 9, higher = 1000 * c.course.peak_rate;
  if (tried_from_start(lower, before, trials, verdict) < goal) {
    verdict.advice = fmt::format("Lower lr to {}: in a trial the loss fell with it.", number_text(lower, 3));
    return true;
  }
  const double after = tried_from_start(higher, before, trials, verdict);
  if (!(after < goal || before - after > clearly * std::abs(before))) return false;
  verdict.kind = VerdictKind::crawling;
  verdict.sentence = "Crawling: the learning rate is too low.";
  verdict.advice = fmt::format("Raise lr to {}: in a trial the loss fell with it.", number_text(higher, 3));
  return true;
}

bool higher_rates_reach(double goal, const Case& c, const Trials& trials, Verdict& verdict) {
  const double before = loss_at_start(c, trials);
  for (const double times : {10.0, 100.0}) {
    const double rate = times * c.course.peak_rate;
    if (!(tried_from_start(rate, before, trials, verdict) < goal)) continue;
    verdict.kind = VerdictKind::crawling;
    verdict.sentence = "Crawling: the learning rate is too low.";
    verdict.advice = fmt::format("Raise lr to {}: in a trial the loss fell with it.", number_text(rate, 3));
    return true;
  }
  return false;
}

bool is_where_it_began(const Case& c, const Trials& trials) {
  constexpr double hardly = 0.01;
  const double before = loss_at_start(c, trials);
  return std::abs(trials.now() - before) < hardly * std::abs(before);
}

std::int64_t kept_epoch(const History& history) { return history.best_restored ? history.best_epoch : 0; }

std::optional<std::string> early_epoch(const History& history) {
  constexpr double late = 0.75;
  const auto epochs = static_cast<double>(history.epochs.size());
  const std::int64_t kept = kept_epoch(history);
  if (kept == 0 || static_cast<double>(kept) >= late * epochs) return std::nullopt;
  return fmt::format(
      "Epoch {} of {} had the lowest validation loss and was kept, so more epochs may not help. Train once for twice "
      "as many, and compare.",
      kept, history.epochs.size());
}

std::string longer_patience(const History& history) {
  return fmt::format(
      "Early stopping ended the run after epoch {}, and would end a longer run as early. Raise its patience, and "
      "compare.",
      history.epochs.size());
}

Evidence from_to(const Course& run) {
  return {"fall", run.fall(),
          fmt::format("The training loss went from {} to {}.", number_text(run.first, 4), number_text(run.last, 4))};
}

double like_constant(const Case& c) {
  constexpr double never_well_below = 0.95;
  if (c.options.beats_constant) return 0;
  const double training = c.options.constant_training, validation = c.options.constant_validation;
  double near = 0;
  const Values& losses = c.course.epochs.loss.empty() ? c.course.stretches.loss : c.course.epochs.loss;
  if (training > 0 && !losses.empty()) near = losses.back() / training;
  const Values& v = c.course.validation.loss;
  if (validation > 0 && !v.empty() && *std::ranges::min_element(v) > never_well_below * validation) {
    near = std::max(near, level_of(v, 0.8, 1) / validation);
  }
  return near;
}

double measure_of(const Case& c, double loss, bool held_out) {
  if (!(c.course.last < 0)) return std::abs(loss);
  const double constant = held_out ? c.options.constant_validation : c.options.constant_training;
  return std::abs((std::isfinite(constant) ? constant : c.course.first) - loss);
}
std::string_view measure_text(const Case& c) {
  if (!(c.course.last < 0)) return "its earlier value";
  return std::isfinite(c.options.constant_training) ? "its distance from the best constant's loss" : "its whole fall";
}

bool try_lower_rates(const Case& c, const Trials& trials, Verdict& verdict) {
  const double start = loss_at_start(c, trials), constant = like_a_constant * c.options.constant_training;
  lower_rates_reach(constant < start ? constant : start, c, trials, verdict);
  return true;
}

bool try_lower_rates_for_more(const Case& c, const Trials& trials, Verdict& verdict) {
  const double constant = like_a_constant * c.options.constant_training;
  if (!(like_constant(c) > like_a_constant)) return try_lower_rates(c, trials, verdict);
  return lower_rates_reach(constant, c, trials, verdict);
}

bool try_settling(const Case& c, const Trials& trials, Verdict& verdict) {
  constexpr double clearly = 0.98;
  if (c.course.final_rate < annealed) return false;  // a schedule has lowered it already
  const double rate = c.course.peak_rate * c.course.final_rate, before = trials.now();
  const double same = trials.onward(rate), lower = trials.onward(rate / 3);
  const std::string from = start_text(c.history);
  tell(verdict, tried_text(fmt::format("Continued from {} with lr = {}", from, number_text(rate, 3)), trials.steps,
                           before, same));
  tell(verdict,
       tried_text(fmt::format("The same with lr = {}", number_text(rate / 3, 3)), trials.steps, before, lower));
  verdict.advice = fmt::format(
      "{}, or lower lr to {}: in a trial the training loss went lower with it.",
      c.history.reason == StopReason::stopped_early
          ? "Early stopping ended the run at a high learning rate: raise its patience, so that a schedule can lower lr"
          : "Let a schedule lower lr (cosine)",
      number_text(rate / 3, 3));
  return same - lower > (1 - clearly) * measure_of(c, same, false);
}

bool try_higher_rate(const Case& c, const Trials& trials, Verdict& verdict) {
  const double rate = c.course.peak_rate, before = trials.now();
  const double same = trials.onward(rate), higher = trials.onward(3 * rate);
  tell(verdict, tried_text(fmt::format("Continued from {} with lr = {}", start_text(c.history), number_text(rate, 3)),
                           trials.steps, before, same));
  tell(verdict,
       tried_text(fmt::format("The same with lr = {}", number_text(3 * rate, 3)), trials.steps, before, higher));
  const bool better = higher < before && before - higher > 1.5 * std::max(0.0, before - same);
  if (!better) return false;
  verdict.advice =
      fmt::format("Raise lr threefold, to {}, and try higher values too (thalweg lr).", number_text(3 * rate, 3));
  if (trials.along) search_line(trials, rate, verdict);
  return true;
}

bool try_other_rates(const Case& c, const Trials& trials, Verdict& verdict) {
  const double constant = c.options.constant_training;
  if (!trials.afresh || knows_by_heart(c) || learned_in_part(c)) return true;
  const std::string advice = verdict.advice;
  const bool is_slow = falls_by(c, 0);
  const double goal = like_a_constant * constant;
  const bool stays = !is_slow && is_where_it_began(c, trials);
  if (!(is_slow ? try_higher_rate(c, trials, verdict)
        : stays ? far_rates_reach(goal, c, trials, verdict)
                : lower_rates_reach(goal, c, trials, verdict) || higher_rates_reach(goal, c, trials, verdict))) {
    verdict.advice = advice;
    return true;
  }
  verdict.rate_advice = verdict.advice;
  if (is_slow && c.course.last > 1.05 * constant) {
    verdict.kind = VerdictKind::crawling;
    verdict.sentence = "Crawling: the learning rate is too low.";
  } else if (is_slow) {
    verdict.advice += " If it still learns nothing, look at the data.";
  }
  return true;
}

bool try_going_on(const Case& c, const Trials& trials, Verdict& verdict) {
  if (c.history.reason == StopReason::stopped_early) {
    verdict.advice = longer_patience(c.history);
    return true;
  }
  if (const auto early = early_epoch(c.history)) {
    verdict.advice = *early;
    return true;
  }
  const double rate = c.course.peak_rate * (c.course.final_rate < annealed ? 0.3 : c.course.final_rate);
  const double before = trials.now(), after = trials.onward(rate);
  tell(verdict, tried_text(fmt::format("Continued from {} with lr = {}", start_text(c.history), number_text(rate, 3)),
                           trials.steps, before, after));
  if (!(after < before)) {
    verdict.advice =
        "A short continuation did not lower the loss, which does not show whether more epochs help. Train once for "
        "twice as many, and compare.";
  }
  return true;
}

}  // namespace thalweg
