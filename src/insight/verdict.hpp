#pragma once
// How a run went, in a word, with the numbers that say so and what was tried.

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/train.hpp"

namespace thalweg {

enum class VerdictKind {
  diverged,
  unstable,
  spikes,
  dead_gradients,
  at_saddle,
  on_plateau,
  learned_nothing,
  overfitting,
  crawling,
  still_falling,
  schedule_ended,
  converged,
  still_rising,  ///< of a run that makes its own rows: what it is after
  not_judged     ///< no loss alone says how good the result is: of several objectives, of rows that change
};
[[nodiscard]] std::string_view name(VerdictKind kind);  ///< "still falling"

struct Evidence {
  std::string name;  ///< "late_gain"
  double value = 0;
  std::string sentence;  ///< "In the second half of the run the validation loss fell by 4.1 %."
};

struct Verdict {
  VerdictKind kind = VerdictKind::not_judged;
  std::string sentence;
  std::vector<Evidence> evidence;
  std::string advice = {};              ///< what to do next
  std::vector<std::string> tried = {};  ///< what was tried before the advice was given, and what came of it
};

struct Point;  // insight/point.hpp

/// What a step along the gradient, a plain one, can do: the loss of some rows at the length that lowers it most.
struct LineSearch {
  std::int64_t rows = 0;         ///< 0: the gradient is not finite, or 0
  double lr = 0;                 ///< the length, as a factor of the gradient
  double before = 0, after = 0;  ///< equal where no length lowers it
};

/// Short runs that try advice out, on copies: the run that is judged keeps its bits. Losses are over the same training
/// rows; infinite where a run diverged. They begin at the parameters that were kept: those of the last step, or of the
/// epoch with the lowest validation loss.
struct Trials {
  std::int64_t steps = 0;                     ///< of each run
  std::function<double()> now = {};           ///< the loss where the judged run ended, or at the epoch that it kept
  std::function<double(double)> onward = {};  ///< after steps from there at this constant rate
  std::function<double(double)> afresh = {};  ///< after steps from the start with this as the highest rate
  /// Along the gradient from there: lengths from this one up and down.
  std::function<LineSearch(double)> along = {};
  std::function<std::vector<double>()> norms = {};           ///< of each layer's gradient, at the end of the judged run
  std::function<std::vector<double>()> norms_at_start = {};  ///< and before its first step
  std::function<Point()> point = {};  ///< what kind of point the end is; empty where that costs too much
};

/// What is known of a run besides its history.
struct JudgeOptions {
  /// The losses of the best constant prediction of the training rows, on these and on the validation rows.
  double constant_training = std::numeric_limits<double>::quiet_NaN();
  double constant_validation = std::numeric_limits<double>::quiet_NaN();
  std::string constant_name = "the best constant";
  bool beats_constant = false;     ///< shown row by row: a ratio of the losses near 1 says nothing then
  std::string failure = {};        ///< the error that ended the run, if one did: the evidence is what it says
  std::int64_t failed_step = 0;    ///< and the step that it ended in
  const Trials* trials = nullptr;  ///< none: advice is given untried, and says so
  /// Of a run that makes its own rows the loss is not judged, for these change with what was learned. The metric of its
  /// epochs that says how good it is, higher is better; empty where there is none.
  bool makes_rows = false;
  std::string goal = {};
  /// The names of the run's objectives, where they are several: then nothing is judged but that the losses are numbers.
  std::vector<std::string> objectives = {};
};

/// A verdict holds where its evidence, a number, is above its threshold, and what it advises was tried with success.
struct VerdictRule {
  VerdictKind kind;
  std::string_view evidence;  ///< the name of the number
  double threshold;
  std::string_view says;  ///< when it holds, for documentation
};
/// In their order: the first that holds is the verdict.
[[nodiscard]] std::vector<VerdictRule> verdict_rules();

/// The first rule that holds. Where the run recorded the layers' gradients, what they say (gradient_flow) is the last
/// of the evidence.
[[nodiscard]] Verdict judge(const History& history, const JudgeOptions& options = {});

}  // namespace thalweg
