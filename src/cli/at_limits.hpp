#pragma once
// How many predictions lie at the limits of a model of a table.

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
        at_, counted(all_, "predictions"), figure(limits_->first), figure(limits_->second));
  }

 private:
  std::optional<std::pair<double, double>> limits_;
  std::int64_t all_ = 0, at_ = 0;
};

}  // namespace thalweg::cli
