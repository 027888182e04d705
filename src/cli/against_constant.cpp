#include "cli/against_constant.hpp"

#include <fmt/format.h>

#include <numeric>

#include "core/counted.hpp"
#include "core/numbers.hpp"
#include "train/row_losses.hpp"

namespace thalweg::cli {

Evidence AgainstConstant::evidence(const std::string& name) const {
  return {"gain_over_constant", gain.mean,
          fmt::format("On {} the loss of {} less the model's is {} (95 %: {} to {}): above 0, the model is better.",
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

}  // namespace thalweg::cli
