// The table of schedules.

#include "options/rows.hpp"
#include "schedule/curve.hpp"
#include "schedule/curves_parts.hpp"

namespace thalweg {

std::span<const ScheduleRow> schedules() {
  static const std::vector<ScheduleRow> table = joined(schedule::curves_parts);
  return table;
}

Schedule make_schedule(std::string_view name, const OptionMap& options) {
  return row_named(schedules(), "schedule", name).make(options);
}

}  // namespace thalweg
