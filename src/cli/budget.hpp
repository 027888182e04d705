#pragma once
// What a run may cost: its end when that is spent, and before, where the run's course says that it is hopeless.

#include <functional>
#include <optional>
#include <string>

#include "insight/verdict.hpp"
#include "run/config.hpp"

namespace thalweg::cli {

/// `train.budget` of a run. Asked after each step; without a budget it never stops one.
class BudgetGuard {
 public:
  /// `logged` is the history so far, of all sittings; `constants` what a model has to beat. Both are asked at a few
  /// moments: at each twentieth of the steps, from a fifth of those on that this sitting began with.
  BudgetGuard(const TrainOptions& train, std::function<History()> logged, std::function<JudgeOptions()> constants);

  /// Whether the run is to stop after this step; `seconds` is the time that it has taken, over all sittings.
  bool spent(const StepReport& report, double seconds);
  /// Why it stopped it: "the budget of 2 h is spent". Empty while it did not.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// Whether that is the reason: then the run goes on with another budget, or none.
  [[nodiscard]] bool is_used_up() const { return is_used_up_; }

 private:
  [[nodiscard]] bool hopeless(const StepReport& report);

  std::optional<double> allowed_;  ///< seconds
  std::string text_;
  std::function<History()> logged_;
  std::function<JudgeOptions()> constants_;
  std::int64_t first_ = 0, next_look_ = 0;
  std::optional<VerdictKind> found_;  ///< at the look before
  std::optional<JudgeOptions> known_;
  std::string reason_;
  bool is_used_up_ = false;
};

}  // namespace thalweg::cli
