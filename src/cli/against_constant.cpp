#include "cli/against_constant.hpp"

#include <fmt/format.h>

#include <numeric>

#include "cli/outcome.hpp"
#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "data/split.hpp"
#include "insight/course.hpp"
#include "train/row_losses.hpp"

namespace thalweg::cli {

Evidence AgainstConstant::evidence(const std::string& name) const {
  return {"gain_over_constant", gain.mean,
          fmt::format("On {} the loss of {} minus the model's is {} (95 %: {} to {}): above 0, the model is better.",
                      counted(rows, part + " rows"), name, number_text(gain.mean, 3), number_text(gain.low, 3),
                      number_text(gain.high, 3))};
}

std::optional<AgainstConstant> against_constant(const Session& session, const Config& config, const Baseline& constant,
                                                const std::string& part, const Dataset& data,
                                                const Registry& registry) {
  if (session.system || data.has("weight") || data.rows() < 2 || !constant.model) return std::nullopt;
  const LossFunction loss = session.recipe.make_loss(registry);
  const Tensor own =
      row_losses(session.recipe.make_model(registry), loss, session.trainer.state(), data, config.train.threads);
  const Tensor its = row_losses(constant.model, loss, constant.trainer->state(), data, config.train.threads);
  std::vector<double> losses, constants;
  for (std::int64_t row = 0; row < own.size(); ++row) {
    if (!std::isfinite(own.at(row)) || !std::isfinite(its.at(row))) return std::nullopt;
    losses.push_back(own.at(row));
    constants.push_back(its.at(row));
  }
  const double mean = std::accumulate(constants.begin(), constants.end(), 0.0) / static_cast<double>(constants.size());
  return AgainstConstant{part, std::ssize(losses), paired_difference(constants, losses), mean};
}

std::optional<double> more_often_right(const Evaluation& evaluation, const std::vector<NamedMetrics>& baselines) {
  const auto own = find_in(evaluation.metrics, "accuracy");
  // from the first baseline that has an accuracy; the constant of the loss may have none
  std::optional<double> constant;
  for (const auto& [name, metrics] : baselines) constant = constant ? constant : find_in(metrics, "accuracy");
  return own && constant ? std::optional(*own - *constant) : std::nullopt;
}

bool is_right_more_often(const Evaluation& evaluation, const std::vector<NamedMetrics>& baselines) {
  return more_often_right(evaluation, baselines) > 1 / std::sqrt(static_cast<double>(evaluation.rows));
}

bool holds_on_training_rows(Session& session, const JudgeOptions& constants, const std::vector<Baseline>& baselines,
                            const PairedDifference& gain, std::optional<double> more_often) {
  constexpr std::int64_t most = 4096;
  // the gain on the training rows must be at least this fraction of the gain on the held-out rows
  constexpr double part = 0.3;
  const Dataset rows = data::spread_rows(session.parts.train, most);
  const Evaluation own = session.trainer.evaluate(rows);
  const double gained = constants.constant_training - own["loss"];
  if (gain.low > 0 && gained > part * gain.mean) return true;
  const auto often = more_often_right(own, metrics_of(baselines, session.recipe, rows));
  return more_often && often && *often > part * *more_often;
}

}  // namespace thalweg::cli
