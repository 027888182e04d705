#include "engine/pace.hpp"

#include <algorithm>

#include "core/index.hpp"

namespace thalweg {

Pace::Next Pace::next(std::int64_t rows) {
  if (rows > 2 * rows_) {
    *this = {};
    rows_ = rows;
  }
  in_trial_ = left_ == 0;
  if (in_trial_) return {.alone = step_ >= each, .measured = true};
  --left_;
  return {.alone = is_alone_, .measured = is_alone_};
}

Pace::Step::Step(Pace& pace, std::int64_t rows, Workers& workers) : pace_(pace), workers_(workers) {
  const Next next = pace.next(rows);
  workers.stay_alone(next.alone);
  if (next.measured) begin_ = Clock::now();
}

Pace::Step::~Step() {
  workers_.stay_alone(false);
  if (begin_) pace_.note(std::chrono::duration<double>(Clock::now() - *begin_).count());
}

void Pace::note(double seconds) {
  if (!in_trial_) {
    long_ = seconds > longest ? long_ + 1 : 0;
    if (long_ == most_long) is_alone_ = false;
    return;
  }
  const int place = step_ % each - unmeasured;
  if (place >= 0) at(step_ < each ? together_ : alone_, place) = seconds;
  ++step_;
  const bool is_long = step_ == each && !is_alone_ && median(together_) > longest;
  if (step_ < 2 * each && !is_long) return;
  is_alone_ = !is_long && median(alone_) < median(together_);
  step_ = long_ = 0;
  left_ = between_trials;
}

double Pace::median(std::array<double, measured> seconds) {
  std::ranges::nth_element(seconds, seconds.begin() + measured / 2);
  return seconds[measured / 2];
}

}  // namespace thalweg
