#include "data/remarks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>

#include "core/counted.hpp"
#include "data/cell.hpp"
#include "data/date.hpp"
#include "data/listed.hpp"

namespace thalweg::data {

namespace {

constexpr std::int64_t rows_to_identify = 20;       // in fewer rows, values differ by chance
constexpr double largest_exact = 9007199254740992;  // 2^53: above it, f64 cannot represent every whole number

/// Visits the cells of a column that are not missing.
template <class Each>
void for_cells(const Table& table, std::size_t column, std::span<const std::int64_t> rows, const Each& each) {
  for (const std::int64_t row : rows) {
    if (const std::string_view cell = trim(table.cell(row, column)); !is_missing(cell)) each(cell);
  }
}

bool is_digits(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::int64_t rounded_cells(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                           const Summary& s) {
  if (s.values.empty() || std::max(-s.values.front(), s.values.back()) <= largest_exact) return 0;
  std::int64_t rounded = 0;
  for_cells(table, column, rows, [&](std::string_view cell) {
    const auto number = number_in(cell);
    const bool is_large = number && std::abs(*number) > largest_exact && is_digits(cell);
    rounded += is_large && canonical_number(cell) != canonical_number(fmt::format("{:.0f}", *number)) ? 1 : 0;
  });
  return rounded;
}

/// -9, -99, -999, ... and 999, 9999, ...: common placeholders for missing values.
bool stands_for_none(double value) {
  const std::string digits = fmt::format("{:.0f}", std::abs(value));
  return std::floor(value) == value && digits.find_first_not_of('9') == std::string::npos &&
         digits.size() >= (value < 0 ? 1 : 3);
}

/// The lowest or the highest value, if it is such a placeholder, far from all others, in several rows.
std::optional<std::string> missing_value(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                         const Summary& s) {
  constexpr std::int64_t fewest = 2;
  const std::vector<double>& v = s.values;
  if (v.size() < 4) return std::nullopt;
  for (const bool low : {true, false}) {
    const double value = low ? v.front() : v.back(), first = low ? v[1] : v.front(),
                 last = low ? v.back() : v.end()[-2];
    if (!stands_for_none(value) || std::min(std::abs(value - first), std::abs(value - last)) <= last - first) continue;
    std::int64_t count = 0;
    for_cells(table, column, rows, [&](std::string_view cell) { count += number_in(cell) == value ? 1 : 0; });
    if (count < fewest) continue;
    return fmt::format(
        "{} is {} in {}, and lies between {} and {} in all others: a missing value? Hint: leave those cells blank.",
        table.names()[column], number_text(value), counted(count, "rows"), number_text(first), number_text(last));
  }
  return std::nullopt;
}

/// Warns of a value so large that all others are nearly equal in comparison: it alone would determine a sum of squares.
std::optional<std::string> far_off(const std::string& name, const Summary& s) {
  constexpr double far = 1e6;
  const std::vector<double>& v = s.values;
  if (v.size() < 8) return std::nullopt;
  const double low = v[v.size() / 4], high = v[v.size() * 3 / 4];
  const double value = v.back() - high > low - v.front() ? v.back() : v.front();
  if (!(high > low) || std::max(value - high, low - value) <= far * (high - low)) return std::nullopt;
  return fmt::format(
      "{} has the value {}, and half of its values lie between {} and {}: beside it they hardly differ. Hint: look at "
      "its row.",
      name, number_text(value), number_text(low), number_text(high));
}

}  // namespace

bool counts_rows(const Table& table, std::size_t column, std::span<const std::int64_t> rows, const Summary& s) {
  const bool mostly_there = s.present >= rows_to_identify && s.present > s.missing;
  if (!mostly_there || !s.whole || !s.all_numbers() || s.distinct() != s.present) return false;
  bool digits = true;  // whether all cells have only digits; 1.5e3 is a measured number
  for_cells(table, column, rows, [&](std::string_view cell) { digits = digits && is_digits(cell); });
  return digits;
}

namespace {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

bool holds_digit(std::string_view text) { return text.find_first_of("0123456789") != std::string_view::npos; }

/// The text around the number in a cell: "$" in $1,200.50, " kg" in 3.5 kg. Empty if there is no number, nothing around
/// it, or a name that ends in a number (A12).
std::string around_number(std::string_view cell) {
  constexpr std::size_t longest = 12;
  const std::size_t digit = cell.find_first_of("0123456789"), end = cell.find_last_of("0123456789") + 1;
  if (!holds_digit(cell)) return "";
  const bool point = digit > 0 && cell[digit - 1] == '.';
  const std::string_view number = cell.substr(digit - (point ? 1 : 0), end - digit + (point ? 1 : 0));
  std::string around;
  for (const char c : cell.substr(0, number.data() - cell.data())) {
    if (std::isalpha(static_cast<unsigned char>(c))) return "";
    if (c != '-' && c != '+') around += c;
  }
  around += cell.substr(end);
  const auto reads = [&](const NumberForm& form) { return number_in(number, form).has_value(); };
  const bool is_number = number_in(number) || std::ranges::any_of(number_forms(','), reads);
  return is_number && around.size() <= longest ? around : "";
}

}  // namespace

namespace {

/// Of a column in which the minus sign of numbers is another character than '-'.
std::optional<std::string> remark_on_minus(const std::string& name, const Summary& summary) {
  constexpr std::string_view minus = "\u2212";
  const auto is_negative = [&](const Level& level) { return around_number(level.text) == minus; };
  const auto first = std::ranges::find_if(summary.levels, is_negative);
  const auto is_number = [&](const Level& level) { return is_negative(level) || number_in(level.text); };
  if (first == summary.levels.end() || !std::ranges::all_of(summary.levels, is_number)) return std::nullopt;
  return fmt::format("{}: its minus sign is '{}', as in '{}', which is not read as one. Hint: write it as '-'.", name,
                     minus, first->text);
}

}  // namespace

namespace {

std::optional<std::string> remark_on_units(const std::string& name, const Summary& summary) {
  constexpr std::size_t fewest = 3;  // levels
  if (auto minus = remark_on_minus(name, summary)) return minus;
  if (summary.levels.size() < fewest || summary.numbers > 0) return std::nullopt;
  const std::string around = around_number(summary.levels.front().text);
  const auto has_same = [&](const Level& level) { return around_number(level.text) == around; };
  if (around.empty() || !std::ranges::all_of(summary.levels, has_same)) return std::nullopt;
  return fmt::format(
      "{}: every cell is a number with '{}' beside it, as '{}', and is taken as text. Hint: if they are amounts, keep "
      "only the numbers.",
      name, trim(around), summary.levels.front().text);
}

/// The characters between the numbers and words of a text: "--" of 2020-01-31.
std::string separators(std::string_view text) {
  std::string rest(text);
  std::erase_if(rest, [](unsigned char c) { return std::isalnum(c) != 0; });
  return rest;
}

/// Of a column that mostly holds dates or times, in forms or orders that are not read.
std::optional<std::string> remark_on_dates(const std::string& name, const Summary& summary) {
  constexpr std::size_t fewest = 3;  // levels
  std::vector<std::string_view> dates;
  std::int64_t cells = 0;
  for (const Level& level : summary.levels) {
    if (!looks_like_date(level.text)) continue;
    dates.push_back(level.text);
    cells += level.count;
  }
  if (dates.size() < fewest || cells * 2 <= summary.present) return std::nullopt;
  const auto is_other = [&](std::string_view date) { return separators(date) != separators(dates.front()); };
  const auto other = std::ranges::find_if(dates, is_other);
  return fmt::format(
      "{}: {} of {} look like dates or times, as '{}' and '{}', but are not all in one form that is read. Hint: write "
      "each as 2020-01-31, as 2020-01-31 12:30, or a time alone in hours, 12.5; leave others blank.",
      name, cells, counted(summary.present, "cells"), dates.front(), other == dates.end() ? dates.back() : *other);
}

}  // namespace

std::optional<std::string> remark_on_unread(const std::string& name, const Summary& summary) {
  if (auto units = remark_on_units(name, summary)) return units;
  return remark_on_dates(name, summary);
}

std::vector<std::string> remarks_on_numbers(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                            const Summary& summary) {
  const std::string& name = table.names()[column];
  std::vector<std::string> remarks;
  if (!summary.all_numbers()) return remarks;  // numbers in another form, which were not summarised as numbers
  if (const std::int64_t rounded = rounded_cells(table, column, rows, summary); rounded > 0) {
    remarks.push_back(fmt::format(
        "{}: {} hold more digits than a number of 64 bits keeps, and are rounded: different ones may become the same. "
        "Hint: if they are names, say that {} is a category, or drop it.",
        name, counted(rounded, "cells"), name));
  }
  if (auto missing = missing_value(table, column, rows, summary)) {
    remarks.push_back(std::move(*missing));
  } else if (auto far = far_off(name, summary)) {
    remarks.push_back(std::move(*far));
  }
  return remarks;
}

std::vector<std::string> remarks_on_levels(const std::string& name, const Summary& summary, bool found) {
  std::vector<std::string> remarks;
  std::unordered_map<std::string, std::string_view> known;
  for (const Level& level : summary.levels) {
    const auto [other, fresh] = known.emplace(lower_case(level.text), level.text);
    if (fresh) continue;
    remarks.push_back(fmt::format("{}: '{}' and '{}' differ in upper and lower case alone, and count as two", name,
                                  other->second, level.text));
    break;
  }
  if (!found || summary.all_numbers() || summary.numbers * 2 <= summary.present) return remarks;
  std::vector<std::string> others;
  bool digits = false;
  for (const Level& level : summary.levels) {
    if (number_in(level.text)) continue;
    others.push_back(fmt::format("'{}'", level.text));
    digits = digits || holds_digit(level.text);
  }
  remarks.push_back(fmt::format("{}: {} of {} are numbers, but not {}. Hint: {}, and it is a column of numbers.", name,
                                summary.numbers, counted(summary.present, "cells"), listed(others),
                                digits ? "write such cells as the others are" : "leave such cells blank"));
  return remarks;
}

}  // namespace thalweg::data
