#pragma once
// How many predictions lie at the limits of a model of a table.

#include <cmath>

#include "cli/output.hpp"
#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "run/number_places.hpp"
#include "run/recipe.hpp"

namespace thalweg::cli {

/// Counts the predictions at the limits of a model, beyond which it predicts nothing.
class AtLimits {
 public:
  explicit AtLimits(const Recipe& recipe) : limits_(limits_in_units(recipe.model, *recipe.preprocessing.table())) {}

  void add(const Tensor& predictions) {
    for (std::int64_t i = 0; limits_ && i < predictions.size(); ++i) {
      const double value = predictions.at(i);
      ++all_;
      if (value <= limits_->first || value >= limits_->second) ++at_;
    }
  }

  void warn() const {
    constexpr std::int64_t few = 20;  // one in so many
    if (at_ * few <= all_) return;
    say("warning: {} of {} are at the limits of the model, {} and {}: by default the lowest and the highest target of "
        "the training rows. Hint: where targets go beyond them, train with --model linear, or with --set "
        "'model.limits=[-1e9, 1e9]'.\n",
        at_, counted(all_, "predictions"), text_of(limits_->first), text_of(limits_->second));
  }

 private:
  /// The limits are f32 in standardised units, so that a limit of 0 may be 1e-5 of a range of 1,000.
  [[nodiscard]] std::string text_of(double limit) const {
    return figure(std::abs(limit) < 1e-6 * (limits_->second - limits_->first) ? 0 : limit);
  }

  std::optional<std::pair<double, double>> limits_;
  std::int64_t all_ = 0, at_ = 0;
};

}  // namespace thalweg::cli
