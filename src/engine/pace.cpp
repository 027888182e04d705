#include "engine/pace.hpp"

#include <algorithm>

#include "core/index.hpp"

namespace thalweg {

Pace::Next Pace::next(std::int64_t rows) {
  if (rows > 2 * rows_) {
    *this = {};
    rows_ = rows;
  }
  if (is_long_) return {};
  if (left_ == 0) return {.alone = step_ >= each, .measured = true};
  --left_;
  return {.alone = is_alone_};
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
  const int place = step_ % each - unmeasured;
  if (place >= 0) at(step_ < each ? together_ : alone_, place) = seconds;
  ++step_;
  if (step_ == each && median(together_) > longest) is_long_ = true;
  if (step_ < 2 * each) return;
  is_alone_ = median(alone_) < median(together_);
  step_ = 0;
  left_ = between_trials;
}

double Pace::median(std::array<double, measured> seconds) {
  std::ranges::nth_element(seconds, seconds.begin() + measured / 2);
  return seconds[measured / 2];
}

}  // namespace thalweg
