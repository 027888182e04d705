#pragma once
// The verdict on a run: one word, the numbers behind it, what was tried, and advice.

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
  too_short,
  schedule_ended,
  converged,
  still_rising,  ///< the goal of a run that makes its own rows
  not_judged     ///< no loss alone tells how good the result is: several objectives, or rows that change
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
  std::vector<std::string> tried = {};  ///< what was tried before the advice was given, and the result
  /// For a run that learned nothing: what to do with its learning rate; empty if no trial with another one helped.
  std::string rate_advice = {};
};

struct Point;  // insight/point.hpp

/// The best plain step along the gradient: the loss of some rows at the length that lowers it most.
struct LineSearch {
  std::int64_t rows = 0;         ///< 0: the gradient is not finite, or 0
  double lr = 0;                 ///< the step divided by the gradient
  double before = 0, after = 0;  ///< equal where no length lowers it
};

/// Short runs that try the advice on copies, so that the judged run keeps its bits. Losses are over the same training
/// rows, and infinite where a trial diverged. Trials begin at the kept parameters: those of the last step, or of the
/// epoch with the lowest validation loss.
struct Trials {
  std::int64_t steps = 0;                     ///< number of steps of each trial
  std::function<double()> now = {};           ///< the loss at the kept parameters
  std::function<double()> at_start = {};      ///< the loss before the first step; empty: that of the first batch
  std::function<double(double)> onward = {};  ///< the loss after steps from there at this constant learning rate
  std::function<double(double)> afresh = {};  ///< the loss after steps from the start with this highest learning rate
  /// Steps of several lengths around this one, along the gradient from the kept parameters.
  std::function<LineSearch(double)> along = {};
  std::function<std::vector<double>()> norms = {};  ///< norm of each layer's gradient at the end of the judged run
  std::function<std::vector<double>()> norms_at_start = {};  ///< and before its first step
  std::function<Point()> point = {};  ///< the kind of point at the end; empty where computing it costs too much
};

/// What is known about a run besides its history.
struct JudgeOptions {
  /// The losses of the training rows' best constant prediction, on the training rows and on the validation rows.
  double constant_training = std::numeric_limits<double>::quiet_NaN();
  double constant_validation = std::numeric_limits<double>::quiet_NaN();
  std::string constant_name = "the best constant";
  bool beats_constant =
      false;  ///< a row-by-row comparison has shown it: then a ratio of the losses near 1 means nothing
  bool rise_is_chance = false;     ///< it has shown that the validation loss did not rise after its best epoch
  std::string failure = {};        ///< the error that ended the run, if one did; its text becomes the evidence
  std::int64_t failed_step = 0;    ///< and the step in which the run ended
  const Trials* trials = nullptr;  ///< null: advice is not tried, and says so
  /// For a run that makes its own rows the loss is not judged, because the rows change with what was learned. `goal` is
  /// the metric of its epochs that tells how good it is (higher is better); empty where there is none.
  bool makes_rows = false;
  std::string goal = {};
  /// The names of the objectives of a run with several: then it is only checked that the losses are finite.
  std::vector<std::string> objectives = {};
};

/// A verdict holds where its evidence, a number, is above its threshold, and its advice was tried with success.
struct VerdictRule {
  VerdictKind kind;
  std::string_view evidence;  ///< the name of the number
  double threshold;
  std::string_view says;  ///< its sentence, for the documentation
};
/// The rules in order: the first that holds is the verdict.
[[nodiscard]] std::vector<VerdictRule> verdict_rules();

/// The verdict of the first rule that holds. Where the run recorded the layers' gradients, the sentence of
/// gradient_flow is the last evidence.
[[nodiscard]] Verdict judge(const History& history, const JudgeOptions& options = {});

}  // namespace thalweg
