#pragma once
// Dates and times in cells.

#include <array>
#include <optional>
#include <string_view>

namespace thalweg::data {

/// Which part of a date comes first. Four digits at the start are always the year.
enum class DateOrder { year_month_day, day_month_year, month_day_year };

/// Days since 1970-01-01, with the time of day as a fraction: 2020-01-31, 2020/1/31, 31.1.2020, 1/31/2020, each with a
/// time after a blank or T (12:30, 12:30:15.5) and a zone (Z, +02:00), converted to UTC. Nothing for a text that is not
/// a date of the Gregorian calendar.
[[nodiscard]] std::optional<double> days_in(std::string_view cell, DateOrder order);

/// The position of a moment in its year, its week (from Monday) and its day, each in [0, 1).
struct CalendarParts {
  double year = 0, week = 0, day = 0;
};
[[nodiscard]] CalendarParts calendar_parts(double days);

}  // namespace thalweg::data
