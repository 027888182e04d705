#include "cli/budget.hpp"

#include <fmt/format.h>

#include <utility>

#include "core/numbers.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t looks = 20;      // in a whole run
constexpr std::int64_t before_any = 5;  // a run is judged after a fifth of its steps

}  // namespace

BudgetGuard::BudgetGuard(const TrainOptions& train, std::function<History()> logged,
                         std::function<JudgeOptions()> constants)
    : allowed_(train.allowed_seconds()),
      text_(train.budget),
      logged_(std::move(logged)),
      constants_(std::move(constants)) {}

bool BudgetGuard::spent(const StepReport& report, double seconds) {
  if (!allowed_) return false;
  if (!reason_.empty()) return true;
  if (first_ == 0) {
    first_ = report.step;
    next_look_ = first_ - 1 + std::max<std::int64_t>(1, report.total_steps / before_any);
  }
  if (report.step == report.total_steps) return false;
  is_used_up_ = seconds >= *allowed_;
  if (is_used_up_) {
    reason_ = fmt::format("the budget of {} is spent", text_);
  } else if (hopeless(report)) {
    reason_ += fmt::format(" {} of the budget of {} was spent.", duration_text(seconds), text_);
  }
  return !reason_.empty();
}

/// A finding counts only if two looks in a row agree, because a single look may happen at a bad moment.
bool BudgetGuard::hopeless(const StepReport& report) {
  if (report.step < next_look_) return false;
  next_look_ = report.step + std::max<std::int64_t>(1, report.total_steps / looks);
  if (!known_) known_ = constants_();
  const Verdict verdict = judge(logged_(), *known_);
  // a run that makes its own rows may start to improve late
  const bool nothing = verdict.kind == VerdictKind::learned_nothing && !known_->makes_rows;
  const bool bad = verdict.kind == VerdictKind::diverged || nothing;
  const auto before = std::exchange(found_, bad ? std::optional(verdict.kind) : std::nullopt);
  if (!bad || before != verdict.kind) return false;
  reason_ = verdict.sentence;
  for (const Evidence& evidence : verdict.evidence) reason_ += " " + evidence.sentence;
  return true;
}

}  // namespace thalweg::cli
