// Registry: the tables of the library together with a user's own rows.

#include "thalweg/registry.hpp"

#include <algorithm>

#include "options/rows.hpp"

namespace thalweg {

namespace {

template <class Row>
void add(std::vector<Row>& rows, Row row) {
  const auto same = std::ranges::find(rows, row.name, &Row::name);
  if (same == rows.end()) {
    rows.push_back(std::move(row));
  } else {
    *same = std::move(row);
  }
}

}  // namespace

Registry::Registry()
    : models_(nn::models()),
      losses_(thalweg::losses()),
      optimizers_(thalweg::optimizers()),
      schedules_(thalweg::schedules().begin(), thalweg::schedules().end()),
      systems_(thalweg::systems()),
      environments_(thalweg::environments()) {}

Registry::Registry(const Registry& other) = default;
Registry::Registry(Registry&& other) noexcept = default;
Registry& Registry::operator=(const Registry& other) = default;
Registry& Registry::operator=(Registry&& other) noexcept = default;
Registry::~Registry() = default;

std::span<const nn::ModelRow> Registry::models() const { return models_; }
std::span<const LossRow> Registry::losses() const { return losses_; }
std::span<const OptimizerRow> Registry::optimizers() const { return optimizers_; }
std::span<const ScheduleRow> Registry::schedules() const { return schedules_; }
std::span<const SystemRow> Registry::systems() const { return systems_; }
std::span<const EnvironmentRow> Registry::environments() const { return environments_; }

Registry registry() { return {}; }

Registry& Registry::add_model(nn::ModelRow row) {
  add(models_, row);
  return *this;
}

Registry& Registry::add_loss(LossRow row) {
  add(losses_, row);
  return *this;
}

Registry& Registry::add_optimizer(OptimizerRow row) {
  add(optimizers_, row);
  return *this;
}

Registry& Registry::add_optimizer(std::string_view name, OptimizerRow row) {
  row.name = name;
  return add_optimizer(row);
}

Registry& Registry::add_schedule(ScheduleRow row) {
  add(schedules_, std::move(row));
  return *this;
}

Registry& Registry::add_system(SystemRow row) {
  add(systems_, std::move(row));
  return *this;
}

Registry& Registry::add_environment(EnvironmentRow row) {
  add(environments_, std::move(row));
  return *this;
}

const nn::ModelRow& Registry::model(std::string_view name) const { return row_named(models_, "model", name); }
const LossRow& Registry::loss(std::string_view name) const { return row_named(losses_, "loss", name); }
const OptimizerRow& Registry::optimizer(std::string_view name) const {
  return row_named(optimizers_, "optimizer", name);
}
const ScheduleRow& Registry::schedule(std::string_view name) const { return row_named(schedules_, "schedule", name); }
const SystemRow& Registry::system(std::string_view name) const { return row_named(systems_, "system", name); }

}  // namespace thalweg
