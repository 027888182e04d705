#include "data/column_summary.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "data/cell.hpp"
#include "data/listed.hpp"

namespace thalweg::data {

namespace {

constexpr std::int64_t rows_to_identify = 20;  // in fewer rows, values differ by chance
constexpr double words_of_text = 3;            // on average per cell, in a column of text

template <class T>
void keep_distinct(std::vector<T>& items) {
  std::ranges::sort(items);
  const auto rest = std::ranges::unique(items);
  items.erase(rest.begin(), rest.end());
}

std::vector<Level> levels_of(const Table& table, std::size_t column, std::span<const std::int64_t> rows) {
  std::vector<std::string_view> cells;
  for (const std::int64_t row : rows) {
    if (const std::string_view cell = table.cell(row, column); !is_missing(cell)) cells.push_back(cell);
  }
  std::ranges::sort(cells);
  std::vector<Level> levels;
  for (const std::string_view cell : cells) {
    if (levels.empty() || levels.back().text != cell) levels.push_back({cell});
    ++levels.back().count;
  }
  return levels;
}

}  // namespace

std::int64_t Summary::distinct() const {
  return static_cast<std::int64_t>(all_numbers() && !values.empty() ? values.size() : levels.size());
}

Summary summarise(const Table& table, std::size_t column, std::span<const std::int64_t> rows, bool count_levels) {
  Summary s;
  for (const std::int64_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    if (is_missing(cell)) {
      ++s.missing;
      continue;
    }
    ++s.present;
    if (const auto number = number_in(cell)) {
      ++s.numbers;
      s.whole = s.whole && *number == std::floor(*number);
      s.values.push_back(*number + 0.0);  // turns -0 into 0
    }
  }
  keep_distinct(s.values);
  if (count_levels || !s.all_numbers()) s.levels = levels_of(table, column, rows);
  return s;
}

WantedKind wanted_kind(std::string_view column, const OptionValue& word) {
  const auto* text = word.get_if<std::string>();
  if (text) {
    if (const auto kind = named<ColumnKind>(*text)) return {.kind = *kind};
    if (const auto form = form_named(*text)) return {.kind = ColumnKind::number, .form = *form};
    if (*text == "date_dmy") return {.kind = ColumnKind::date, .order = DateOrder::day_month_year};
    if (*text == "date_mdy") return {.kind = ColumnKind::date, .order = DateOrder::month_day_year};
    if (*text == "date_ymd") return {.kind = ColumnKind::date, .order = DateOrder::year_month_day};
    if (*text == "text") return {.text = true};
  }
  fail<UsageError>(
      "[data] types: {} = {}. Wanted: \"number\", \"category\", \"date\", \"text\" (which leaves it out), "
      "\"date_dmy\", \"date_mdy\", \"date_ymd\", \"decimal_comma\", \"thousands_comma\", \"thousands_dot\" or "
      "\"thousands_space\"",
      column, word.str());
}

namespace {

/// 1e300, which is out of the range of f32, as well as 12.5; not a name of 40 digits.
bool is_number_of_any_size(std::string_view cell) {
  const auto number = parse_number(trim(cell));
  return number && std::isfinite(*number) && (number_in(cell) || cell.find_first_of(".eE") != std::string_view::npos);
}

/// Decides from the levels of a column, each weighted by its rows.
class Decision {
 public:
  Decision(const Table& table, std::size_t column, std::span<const std::int64_t> rows, const Summary& summary)
      : table_(table), column_(column), rows_(rows), summary_(summary) {}

  Meaning run(const WantedKind& wanted) const {
    if (wanted.text) return {.kind = ColumnKind::category, .text = true};
    if (wanted.kind == ColumnKind::category) return {.kind = ColumnKind::category};
    if (wanted.kind == ColumnKind::number) return wanted_numbers(wanted);
    if (wanted.kind == ColumnKind::date) return wanted_dates(wanted);
    if (summary_.all_numbers()) return {};
    if (mostly(rows_that(is_number_of_any_size))) return in_form({});
    const auto [form, numbers] = best_form();
    if (mostly(numbers)) return in_form(form);
    const auto [order, dates] = best_order();
    if (mostly(dates)) return in_order(order);
    return {.kind = ColumnKind::category, .text = is_text()};
  }

 private:
  [[nodiscard]] bool mostly(std::int64_t count) const { return count * 10 >= summary_.present * 9; }

  template <class Fits>
  [[nodiscard]] std::int64_t rows_that(const Fits& fits) const {
    std::int64_t count = 0;
    for (const Level& level : summary_.levels) count += fits(level.text) ? level.count : 0;
    return count;
  }

  /// The form that most cells fit, and the number of these cells.
  [[nodiscard]] std::pair<NumberForm, std::int64_t> best_form() const {
    std::pair<NumberForm, std::int64_t> best{{}, summary_.numbers};
    for (const NumberForm& form : number_forms(table_.separator())) {
      const std::int64_t fit = rows_that([&](std::string_view cell) { return number_in(cell, form).has_value(); });
      if (fit > best.second) best = {form, fit};
    }
    return best;
  }

