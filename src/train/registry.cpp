#include "thalweg/registry.hpp"

#include <algorithm>

#include "core/error.hpp"

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

template <class Row>
const Row& named(const std::vector<Row>& rows, std::string_view name, std::string_view concept_name) {
  const auto found = std::ranges::find(rows, name, &Row::name);
  if (found != rows.end()) return *found;
  std::vector<std::string> names;
  for (const Row& row : rows) names.emplace_back(row.name);
  const std::string near = nearest_name(name, names);
  fail<UsageError>(
      "[{0}] there is no {0} '{1}'. Hint: {2}", concept_name, name,
      near.empty() ? fmt::format("there are {}.", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

}  // namespace

Registry::Registry()
    : models_(nn::models()),
      losses_(thalweg::losses()),
      optimizers_(thalweg::optimizers()),
      schedules_(thalweg::schedules().begin(), thalweg::schedules().end()) {}

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

const nn::ModelRow& Registry::model(std::string_view name) const { return named(models_, name, "model"); }
const LossRow& Registry::loss(std::string_view name) const { return named(losses_, name, "loss"); }
const OptimizerRow& Registry::optimizer(std::string_view name) const { return named(optimizers_, name, "optimizer"); }
const ScheduleRow& Registry::schedule(std::string_view name) const { return named(schedules_, name, "schedule"); }

}  // namespace thalweg
