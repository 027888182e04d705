#include "data/remarks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <unordered_map>
#include <utility>

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

/// A number in a cell, and what stands around it: "$" in $1,200.50, " kg" in 3.5 kg.
struct Amount {
  std::string_view number;
  std::string around;
};

bool reads_as_number(std::string_view text) {
  const auto reads = [&](const NumberForm& form) { return number_in(text, form).has_value(); };
  return number_in(text) || std::ranges::any_of(number_forms(','), reads);
}

/// Nothing if there is no number, a long text beside it, or a name that ends in a number (A12).
std::optional<Amount> amount_in(std::string_view cell) {
  constexpr std::size_t longest = 12;
  if (number_in(cell)) return Amount{cell, ""};
  const std::size_t digit = cell.find_first_of("0123456789"), end = cell.find_last_of("0123456789") + 1;
  if (!holds_digit(cell)) return std::nullopt;
  const std::size_t begin = digit - (digit > 0 && cell[digit - 1] == '.' ? 1 : 0);
  Amount amount{cell.substr(begin, end - begin), ""};
  for (const char c : cell.substr(0, begin)) {
    if (std::isalpha(static_cast<unsigned char>(c))) return std::nullopt;
    if (c != '-' && c != '+') amount.around += c;
  }
  amount.around += cell.substr(end);
  if (amount.around.size() > longest || !reads_as_number(amount.number)) return std::nullopt;
  return amount;
}

std::string around_number(std::string_view cell) {
  const auto amount = amount_in(cell);
  return amount ? amount->around : "";
}

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

std::optional<std::string> remark_on_units(const std::string& name, const Summary& summary) {
  constexpr std::size_t fewest = 3;  // levels
  if (auto minus = remark_on_minus(name, summary)) return minus;
  if (summary.levels.size() < fewest || summary.numbers > 0) return std::nullopt;
  const std::string around = around_number(summary.levels.front().text);
  const auto has_same = [&](const Level& level) { return around_number(level.text) == around; };
  if (around.empty() || !std::ranges::all_of(summary.levels, has_same)) return std::nullopt;
  return fmt::format(
      "{}: every cell is a number with '{}' beside it, as '{}', and is not read as a number. Hint: if they are "
      "amounts, keep only the numbers.",
      name, trim(around), summary.levels.front().text);
}

/// One way to write numbers in a column: those with this text around them, in the plain form or in another.
struct Way {
  std::string around = {};
  bool plain = true;
  std::string_view example = {};
  std::int64_t cells = 0;
};

/// The cells of a column that hold a number, by the ways in which they are written, and the others.
struct Amounts {
  static constexpr std::size_t most_ways = 10;  // more are not kept
  std::vector<Way> ways = {};
  std::vector<NumberForm> forms = {number_forms(',').begin(), number_forms(',').end()};  // those that read all numbers
  std::vector<std::string> others = {};                                                  // the first of them
  std::size_t levels = 0, other_levels = 0;
  std::int64_t cells = 0;

  explicit Amounts(const Summary& summary) {
    for (const Level& level : summary.levels) {
      const auto amount = amount_in(level.text);
      amount ? add(*amount, level) : add_other(level);
    }
    if (forms.empty()) return;
    // 1.5 and 1,200.50 are written in one way
    for (Way& way : std::exchange(ways, {})) {
      way.plain = true;
      join(std::move(way));
    }
  }

 private:
  void add(const Amount& amount, const Level& level) {
    ++levels;
    cells += level.count;
    std::erase_if(forms, [&](const NumberForm& form) { return !number_in(amount.number, form); });
    join({std::string(trim(amount.around)), number_in(amount.number).has_value(), level.text, level.count});
  }

  void add_other(const Level& level) {
    constexpr std::size_t few = 3;
    if (++other_levels <= few) others.push_back(fmt::format("'{}'", level.text));
  }

  void join(Way way) {
    const auto is_same = [&](const Way& other) { return other.around == way.around && other.plain == way.plain; };
    const auto known = std::ranges::find_if(ways, is_same);
    if (known != ways.end()) {
      known->cells += way.cells;
    } else if (ways.size() < most_ways) {
      ways.push_back(std::move(way));
    }
  }
};

