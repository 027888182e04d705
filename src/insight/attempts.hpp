#pragma once
// Tries the advice of a verdict before the verdict gives it.

#include <optional>

#include "insight/course.hpp"
#include "insight/point.hpp"
#include "insight/verdict.hpp"

namespace thalweg {

constexpr double like_a_constant =
    0.98;  // a run whose loss is above this fraction of the best constant's loss has learned nothing
constexpr double annealed = 0.1;  // the schedule lowered the learning rate below this fraction of its highest value

/// A run that is judged: its history, the options of the verdict, and its course.
struct Case {
  const History& history;
  const JudgeOptions& options;
  Course course;
  mutable std::optional<Point> end = {};  ///< what kind of point the end is; set once that was computed
};

/// The epoch whose parameters were kept: the best epoch where its parameters were restored; 0: those of the last step.
[[nodiscard]] std::int64_t kept_epoch(const History& history);

/// The advice where the kept parameters come from an epoch well before the last; nothing otherwise.
[[nodiscard]] std::optional<std::string> early_epoch(const History& history);

/// The advice where early stopping ended a run that more epochs would improve.
[[nodiscard]] std::string longer_patience(const History& history);

/// How close the loss ended to the loss of the best constant: 1 at or above it, less below it. On the training rows, or
/// on the validation rows where their loss never went well below the constant's. 0 for a run that is known to be
/// better.
[[nodiscard]] double like_constant(const Case& run);

/// From where to where the training loss went.
[[nodiscard]] Evidence from_to(const Course& run);

/// What a rule found: the number that is compared with its threshold, and the sentences.
struct Finding {
  double value = 0;
  std::string sentence = {};
  std::vector<Evidence> evidence = {};
  std::string advice = {};  ///< replaces the advice of the rule
};
using Measure = std::optional<Finding> (*)(const Case&);
/// Tries the advice and adds the result to the verdict. False where the advice did not help: then the verdict does not
/// hold.
using Attempt = bool (*)(const Case&, const Trials&, Verdict&);

/// The unit of a change of a loss: the loss itself; or its distance from the best constant's loss where the loss can be
/// negative (as for counts), because its value then does not say how much is left to learn.
[[nodiscard]] double measure_of(const Case& c, double loss, bool held_out);
/// The name of this unit in a sentence: "its earlier value".
[[nodiscard]] std::string_view measure_text(const Case& c);

/// Tries a third of the highest learning rate of the run from the start. If the loss does not get below `goal` with it,
/// a ninth, or an 81st where the third made the loss worse. Returns whether one of them gets there. With a warm-up the
/// run may have ended before it reached the rate that was asked for, hence the highest rate that it had.
bool lower_rates_reach(double goal, const Case& run, const Trials& trials, Verdict& verdict);
/// Tries a ninth of the highest rate of a run that is where it began, which must get below `goal`, and a thousand times
/// that rate, which must get there or lower the loss clearly: then the run was only too slow. Returns whether one does.
bool far_rates_reach(double goal, const Case& run, const Trials& trials, Verdict& verdict);
/// Tries ten and a hundred times the highest rate of the run from the start. If one gets below `goal`, the run was only
/// too slow. Returns whether one does.
bool higher_rates_reach(double goal, const Case& run, const Trials& trials, Verdict& verdict);
/// Whether the loss of the kept parameters is that before the first step.
[[nodiscard]] bool is_where_it_began(const Case& run, const Trials& trials);
/// Lower rates as above, until the loss gets below its start and that of the best constant with one.
bool try_lower_rates(const Case& run, const Trials& trials, Verdict& verdict);
/// The same; but where the run ended at the level of the best constant, one of them must get below it. Otherwise the
/// learning rate was not the cause.
bool try_lower_rates_for_more(const Case& run, const Trials& trials, Verdict& verdict);
/// A third of the learning rate must do clearly better than the learning rate itself, from the same state on the same
/// rows. False where a schedule has lowered the rate already.
bool try_settling(const Case& run, const Trials& trials, Verdict& verdict);
/// Three times the highest learning rate must do clearly better than the highest itself, from the same state on the
/// same rows. If it does, a line search tells how far a step along the gradient may go.
bool try_higher_rate(const Case& run, const Trials& trials, Verdict& verdict);
/// Tries other learning rates: a higher one where the loss falls steadily but slowly, one far below and one far above
/// where the loss is what it was at the start, otherwise lower ones, then higher ones, which must get below the
/// constant. If one does, the advice names it, and a run that ended above the constant was only too slow.
bool try_other_rates(const Case& run, const Trials& trials, Verdict& verdict);
/// Continues from the kept parameters, at the last learning rate, or at a third of the highest where the schedule has
/// lowered it. If the loss does not fall, the advice promises nothing of more epochs. Nor does it if the parameters of
/// an early epoch were kept: from there the training loss falls at once, as it did in the run.
bool try_going_on(const Case& run, const Trials& trials, Verdict& verdict);

}  // namespace thalweg
