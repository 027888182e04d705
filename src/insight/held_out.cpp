#include "insight/held_out.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/numbers.hpp"

namespace thalweg {

std::optional<Finding> overfitting(const Case& c) {
  const Values& v = c.course.validation.loss;
  if (v.size() < 3 || c.options.rise_is_chance) return std::nullopt;
  const auto best = static_cast<std::size_t>(std::ranges::min_element(v) - v.begin());
  const std::span after = std::span(v).subspan(best + 1);
  if (after.size() < 2) return std::nullopt;
  const std::size_t window = std::min(after.size(), std::max<std::size_t>(1, v.size() / 5));
  const double last = mean_of(after.last(window)), rise = last - v[best];
  // one epoch may be the lowest by chance, so its neighbours count as well
  const std::size_t from = best > 0 ? best - 1 : 0;
  const double around = mean_of(std::span(v).subspan(from, best + 2 - from));
  const double by_chance = significance * noise_of(after) / std::sqrt(static_cast<double>(window));
  if (last - around <= by_chance) return std::nullopt;
  const Values loss = measured_of(c.history, "loss");
  const bool both = loss.size() == v.size();
  if (both && loss.back() >= loss[best]) return std::nullopt;
  const auto kept = kept_epoch(c.history) > 0 ? kept_epoch(c.history) : static_cast<std::int64_t>(v.size());
  const double part = rise / measure_of(c, v[best], true);
  Finding finding{part,
                  fmt::format("Overfits from epoch {}: kept epoch {}.", best + 1, kept),
                  {{"best_epoch", static_cast<double>(best + 1),
                    fmt::format("The validation loss was lowest, {}, after epoch {} of {}.", number_text(v[best], 4),
                                best + 1, v.size())},
                   {"validation_rise", part,
                    fmt::format("It ended at {}, higher by {} of {}.", number_text(last, 4), percent_text(part),
                                measure_text(c))}}};
  if (both) {
    finding.evidence.push_back({"training_fall", loss[best] - loss.back(),
                                fmt::format("The training loss fell from {} to {} in that time.",
                                            number_text(loss[best], 4), number_text(loss.back(), 4))});
  }
  if (kept == static_cast<std::int64_t>(best + 1))
    finding.advice = "The best epoch was kept. Raise weight_decay, take a smaller model, or find more data.";
  if (c.history.best_epoch > 0 && !c.history.best_restored)
    finding.advice =
        "Keep the best epoch (restore_best = true), raise weight_decay, take a smaller model, or find more data.";
  return finding;
}

std::optional<Finding> jumps(const Case& c) {
  const Values& v = c.course.validation.loss;
  if (v.size() < fewest_epochs) return std::nullopt;
  const double lowest = *std::ranges::min_element(v);
  const double whole = measure_of(c, lowest, true);
  const double noise = noise_of(std::span(v).subspan(v.size() / 2)) / whole;
  const double above = (v.back() - lowest) / whole;
  // the last epoch may be high by chance, so it counts only where a lower learning rate can be tried
  const double value = c.options.trials ? std::max(noise, above) : noise;
  return Finding{value,
                 "",
                 {from_to(c.course),
                  {"jumps", value,
                   fmt::format("In the second half of the run the validation loss jumps by {} of its lowest value, {}, "
                               "from epoch to epoch; it ended {} above that value.",
                               percent_text(noise), number_text(lowest, 4), percent_text(above))}}};
}

}  // namespace thalweg
