#include "data/schema.hpp"

#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "data/cell.hpp"
#include "data/listed.hpp"

namespace thalweg::data {

Fields TableOptions::fields() {
  return {
      {"target", &target, "The column to predict."},
      {"features", &features, "The columns to predict from; all the others where the list is empty."},
      {"drop", &drop, "Columns to leave out."},
      {"types", &types,
       "The kind of a column, if it cannot be inferred: { zip = \"category\" }. \"number\", \"category\", \"date\", "
       "\"text\" (which is left out); in a form, \"decimal_comma\" (1234,5), \"thousands_comma\" (1,234.5), "
       "\"thousands_dot\" (1.234,5), \"thousands_space\"; \"date_dmy\" (31/1/2020), \"date_mdy\" (1/31/2020), "
       "\"date_ymd\" (20-01-31)."},
      {.name = "missing",
       .place = &missing,
       .doc = "Missing values (blank, NA, ?, NaN, null): \"impute\" puts the median of the training part in place of a "
              "number and marks it in a column of its own, and makes a missing category a level of its own; \"reject\" "
              "stops; \"drop\" leaves the row out.",
       .choices = {"impute", "reject", "drop"}},
      {"weight", &weight, "A column of row weights: finite and not negative."},
      {.name = "separator",
       .place = &separator,
       .doc = "The separator of cells; \"auto\" finds it in the first line.",
       .choices = {"auto", "comma", "semicolon", "tab"}},
      {"header", &header,
       "Whether the first line names the columns; where not, they are called column 1, column 2 and so on."},
      {.name = "task",
       .place = &task,
       .doc = "The kind of prediction; \"auto\" derives it from the target: two classes, more classes, or a number.",
       .choices = {"auto", "regression", "binary", "multiclass"}},
      {"positive", &positive,
       "Of two classes, the positive one of precision, recall and f1; empty: the class with fewer rows."},
      {.name = "class_weights",
       .place = &class_weights,
       .doc =
           "\"balanced\" weighs the training rows so that every class weighs the same: rows / (classes * rows of the "
           "class), times the column of weights where there is one.",
       .choices = {"none", "balanced"}},
      {"rare_levels", &rare_levels, "Levels of a category in fewer training rows than this are pooled as one.",
       not_negative},
      {"max_levels", &max_levels,
       "Of a category with more levels in the training part, the most frequent are kept and the others pooled as one.",
       Range{.low = 1}},
      {"embed_levels", &embed_levels,
       "A category that becomes more columns than this is embedded: the model learns min(32, 1.6 columns^0.56) numbers "
       "for each level, rounded up, which replace its columns. 0: no embedding.",
       not_negative},
  };
}

std::size_t column_of(const Table& table, std::string_view name) {
  if (const auto column = table.find(name)) return *column;
  fail<DataError>("[data] {}: no column '{}'. Hint: its columns are {}.", table.file(), name, listed(table.names()));
}

namespace {
[[noreturn]] void fail_at(const Table& table, std::int64_t row, std::size_t column, std::string_view what) {
  fail<DataError>("[data] {}, line {}, column '{}': {}", table.file(), table.line(row), table.names()[column], what);
}
}  // namespace

double number_at(const Table& table, std::int64_t row, std::size_t column, const NumberForm& form) {
  const std::string_view cell = table.cell(row, column);
  if (const auto number = number_in(cell, form)) return *number;
  fail_at(table, row, column,
          fmt::format("'{}' is {}. Hint: correct it, leave the cell blank, or say that {} is a category.", cell,
                      why_no_number(cell, form), table.names()[column]));
}

double days_at(const Table& table, std::int64_t row, std::size_t column, DateOrder order) {
  const std::string_view cell = table.cell(row, column);
  if (const auto days = days_in(cell, order)) return *days;
  fail_at(table, row, column,
          fmt::format("'{}' is no date ({}). Hint: correct it, leave the cell blank, or say that {} is a category.",
                      cell, name(order), table.names()[column]));
}

double weight_at(const Table& table, std::int64_t row, std::size_t column) {
  const auto weight = number_in(table.cell(row, column));
  if (weight && *weight >= 0) return *weight;
  fail_at(table, row, column,
          fmt::format("weight '{}'. Wanted: 0 or more, at most 3.4e38, the largest number of f32",
                      table.cell(row, column)));
}

std::vector<std::int64_t> usable_rows(const Table& table, const Schema& schema) {
  const std::size_t target = column_of(table, schema.target);
  std::vector<std::size_t> needed;  // columns that must have a value
  if (schema.missing != Missing::impute) {
    for (const Schema::Feature& feature : schema.features) needed.push_back(column_of(table, feature.name));
  }
  needed.push_back(target);
  const auto weight = schema.weight.empty() ? std::nullopt : table.find(schema.weight);
  std::vector<std::int64_t> rows;
  bool weightless = false;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    if (weight && !is_missing(table.cell(row, target)) && weight_at(table, row, *weight) == 0) {
      weightless = true;
      continue;
    }
    const auto gap = std::ranges::find_if(needed, [&](std::size_t c) { return is_missing(table.cell(row, c)); });
    if (gap == needed.end()) {
      rows.push_back(row);
    } else if (schema.missing == Missing::reject) {
      fail_at(table, row, *gap,
              "no value, and missing = \"reject\". Hint: \"impute\" fills it, \"drop\" leaves the row out.");
    }
  }
  if (rows.empty()) {
    fail<DataError>("[data] {}: no row {}", table.file(),
                    weightless ? fmt::format("has a weight above 0 in '{}' and all the values it needs", schema.weight)
                               : "has all the values it needs");
  }
  return rows;
}

namespace {

/// Finds classes by their text, and by their number if only one class is that number.
class ClassIndex {
 public:
  explicit ClassIndex(const std::vector<std::string>& classes) {
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto label = static_cast<std::int32_t>(i);
      texts_.emplace(classes[i], label);
      if (const auto number = canonical_number(classes[i])) {
        const auto [other, fresh] = numbers_.emplace(*number, label);
        if (!fresh) other->second = -1;
      }
    }
  }

  /// -1 if it is not a class.
  [[nodiscard]] std::int32_t operator()(std::string_view cell) const {
    if (const auto text = texts_.find(cell); text != texts_.end()) return text->second;
    const auto number = canonical_number(cell);
    const auto found = number ? numbers_.find(*number) : numbers_.end();
    return found == numbers_.end() ? -1 : found->second;
  }

 private:
  std::unordered_map<std::string_view, std::int32_t> texts_;
  std::unordered_map<std::string, std::int32_t> numbers_;
};

}  // namespace

std::vector<std::int32_t> class_labels(const Table& table, const Schema& schema, std::span<const std::int64_t> rows) {
  if (schema.task == Task::regression) return {};
  const std::size_t column = column_of(table, schema.target);
  const ClassIndex index(schema.classes);
  std::vector<std::int32_t> labels;
  labels.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const std::int32_t label = index(table.cell(row, column));
    if (label < 0) {
      fail_at(table, row, column,
              fmt::format("'{}' is not one of the classes {}", table.cell(row, column), listed(schema.classes)));
    }
    labels.push_back(label);
  }
  return labels;
}

}  // namespace thalweg::data
