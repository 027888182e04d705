#include "insight/goal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/numbers.hpp"
#include "insight/course.hpp"

namespace thalweg {

namespace {

constexpr std::size_t fewest_epochs = 8;
constexpr double significance = 2;  // deviations that tell a rise from noise
constexpr double at_rest = 0.02;    // of the last level: a rise below it is none

Verdict not_judged() {
  return {.kind = VerdictKind::not_judged,
          .sentence =
              "Trained to its end: what the loss is taken on changed with what was learned, and so it does not say "
              "how good the result is.",
          .evidence = {},
          .advice = "Measure it: thalweg evaluate."};
}

}  // namespace

Verdict judge_goal(const History& history, const std::string& goal) {
  const Values course = goal.empty() ? Values{} : measured_of(history, goal);
  if (goal.empty()) return not_judged();
  if (course.size() < fewest_epochs) {
    Verdict verdict = not_judged();
    verdict.sentence = fmt::format("Trained to its end, in too few epochs to tell whether {} has come to rest.", goal);
    return verdict;
  }
  const double first = level_of(course, 0, 0.2), before = level_of(course, 0.6, 0.8), last = level_of(course, 0.8, 1);
  const double by_chance = significance * noise_of(course) / std::sqrt(static_cast<double>(course.size()) / 5);
  const auto [lowest, highest] = std::ranges::minmax_element(course);
  Verdict verdict;
  verdict.evidence = {
      {"first", first, fmt::format("Over the first fifth of the epochs, {} was {}.", goal, number_text(first, 4))},
      {"last", last,
       fmt::format("Over the last fifth it was {}; it was {} at its lowest and {} at its highest.",
                   number_text(last, 4), number_text(*lowest, 4), number_text(*highest, 4))}};
  // what rose before the last tenth and does not within it has come to rest
  const double late = level_of(course, 0.9, 1) - level_of(course, 0.8, 0.9);
  const double risen = by_chance + at_rest * std::abs(last);
  const std::string from_to = fmt::format("{} went from {} to {}", goal, number_text(first, 4), number_text(last, 4));
  if (last - before > risen && late > at_rest * std::abs(last)) {
    verdict.kind = VerdictKind::still_rising;
    verdict.sentence = fmt::format("Still rising: {}.", from_to);
    verdict.advice = "More epochs.";
  } else if (last - first > risen) {
    verdict.kind = VerdictKind::converged;
    verdict.sentence = fmt::format("Risen, and at rest in the end: {}.", from_to);
    verdict.advice = "Measure it: thalweg evaluate.";
  } else if (first - last > risen) {
    verdict.kind = VerdictKind::learned_nothing;
    verdict.sentence = fmt::format("Fallen: {}.", from_to);
    verdict.advice = "Try a lower learning rate.";
  } else {
    verdict.kind = VerdictKind::learned_nothing;
    verdict.sentence = fmt::format("No rise that stands out of the noise: {}.", from_to);
    verdict.advice =
        "If that is already as high as it can be, there was nothing left to learn. Else try more epochs or another "
        "learning rate.";
  }
  return verdict;
}

}  // namespace thalweg
