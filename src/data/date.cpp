#include "data/date.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

#include "options/text.hpp"

namespace thalweg::data {

namespace {

/// Takes a whole number of at most `digits` digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  const std::string_view part = text.substr(0, digits);
  if (part.empty() || part[0] < '0' || part[0] > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - part.data()));
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text[0] != wanted) return false;
  text.remove_prefix(1);
  return true;
}

struct Ymd {
  int year = 0, month = 0, day = 0;
};

std::optional<Ymd> take_date(std::string_view& text, DateOrder order) {
  const std::size_t before = text.size();
  const auto first = take_number(text, 4);
  const bool year_first = first && before - text.size() == 4;
  if (!first || year_first != (order == DateOrder::year_month_day) || text.empty()) return std::nullopt;
  const char separator = text[0];
  if (separator != '-' && separator != '/' && separator != '.') return std::nullopt;
  text.remove_prefix(1);
  const auto second = take_number(text, 2);
  if (!second || !take(text, separator)) return std::nullopt;
  const std::size_t rest = text.size();
  const auto third = take_number(text, year_first ? 2 : 4);
  if (!third || (!year_first && rest - text.size() != 4)) return std::nullopt;
  switch (order) {
    case DateOrder::year_month_day: return Ymd{*first, *second, *third};
    case DateOrder::day_month_year: return Ymd{*third, *second, *first};
    case DateOrder::month_day_year: return Ymd{*third, *first, *second};
  }
  return std::nullopt;
}

/// Hours, minutes and optional seconds as a fraction of a day.
std::optional<double> take_time(std::string_view& text) {
  const auto hours = take_number(text, 2);
  if (!hours || *hours > 24 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  double seconds = 0;
  if (take(text, ':')) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto given = parse_number(text.substr(0, end));
    if (!given || !(*given < 61)) return std::nullopt;
    seconds = *given;
    text.remove_prefix(end);
  }
  return (*hours * 3600 + *minutes * 60 + seconds) / 86400;
}

/// The offset of the time zone as a fraction of a day.
std::optional<double> take_zone(std::string_view& text) {
  if (text.empty() || take(text, 'Z')) return 0;
  const double sign = text[0] == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_number(text, 2);
  static_cast<void>(take(text, ':'));
  const auto minutes = text.empty() ? std::optional(0) : take_number(text, 2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes) / 1440;
}

}  // namespace

std::optional<double> days_in(std::string_view cell, DateOrder order) {
  namespace chrono = std::chrono;
  std::string_view text = trim(cell);
  const auto date = take_date(text, order);
  if (!date) return std::nullopt;
  const chrono::year_month_day day{chrono::year(date->year), chrono::month(static_cast<unsigned>(date->month)),
                                   chrono::day(static_cast<unsigned>(date->day))};
  if (!day.ok()) return std::nullopt;
  const auto days = static_cast<double>(chrono::sys_days(day).time_since_epoch().count());
  if (text.empty()) return days;
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  text = trim(text);
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return days + *time - *zone;
}

CalendarParts calendar_parts(double days) {
  namespace chrono = std::chrono;
  constexpr double far = 1e7;  // the limit of the standard library's calendar
  if (!(std::abs(days) < far)) return {};
  const double whole = std::floor(days), time = days - whole;
  const chrono::sys_days date{chrono::days(static_cast<std::int64_t>(whole))};
  const chrono::year_month_day parts(date);
  const auto of_year = (date - chrono::sys_days(parts.year() / chrono::January / 1)).count();
  const double year_length = parts.year().is_leap() ? 366 : 365;
  const auto of_week = static_cast<double>(chrono::weekday(date).iso_encoding() - 1);
  return {(static_cast<double>(of_year) + time) / year_length, (of_week + time) / 7, time};
}

}  // namespace thalweg::data
