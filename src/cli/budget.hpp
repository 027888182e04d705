#pragma once
// The budget of a run: the run ends when it is spent, or earlier if the course of the run shows that it is hopeless.

#include <functional>
#include <optional>
#include <string>

#include "insight/verdict.hpp"
#include "run/config.hpp"

namespace thalweg::cli {

/// `train.budget` of a run. It is asked after each step. Without a budget it never stops a run.
class BudgetGuard {
 public:
  /// `logged` returns the history so far, over all sittings; `constants` returns the losses that a model has to beat.
  /// Both are called only a few times: at each twentieth of the steps, after the first fifth of this sitting's steps.
  BudgetGuard(const TrainOptions& train, std::function<History()> logged, std::function<JudgeOptions()> constants);

  /// Whether the run has to stop after this step. `seconds` is the time of the run so far, over all sittings.
  bool spent(const StepReport& report, double seconds);
  /// Why the run stopped: "the budget of 2 h is spent". Empty while it did not stop.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// Whether it stopped because the budget is spent. Then the run can be resumed with another budget, or with none.
  [[nodiscard]] bool is_used_up() const { return is_used_up_; }

 private:
  [[nodiscard]] bool hopeless(const StepReport& report);

  std::optional<double> allowed_;  ///< seconds
  std::string text_;
  std::function<History()> logged_;
  std::function<JudgeOptions()> constants_;
  std::int64_t first_ = 0, next_look_ = 0;
  std::optional<VerdictKind> found_;  ///< the finding of the previous look
  std::optional<JudgeOptions> known_;
  std::string reason_;
  bool is_used_up_ = false;
};

}  // namespace thalweg::cli
