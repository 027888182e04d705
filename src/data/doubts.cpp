#include "data/doubts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "core/escape.hpp"
#include "data/cell.hpp"
#include "data/listed.hpp"

namespace thalweg::data {

namespace {

bool is_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string_view without_sign(std::string_view text) {
  return text.starts_with('-') || text.starts_with('+') ? text.substr(1) : text;
}

/// 2.158, 12.000, or with a comma; not 0.125, which is not a number of thousands.
bool is_thousands(std::string_view cell, char sign = '.') {
  const std::size_t point = cell.find(sign);
  if (point == std::string_view::npos || cell.front() == '0') return false;
  return point <= 3 && is_digits(cell.substr(0, point)) && cell.size() == point + 4 &&
         is_digits(cell.substr(point + 1));
}

int year_of(double days) {
  const std::chrono::sys_days date{std::chrono::days(static_cast<int>(std::floor(days)))};
  return static_cast<int>(std::chrono::year_month_day(date).year());
}

/// "--type zip=category", with the first of the columns.
std::string hint(const std::vector<std::string>& names, std::string_view type) {
  return shell_word(fmt::format("--type={}={}", names.front(), type));
}

}  // namespace

void Doubts::add(std::size_t column, const Meaning& meaning) {
  const std::string& name = table_.names()[column];
  if (meaning.kind == ColumnKind::number) {
    numbers_.push_back(name);
    decimal_commas_ = decimal_commas_ || meaning.form.decimal == ',';
    meaning.form.plain() ? look_at_numbers(column) : look_at_commas(column, meaning.form);
  }
  if (meaning.kind == ColumnKind::date && meaning.order != DateOrder::year_month_day) look_at_dates(column, meaning);
}

void Doubts::look_at_dates(std::size_t column, const Meaning& meaning) {
  const std::string& name = table_.names()[column];
  if (meaning.short_years && may_begin_with_year(column, meaning.order)) {
    year_first_.push_back(name);
  } else if (reads_both_ways(column)) {
    either_order_[meaning.order].push_back(name);
  }
}

void Doubts::look_at_numbers(std::size_t column) {
  bool zeros = false, thousands = false, others = false;
  for (const std::int64_t row : rows_) {
    const std::string_view cell = without_sign(trim(table_.cell(row, column)));
    if (is_missing(cell)) continue;
    const bool digits = is_digits(cell);
    zeros = zeros || (digits && cell.size() > 1 && cell.front() == '0');
    thousands = thousands || is_thousands(cell);
    others = others || (digits ? cell.size() > 3 : !is_thousands(cell));
    decimal_points_ = decimal_points_ || (!digits && !is_thousands(cell));
  }
  if (are_dates(column)) dates_.push_back(table_.names()[column]);
  if (zeros) leading_zeros_.push_back(table_.names()[column]);
  if (thousands && !others) thousands_.push_back(table_.names()[column]);
}

/// Where all cells have three digits behind a comma, it may separate thousands as well as the fraction.
void Doubts::look_at_commas(std::size_t column, const NumberForm& form) {
  const bool fraction = form.decimal == ',';
  if (form.percent || (!fraction && form.group != ',')) return;
  bool commas = false;
  const bool either = std::ranges::all_of(rows_, [&](std::int64_t row) {
    const std::string_view cell = without_sign(trim(table_.cell(row, column)));
    commas = commas || is_thousands(cell, ',');
    const bool blanks = form.group == ' ' && cell.find(',') == std::string_view::npos;  // 1 234 beside 1,234
    return is_missing(cell) || is_thousands(cell, ',') || (is_digits(cell) && cell.size() <= 3) || blanks;
  });
  if (either && commas) (fraction ? comma_fractions_ : comma_thousands_).push_back(table_.names()[column]);
  sure_decimal_commas_ = sure_decimal_commas_ || (fraction && !either);
}

/// Whether all cells are dates in both orders, with different results at least once. With points between the parts, as
/// in 1.2.2020, the day always comes first.
bool Doubts::reads_both_ways(std::size_t column) const {
  bool differ = false;
  for (const std::int64_t row : rows_) {
    const std::string_view cell = trim(table_.cell(row, column));
    if (is_missing(cell)) continue;
    const auto one = days_in(cell, DateOrder::day_month_year), other = days_in(cell, DateOrder::month_day_year);
    if (!one || !other || cell[std::min(cell.find_first_not_of("0123456789"), cell.size() - 1)] == '.') return false;
    differ = differ || *one != *other;
  }
  return differ;
}

/// Whether all cells are dates with the year first, too, and there are fewer years then: the first number of 20-01-31
/// has few values in a column, and the last has many.
bool Doubts::may_begin_with_year(std::size_t column, DateOrder order) const {
  std::set<int> years, first_years;
  for (const std::int64_t row : rows_) {
    const std::string_view cell = trim(table_.cell(row, column));
    if (is_missing(cell)) continue;
    const auto one = days_in(cell, order), other = days_in(cell, DateOrder::year_month_day);
    if (!one || !other) return false;
    years.insert(year_of(*one));
    first_years.insert(year_of(*other));
  }
  return first_years.size() < years.size();
}

/// Whether all cells are 20200131 or such a date, of a year that occurs.
bool Doubts::are_dates(std::size_t column) const {
  const double first = *days_in("19000101", DateOrder::year_month_day),
               end = *days_in("21000101", DateOrder::year_month_day);
  return std::ranges::all_of(rows_, [&](std::int64_t row) {
    const std::string_view cell = trim(table_.cell(row, column));
    const auto days = is_missing(cell) ? std::optional(first) : days_in(cell, DateOrder::year_month_day);
    return days && *days >= first && *days < end;
  });
}

void Doubts::add_remarks_on_dates(std::vector<std::string>& lines) const {
  for (const auto& [order, names] : either_order_) {
    const bool month_first = order == DateOrder::month_day_year;
    lines.push_back(
        fmt::format("{}: every date can be read both ways; the {} was taken to come first. Hint: {}, if the {} does.",
                    listed(names), month_first ? "month" : "day", hint(names, month_first ? "date_dmy" : "date_mdy"),
                    month_first ? "day" : "month"));
  }
  if (!year_first_.empty()) {
    lines.push_back(
        fmt::format("{}: every date can be read with the year first, too; its two digits were taken to come last. "
                    "Hint: {}, if they come first.",
                    listed(year_first_), hint(year_first_, "date_ymd")));
  }
  if (!dates_.empty()) {
    lines.push_back(
        fmt::format("{}: every number can be read as a date, 20200131 as 2020-01-31, and was taken as a number. "
                    "Hint: {}, if they are dates.",
                    listed(dates_), hint(dates_, "date")));
  }
}

std::vector<std::string> Doubts::remarks() const {
  std::vector<std::string> lines;
  add_remarks_on_dates(lines);
  if (!thousands_.empty() && has_decimal_commas() && !decimal_points_) {
    lines.push_back(fmt::format(
        "{}: three digits behind each point, which was taken for a decimal point. Hint: {}, if 1.026 is 1026.",
        listed(thousands_), hint(thousands_, "thousands_dot")));
  }
  const auto of_commas = [&](const Names& names, std::string_view taken, std::string_view others, std::string_view type,
                             std::string_view example) {
    lines.push_back(fmt::format(
        "{}: three digits behind each comma, which was taken for {}, and other columns have {}. Hint: {}, if {}.",
        listed(names), taken, others, hint(names, type), example));
  };
  if (!comma_fractions_.empty() && decimal_points_)
    of_commas(comma_fractions_, "a decimal comma", "decimal points", "thousands_comma", "1,026 is 1026");
  if (!comma_thousands_.empty() && sure_decimal_commas_)
    of_commas(comma_thousands_, "a separator of thousands", "decimal commas", "decimal_comma", "1,026 is 1.026");
  if (!leading_zeros_.empty()) {
    lines.push_back(fmt::format("{}: leading zeros, and taken as numbers: are they names? Hint: {}.",
                                listed(leading_zeros_), hint(leading_zeros_, "category")));
  }
  const auto is_number = [](const std::string& name) { return number_in(name).has_value(); };
  const auto is_measured = [&](const std::string& name) { return !is_digits(trim(name)); };  // and not a year
  if (!numbers_.empty() && std::ranges::all_of(numbers_, is_number) && std::ranges::any_of(numbers_, is_measured)) {
    lines.push_back(
        fmt::format("the names of all columns of numbers are numbers: {}. Hint: --no-header, if the first "
                    "line is a row.",
                    listed(numbers_)));
  }
  return lines;
}

}  // namespace thalweg::data
