#pragma once
// What a verdict advises, tried before it is said.

#include <optional>

#include "insight/course.hpp"
#include "insight/point.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

constexpr double like_a_constant = 0.98;  // a loss above this part of the best constant's learned nothing
constexpr double annealed = 0.1;          // the schedule took the rate below this part of the highest

/// A run that is judged: what was asked, its course.
struct Case {
  const History& history;
  const JudgeOptions& options;
  Course course;
  mutable std::optional<Point> end = {};  ///< once it was looked at
};

/// The epoch whose parameters were kept: the best, where the run was put back to it; 0 for those of the last step.
[[nodiscard]] std::int64_t kept_epoch(const History& history);

/// What to do where early stopping ended a run that more epochs would improve.
[[nodiscard]] std::string longer_patience(const History& history);

/// How near the loss ended to that of the best constant, from 1 (there or above) downwards: on the training rows, or on
/// the validation rows where it never went well below it. 0 of a run that is known to be better.
[[nodiscard]] double like_constant(const Case& run);

/// What the training loss did.
[[nodiscard]] Evidence from_to(const Course& run);

/// What a rule found: the number that is held against its threshold, and the sentences.
struct Finding {
  double value = 0;
  std::string sentence = {};
  std::vector<Evidence> evidence = {};
  std::string advice = {};  ///< in place of the rule's
};
using Measure = std::optional<Finding> (*)(const Case&);
/// Tries what the verdict advises, and says so in it. False where that did not help, and the verdict does not hold.
using Attempt = bool (*)(const Case&, const Trials&, Verdict&);

/// What a change of a loss is measured by: the loss, or its distance from the best constant's, where it may be below 0
/// as that of counts: there its value says nothing of what is left to learn.
[[nodiscard]] double measure_of(const Case& c, double loss, bool held_out);
/// What that is called: "what it was".
[[nodiscard]] std::string_view measure_text(const Case& c);

/// A third of the rate from the start, and a ninth where that diverges as well.
bool try_lower_rates(const Case& run, const Trials& trials, Verdict& verdict);
/// The same; but where the run ended like the best constant, one of the two must get below that, or it was not the
/// rate.
bool try_lower_rates_for_more(const Case& run, const Trials& trials, Verdict& verdict);
/// A third of the rate must do clearly better than the rate itself, from the same state on the same rows.
bool try_settling(const Case& run, const Trials& trials, Verdict& verdict);
/// Three times the highest rate must do clearly better than the rate itself, from the same state on the same rows.
/// Where it does, a line search says how far a step along the gradient may go.
bool try_higher_rate(const Case& run, const Trials& trials, Verdict& verdict);
/// On from what was kept, at the last rate, or at a third of the highest where the schedule took it down. Where that
/// does not lower the loss, nothing is promised of more epochs; nor where what was kept is of an early epoch, from
/// which the training loss falls at once, as it did in the run.
bool try_going_on(const Case& run, const Trials& trials, Verdict& verdict);

}  // namespace thalweg
