#include "insight/pace.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "insight/held_out.hpp"

namespace thalweg {

namespace {
constexpr double still = 0.3;  // of the pace that it had before, a run keeps that is on its way
}

const Curve& training_curve(const Course& run) {
  return run.epochs.loss.size() >= fewest_epochs ? run.epochs : run.stretches;
}

Pace pace_of(const Course& run) {
  // the mean over an epoch has every row once: a fall that is lost in the noise of batches is seen there
  const Curve& curve = training_curve(run);
  if (curve.loss.size() < fewest_epochs) return {};
  const std::size_t half = curve.loss.size() / 2;
  const FittedLine one = fit_line(std::span(curve.time).first(half), std::span(curve.loss).first(half)),
                   two = fit_line(std::span(curve.time).last(half), std::span(curve.loss).last(half));
  const double part = (curve.loss.front() - curve.loss.back()) / std::abs(curve.loss.front());
  return {one.falls() && two.falls(), one.slope == 0 ? 0 : two.slope / one.slope, part};
}

bool falls_by(const Case& c, double least) {
  const Values& v = c.course.validation.loss;
  const auto since = v.end() - std::ranges::min_element(v);  // the lowest is one of the last fifth
  const bool at_lowest = v.empty() || since <= std::max<std::ptrdiff_t>(1, std::ssize(v) / 5);
  const Pace pace = pace_of(c.course);
  return pace.falls && pace.ratio > still && pace.part > least && at_lowest;
}

Pace pace_of_few(const Case& c) {
  constexpr std::size_t fewest = 3;
  const auto& [loss, time] = c.course.epochs;
  const Values& held_out = c.course.validation.loss;
  const std::size_t count = loss.size();
  if (count < fewest || count >= fewest_epochs || held_out.size() != count) return {};
  const auto falls = [](const Values& v) { return std::ranges::adjacent_find(v, std::less_equal{}) == v.end(); };
  const double before = (loss[0] - loss[count - 2]) / (time[count - 2] - time[0]),
               last = (loss[count - 2] - loss[count - 1]) / (time[count - 1] - time[count - 2]);
  return {falls(loss) && falls(held_out), last / before, (loss.front() - loss.back()) / std::abs(loss.front())};
}

bool falls_in_each_epoch(const Case& c, double least) {
  const Pace pace = pace_of_few(c);
  return pace.falls && pace.ratio > still && pace.part > least;
}

double held_out_end(const Case& c) {
  const double training = c.options.constant_training, validation = c.options.constant_validation;
  const bool is_harder = training > 0 && validation > training;
  return c.course.validation.loss.back() * (is_harder ? training / validation : 1);
}

bool knows_by_heart(const Case& c) {
  const double last = c.course.last;
  return !c.course.validation.loss.empty() && last >= 0 && last < by_heart * held_out_end(c);
}

bool learned_in_part(const Case& c) {
  constexpr double well_below = 0.7;
  return !c.course.validation.loss.empty() && c.course.last < well_below * c.options.constant_training;
}

}  // namespace thalweg
