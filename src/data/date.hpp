#pragma once
// Dates and times in cells.

#include <array>
#include <optional>
#include <string_view>

namespace thalweg::data {

/// Which part of a date comes first. Four digits at the start are always the year.
enum class DateOrder { year_month_day, day_month_year, month_day_year };

/// Days since 1970-01-01, with the time of day as a fraction: 2020-01-31, 20200131, 31.1.2020, 1/31/20, 31 Jan 2020,
/// Jan 31, 2020, each with a day of the week before it (Fri,), a time after a blank or T (12:30, 12:30:15.5, 1:30 PM)
/// and a zone (Z, UTC, +02:00), converted to UTC. Years of two digits are those from 1969 to 2068, as in POSIX. Months
/// have English names of three letters or more. Nothing for a text that is not a date of the Gregorian calendar.
[[nodiscard]] std::optional<double> days_in(std::string_view cell, DateOrder order);

/// Whether a date in this order has a year of two digits.
[[nodiscard]] bool has_short_year(std::string_view cell, DateOrder order);

/// Whether a person would take a text for a date or a time, though perhaps no order reads it: 2020/31/01, Jan 2020,
/// 12:30, 31. Januar 2020.
[[nodiscard]] bool looks_like_date(std::string_view cell);

/// The position of a moment in its year, its week (from Monday) and its day, each in [0, 1).
struct CalendarParts {
  double year = 0, week = 0, day = 0;
};
[[nodiscard]] CalendarParts calendar_parts(double days);

}  // namespace thalweg::data