  [[nodiscard]] std::pair<DateOrder, std::int64_t> best_order() const {
    const bool slashes = std::ranges::any_of(
        summary_.levels, [](const Level& level) { return level.text.find('/') != std::string_view::npos; });
    // 1/2/2020 is American, 1.2.2020 and 1-2-2020 are European; a year of two digits comes last where it can
    const DateOrder first = slashes ? DateOrder::month_day_year : DateOrder::day_month_year;
    const DateOrder second = slashes ? DateOrder::day_month_year : DateOrder::month_day_year;
    std::pair<DateOrder, std::int64_t> best{DateOrder::year_month_day, 0};
    for (const DateOrder order : {first, second, DateOrder::year_month_day}) {
      const std::int64_t fit = rows_that([&](std::string_view cell) { return days_in(cell, order).has_value(); });
      if (fit > best.second) best = {order, fit};
    }
    return best;
  }

  [[nodiscard]] Meaning wanted_numbers(const WantedKind& wanted) const {
    if (!wanted.form) return in_form(summary_.all_numbers() ? NumberForm{} : best_form().first);
    NumberForm form = *wanted.form;
    const bool percent = !summary_.levels.empty() && summary_.levels.front().text.ends_with('%');
    form.percent = percent;
    return in_form(form);
  }

  [[nodiscard]] Meaning wanted_dates(const WantedKind& wanted) const {
    return in_order(wanted.order ? *wanted.order : best_order().first);
  }

  [[nodiscard]] Meaning in_form(const NumberForm& form) const {
    for (const std::int64_t row : rows_) {
      if (!is_missing(table_.cell(row, column_))) static_cast<void>(number_at(table_, row, column_, form));  // throws
    }
    return {.kind = ColumnKind::number, .form = form};
  }

  [[nodiscard]] Meaning in_order(DateOrder order) const {
    for (const std::int64_t row : rows_) {
      if (!is_missing(table_.cell(row, column_))) static_cast<void>(days_at(table_, row, column_, order));  // throws
    }
    const bool short_years =
        std::ranges::any_of(summary_.levels, [&](const Level& level) { return has_short_year(level.text, order); });
    return {.kind = ColumnKind::date, .order = order, .short_years = short_years};
  }

  [[nodiscard]] bool is_text() const {
    const auto distinct = static_cast<std::int64_t>(summary_.levels.size());
    if (summary_.present < rows_to_identify || summary_.numbers * 2 > summary_.present) return false;
    if (distinct == summary_.present) return true;
    std::int64_t words = 0;
    for (const Level& level : summary_.levels) words += 1 + std::ranges::count(level.text, ' ');
    return distinct * 2 > summary_.present &&
           static_cast<double>(words) >= words_of_text * static_cast<double>(distinct);
  }

  const Table& table_;
  std::size_t column_;
  std::span<const std::int64_t> rows_;
  const Summary& summary_;
};

/// Groups the levels by their number; empty if a level is not a number.
std::map<std::string, std::vector<Level>> by_number(const std::vector<Level>& levels) {
  std::map<std::string, std::vector<Level>> result;
  for (const Level& level : levels) {
    const auto number = canonical_number(level.text);
    if (!number) return {};
    result[*number].push_back(level);
  }
  return result;
}

/// The most frequent spelling; among equally frequent ones the shortest, then the first in the alphabet.
Level usual_spelling(const std::vector<Level>& spellings) {
  return *std::ranges::min_element(
      spellings, {}, [](const Level& level) { return std::tuple(-level.count, level.text.size(), level.text); });
}

}  // namespace

Meaning decide_meaning(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                       const Summary& summary, const WantedKind& wanted) {
  return Decision(table, column, rows, summary).run(wanted);
}

std::optional<std::pair<std::string, std::string>> two_spellings(const std::vector<Level>& levels) {
  std::map<std::string, std::string_view> known;
  for (const Level& level : levels) {
    const auto number = canonical_number(level.text);
    if (!number) continue;
    const auto [other, fresh] = known.emplace(*number, level.text);
    if (!fresh) return std::pair(std::string(other->second), std::string(level.text));
  }
  return std::nullopt;
}

std::vector<ClassRows> classes_of(const std::vector<Level>& levels, bool keep_spellings,
                                  std::vector<std::string>& remarks) {
  const auto numbers = by_number(levels);
  std::vector<std::tuple<double, std::string, std::int64_t>> sorted;  // texts that are not numbers all have 0
  const auto add = [&](std::string_view text, std::int64_t rows) {
    sorted.emplace_back(numbers.empty() ? 0 : parse_number(trim(text)).value_or(0), text, rows);
  };
  if (numbers.empty() || keep_spellings) {
    for (const Level& level : levels) add(level.text, level.count);
    if (const auto two = two_spellings(levels)) {
      remarks.push_back(fmt::format("'{}' and '{}' are two classes, but the same number", two->first, two->second));
    }
  } else {
    for (const auto& [number, spellings] : numbers) {
      const Level usual = usual_spelling(spellings);
      std::vector<std::string> all;
      std::int64_t rows = 0;
      for (const Level& spelling : spellings) {
        all.push_back(fmt::format("'{}'", spelling.text));
        rows += spelling.count;
      }
      add(usual.text, rows);
      if (all.size() > 1)
        remarks.push_back(fmt::format("{} are the same number, and so one class '{}'", listed(all), usual.text));
    }
  }
  std::ranges::sort(sorted);
  std::vector<ClassRows> classes;
  for (auto& [value, text, rows] : sorted) classes.push_back({std::move(text), rows});
  return classes;
}

}  // namespace thalweg::data