/// What makes numbers of the cells of a column.
std::string hint_for(const std::vector<Way>& ways, bool others) {
  const auto has_percent = [](const Way& way) { return way.around == "%"; };
  const bool bare = std::ranges::all_of(ways, [&](const Way& way) { return way.around.empty() || has_percent(way); });
  std::vector<std::string> hints;
  if (!bare) {
    hints.emplace_back("write each as a number alone, in one unit");
  } else if (ways.size() > 1) {
    const bool percent = std::ranges::any_of(ways, has_percent);
    hints.push_back(fmt::format("write all numbers alike{}", percent ? " (12% is read as 12)" : ""));
  }
  if (others) hints.emplace_back("leave the other cells blank");
  return fmt::format("{}", fmt::join(hints, ", "));
}

/// Of a column that would be one of numbers, if they were all written in one way and the other cells were blank.
std::optional<std::string> remark_on_amounts(const std::string& name, const Summary& summary) {
  constexpr std::size_t fewest = 6, many = 10, most_ways = 5;
  if (summary.numbers * 2 > summary.present) return std::nullopt;  // remarks_on_levels says it
  Amounts found(summary);
  const bool mostly = found.cells * 2 > summary.present || (found.levels >= many && found.levels > found.other_levels);
  if (found.levels < fewest || !mostly) return std::nullopt;
  if (found.ways.size() > most_ways || (found.ways.size() == 1 && found.other_levels == 0)) return std::nullopt;
  std::vector<std::string> examples;
  for (const Way& way : found.ways) examples.push_back(fmt::format("'{}' in {}", way.example, way.cells));
  if (found.other_levels > found.others.size())
    found.others = {fmt::format("{} and {} other texts", found.others.front(), found.other_levels - 1)};
  return fmt::format("{}: {} of {} hold a number, as {}{}{}. Hint: {}, and it is a column of numbers.", name,
                     found.cells, counted(summary.present, "cells"), listed(examples),
                     found.others.empty() ? "" : ", but not ", listed(found.others),
                     hint_for(found.ways, !found.others.empty()));
}

/// The characters between the numbers and words of a text: "--" of 2020-01-31.
std::string separators(std::string_view text) {
  std::string rest(text);
  std::erase_if(rest, [](unsigned char c) { return std::isalnum(c) != 0; });
  return rest;
}

/// Of a column that mostly holds dates or times, in forms or orders that are not read.
std::optional<std::string> remark_on_dates(const std::string& name, const Summary& summary) {
  constexpr std::int64_t fewest = 3;  // levels
  std::string_view first, other;      // where there is one, another form than that of the first
  std::int64_t levels = 0, cells = 0;
  bool differ = false;
  for (const Level& level : summary.levels) {
    if (!looks_like_date(level.text)) continue;
    if (levels++ == 0) first = level.text;
    if (!differ) other = level.text;
    differ = differ || separators(other) != separators(first);
    cells += level.count;
  }
  if (levels < fewest || cells * 2 <= summary.present) return std::nullopt;
  return fmt::format(
      "{}: {} of {} look like dates or times, as '{}' and '{}', but are not all in one form that is read. Hint: write "
      "each as 2020-01-31, as 2020-01-31 12:30, or a time alone in hours, 12.5; leave others blank.",
      name, cells, counted(summary.present, "cells"), first, other);
}

}  // namespace

std::optional<std::string> remark_on_unread(const std::string& name, const Summary& summary) {
  if (auto units = remark_on_units(name, summary)) return units;
  if (auto amounts = remark_on_amounts(name, summary)) return amounts;
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

std::optional<std::string> remark_on_weights(const Table& table, std::size_t column,
                                             std::span<const std::int64_t> rows) {
  constexpr std::size_t fewest = 8;  // rows
  constexpr double most = 0.9;
  double sum = 0, largest = 0;
  std::int64_t heaviest = 0;
  for (const std::int64_t row : rows) {
    const double weight = number_in(table.cell(row, column)).value_or(0);
    sum += weight;
    if (weight > largest) largest = weight, heaviest = row;
  }
  if (rows.size() < fewest || largest <= most * sum) return std::nullopt;
  return fmt::format(
      "{}: the weight {} in line {} is more than nine tenths of all of them together: the other rows hardly count. "
      "Hint: look at this row.",
      table.names()[column], number_text(largest), table.line(heaviest));
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
