#pragma once
// Registry: the rows that a configuration can name. A program can add its own rows.

#include <span>
#include <string>
#include <vector>

#include "thalweg/loss.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/optim.hpp"
#include "thalweg/schedule.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// A value: `registry().add_optimizer(row)` is a registry with one row more. The texts of a row must outlive it.
class Registry {
 public:
  Registry();
  Registry(const Registry& other);
  Registry(Registry&& other) noexcept;
  Registry& operator=(const Registry& other);
  Registry& operator=(Registry&& other) noexcept;
  ~Registry();

  /// A row with an existing name replaces the row of that name.
  Registry& add_model(nn::ModelRow row);
  Registry& add_loss(LossRow row);
  Registry& add_optimizer(OptimizerRow row);
  /// The row under another name.
  Registry& add_optimizer(std::string_view name, OptimizerRow row);
  Registry& add_schedule(ScheduleRow row);
  Registry& add_system(SystemRow row);
  Registry& add_environment(EnvironmentRow row);

  [[nodiscard]] std::span<const nn::ModelRow> models() const;
  [[nodiscard]] std::span<const LossRow> losses() const;
  [[nodiscard]] std::span<const OptimizerRow> optimizers() const;
  [[nodiscard]] std::span<const ScheduleRow> schedules() const;
  [[nodiscard]] std::span<const SystemRow> systems() const;
  [[nodiscard]] std::span<const EnvironmentRow> environments() const;

  /// By name. Throws UsageError for an unknown name, naming the nearest.
  [[nodiscard]] const nn::ModelRow& model(std::string_view name) const;
  [[nodiscard]] const LossRow& loss(std::string_view name) const;
  [[nodiscard]] const OptimizerRow& optimizer(std::string_view name) const;
  [[nodiscard]] const ScheduleRow& schedule(std::string_view name) const;
  [[nodiscard]] const SystemRow& system(std::string_view name) const;

 private:
  std::vector<nn::ModelRow> models_;
  std::vector<LossRow> losses_;
  std::vector<OptimizerRow> optimizers_;
  std::vector<ScheduleRow> schedules_;
  std::vector<SystemRow> systems_;
  std::vector<EnvironmentRow> environments_;
};

/// The rows of Thalweg.
[[nodiscard]] Registry registry();

}  // namespace thalweg
