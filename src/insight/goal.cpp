#include "insight/goal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/numbers.hpp"
#include "insight/course.hpp"

namespace thalweg {

namespace {

constexpr std::size_t fewest = 8;   // collections that can be judged
constexpr double significance = 2;  // a rise counts from this many standard deviations of the noise on
constexpr double at_rest = 0.02;    // of the last level: a smaller rise does not count

Verdict not_judged() {
  return {.kind = VerdictKind::not_judged,
          .sentence =
              "Trained to its end: the rows of the loss changed with what was learned, so the loss does not tell how "
              "good the result is.",
          .evidence = {},
          .advice = "Measure it: thalweg evaluate."};
}

/// One value for each collection. All epochs on one collection have the same value, so values change only at multiples
/// of the number of passes over a collection.
Values by_collections(const Values& epochs) {
  std::size_t passes = 0;
  for (std::size_t i = 1; i < epochs.size(); ++i) {
    if (epochs[i] != epochs[i - 1]) passes = std::gcd(passes, i);
  }
  if (passes == 0) passes = std::max<std::size_t>(epochs.size(), 1);
  Values collections;
  for (std::size_t i = 0; i < epochs.size(); i += passes) collections.push_back(epochs[i]);
  return collections;
}

/// Where values never change, the number of collections is not known.
Verdict never_changed(const std::string& goal, const Values& epochs) {
  Verdict verdict = not_judged();
  verdict.sentence = fmt::format("Not judged: {} was {} in each of {} epochs, which does not tell what was learned.",
                                 goal, number_text(epochs.front(), 4), epochs.size());
  verdict.advice =
      "If this is already the highest possible value, there was nothing to learn. Otherwise train longer, or check "
      "whether other actions change it at all.";
  return verdict;
}

}  // namespace

Verdict judge_goal(const History& history, const std::string& goal) {
  if (goal.empty()) return not_judged();
  const Values epochs = measured_of(history, goal), course = by_collections(epochs);
  if (epochs.size() >= fewest && std::ranges::count(epochs, epochs.front()) == std::ssize(epochs))
    return never_changed(goal, epochs);
  if (course.size() < fewest) {
    Verdict verdict = not_judged();
    verdict.sentence = fmt::format(
        "Too short to judge: fewer than {} collections do not tell whether {} has levelled out.", fewest, goal);
    return verdict;
  }
  const double first = level_of(course, 0, 0.2), before = level_of(course, 0.6, 0.8), last = level_of(course, 0.8, 1);
  const double by_chance = significance * noise_of(course) / std::sqrt(static_cast<double>(course.size()) / 5);
  const auto [lowest, highest] = std::ranges::minmax_element(course);
  Verdict verdict;
  verdict.evidence = {
      {"first", first, fmt::format("Over the first fifth of the collections, {} was {}.", goal, number_text(first, 4))},
      {"last", last,
       fmt::format("Over the last fifth it was {}; it was {} at its lowest and {} at its highest.",
                   number_text(last, 4), number_text(*lowest, 4), number_text(*highest, 4))}};
  // a metric that rose before the last tenth and does not rise in it has levelled out
  const double late = level_of(course, 0.9, 1) - level_of(course, 0.8, 0.9);
  const double risen = by_chance + at_rest * std::abs(last);
  const std::string from_to = fmt::format("{} went from {} to {}", goal, number_text(first, 4), number_text(last, 4));
  if (last - before > risen && late > at_rest * std::abs(last)) {
    verdict.kind = VerdictKind::still_rising;
    verdict.sentence = fmt::format("Still rising: {}.", from_to);
    verdict.advice = "More epochs.";
  } else if (last - first > risen) {
    verdict.kind = VerdictKind::converged;
    verdict.sentence = fmt::format("Risen, and levelled out at the end: {}.", from_to);
    verdict.advice = "Measure it: thalweg evaluate.";
  } else if (first - last > risen) {
    verdict.kind = VerdictKind::learned_nothing;
    verdict.sentence = fmt::format("Fallen: {}.", from_to);
    verdict.advice = "Try a lower learning rate.";
  } else {
    verdict.kind = VerdictKind::learned_nothing;
    verdict.sentence = fmt::format("No rise above the noise: {}.", from_to);
    verdict.advice =
        "If this is already the highest possible value, there was nothing left to learn. Otherwise try more epochs or "
        "another learning rate.";
  }
  return verdict;
}

}  // namespace thalweg
