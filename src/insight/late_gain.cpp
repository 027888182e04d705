#include "insight/late_gain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "insight/held_out.hpp"
#include "insight/pace.hpp"

namespace thalweg {

namespace {

constexpr double no_gap = 0.7;  // training over validation loss: above it, the training loss counts too

/// The number of values up to the lowest one of a curve's second half, by its sum of learning rates.
std::size_t lowest_since_half(const Curve& curve) {
  const auto since = std::ranges::lower_bound(curve.time, curve.time.back() / 2) - curve.time.begin();
  return static_cast<std::size_t>(std::min_element(curve.loss.begin() + since, curve.loss.end()) - curve.loss.begin()) +
         1;
}

/// Whether a loss that was lowest there may be falling still.
bool is_late(std::size_t lowest, const Curve& curve) { return 4 * lowest >= 3 * curve.loss.size(); }

}  // namespace

std::string_view second_half_of(const Course& run) {
  return run.by_steps ? "the run, by the sum of its learning rates," : "the run";
}

LateGain late_gain(const Case& c) {
  const Course& run = c.course;
  const auto gain = [&](const Curve& curve, bool to_lowest) {
    if (curve.loss.size() < 2) return 0.0;
    const double half = curve.at_half_time();
    const double noise = noise_of(std::span(curve.loss).subspan(curve.loss.size() / 2));
    const double chance = curve.loss.size() > fewest_epochs ? significance * noise : 0;
    const std::size_t lowest = lowest_since_half(curve);
    const bool ends_lowest = to_lowest && is_late(lowest, curve);
    const double end = ends_lowest ? curve.loss[lowest - 1] : level_of(curve.loss, 0.85, 1);
    const double whole = measure_of(c, half, to_lowest);
    return whole == 0 ? 0 : (half - chance - end) / whole;
  };
  const bool held_out = run.validation.loss.size() >= 5;
  const double training = gain(training_curve(run), false);
  const double validation = held_out ? gain(run.validation, true) : 0;
  const double now = held_out ? held_out_end(c) : 0;
  const bool near = !held_out || now - run.last < (1 - no_gap) * measure_of(c, now, true);
  // with few epochs, validation losses may look level by chance
  const bool few = run.validation.loss.size() < 20;
  const double training_counts = few || (near && training > 0.1) ? std::max(0.0, training) : 0;
  const bool by_validation = held_out && validation >= training_counts;
  const double value = held_out ? std::max(validation, training_counts) : training;
  if (held_out && knows_by_heart(c)) {
    const double part = run.last / run.validation.loss.back();
    return {{0,
             "",
             {from_to(run),
              {"training_part", part,
               fmt::format(
                   "The training loss is {} of the validation loss: little is left to learn from the training rows.",
                   percent_text(part))}}}};
  }
  const bool only_training = !by_validation && !run.validation.loss.empty();
  const std::size_t lowest = by_validation ? lowest_since_half(run.validation) : 0;
  const std::size_t epochs = run.validation.loss.size();
  return {
      {value,
       "",
       {from_to(run),
        {"late_gain", value,
         fmt::format("In the second half of {} the {} loss {}.", second_half_of(run),
                     by_validation ? "validation" : "training",
                     value > 0 ? fmt::format("fell by at least {} of {}", percent_text(value), measure_text(c))
                               : "did not fall by more than its noise")}}},
      only_training ? "training loss" : "loss",
      by_validation && !is_late(lowest, run.validation) ? fmt::format("lowest in epoch {} of {}", lowest, epochs) : ""};
}

}  // namespace thalweg
