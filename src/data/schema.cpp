#include "data/schema.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "data/cell.hpp"
#include "options/nearest_name.hpp"

namespace thalweg::data {

namespace {
constexpr std::int64_t many_levels = 50;       // a category with more is warned about
constexpr std::int64_t few_numbers = 20;       // whole numbers that may be classes
constexpr std::int64_t rows_per_class = 5;     // on average, for whole numbers to be classes
constexpr std::int64_t rows_to_identify = 20;  // in fewer rows, values differ by chance
}  // namespace

Fields TableOptions::fields() {
  return {
      {"target", &target, "The column to predict."},
      {"features", &features, "The columns to predict from; all the others where the list is empty."},
      {"drop", &drop, "Columns to leave out."},
      {"types", &types,
       "What a column is, where it cannot be told: { zip = \"category\" }; \"number\" or \"category\"."},
      {.name = "missing",
       .place = &missing,
       .doc = "Missing values (blank, NA, ?, NaN, null): \"impute\" puts the median of the training part in place of a "
              "number and marks it in a column of its own, and makes a missing category a level of its own; \"reject\" "
              "stops; \"drop\" leaves the row out.",
       .choices = {"impute", "reject", "drop"}},
      {"weight", &weight, "A column that says how much each row counts: finite and not negative."},
      {.name = "separator",
       .place = &separator,
       .doc = "What stands between two cells; \"auto\" looks at the header.",
       .choices = {"auto", "comma", "semicolon", "tab"}},
      {.name = "task",
       .place = &task,
       .doc = "What there is to predict; \"auto\" tells it from the target: two classes, more classes, or a number.",
       .choices = {"auto", "regression", "binary", "multiclass"}},
  };
}

std::size_t column_of(const Table& table, std::string_view name) {
  if (const auto column = table.find(name)) return *column;
  fail<DataError>("[data] {}: no column '{}'. Hint: its columns are {}.", table.file(), name,
                  fmt::join(table.names(), ", "));
}

namespace {
[[noreturn]] void fail_at(const Table& table, std::int64_t row, std::size_t column, std::string_view what) {
  fail<DataError>("[data] {}, line {}, column '{}': {}", table.file(), table.line(row), table.names()[column], what);
}
}  // namespace

double number_at(const Table& table, std::int64_t row, std::size_t column) {
  const std::string_view cell = table.cell(row, column);
  if (const auto number = number_in(cell)) return *number;
  fail_at(table, row, column,
          fmt::format("'{}' is not a finite number. Hint: mend it, leave the cell blank, or say that {} is a category.",
                      cell, table.names()[column]));
}

double weight_at(const Table& table, std::int64_t row, std::size_t column) {
  const auto weight = number_in(table.cell(row, column));
  if (weight && *weight >= 0) return *weight;
  fail_at(table, row, column, fmt::format("weight '{}'. Wanted: a finite number, 0 or more", table.cell(row, column)));
}

namespace {

/// What a column holds, counted.
struct Summary {
  std::int64_t present = 0, missing = 0, numbers = 0, distinct = 0;
  bool whole = true;                     // all its numbers are whole numbers
  std::int64_t first_text = -1;          // the first row that is not a number
  std::vector<std::string_view> levels;  // distinct texts, sorted
  std::vector<double> values;            // distinct numbers, sorted, where all are numbers

  [[nodiscard]] bool all_numbers() const { return numbers == present; }
};

template <class T>
void keep_distinct(std::vector<T>& items) {
  std::ranges::sort(items);
  const auto rest = std::ranges::unique(items);
  items.erase(rest.begin(), rest.end());
}

Summary summarise(const Table& table, std::size_t column) {
  Summary s;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const std::string_view cell = table.cell(row, column);
    if (is_missing(cell)) {
      ++s.missing;
      continue;
    }
    ++s.present;
    s.levels.push_back(cell);
    if (const auto number = number_in(cell)) {
      ++s.numbers;
      s.whole = s.whole && *number == std::floor(*number);
      s.values.push_back(*number + 0.0);  // -0 is 0
    } else if (s.first_text < 0) {
      s.first_text = row;
    }
  }
  keep_distinct(s.levels);
  keep_distinct(s.values);
  s.distinct = static_cast<std::int64_t>(s.all_numbers() ? s.values.size() : s.levels.size());
  return s;
}

ColumnKind decide_kind(const Table& table, std::size_t column, const Summary& s, std::optional<ColumnKind> wanted) {
  if (wanted == ColumnKind::category) return ColumnKind::category;
  const bool mostly_numbers = s.numbers * 10 >= s.present * 9;
  if (!s.all_numbers() && (wanted == ColumnKind::number || mostly_numbers)) {
    static_cast<void>(number_at(table, s.first_text, column));  // throws
  }
  return s.all_numbers() ? ColumnKind::number : ColumnKind::category;
}

/// One inference at work: the table, what the user said, and what came of it.
class Inferrer {
 public:
  Inferrer(const Table& table, TableOptions options) : table_(table), options_(std::move(options)) {
    check_fields(options_.fields(), "data");
    result_.schema.target = options_.target;
    result_.schema.weight = options_.weight;
    result_.schema.missing = *named<Missing>(options_.missing);
  }

  Inference run() {
    check_names();
    decide_target();
    decide_features();
    result_.rows = usable_rows(table_, result_.schema);
    check_weights();
    note_rows();
    return std::move(result_);
  }

 private:
  void note(std::string line) { result_.notes.push_back(std::move(line)); }
  void warn(std::string line) { result_.warnings.push_back(std::move(line)); }

  void check_name(const std::string& column, std::string_view option) const {
    if (table_.find(column)) return;
    fail<UsageError>("[data] {} names the column '{}', and {} has none. Hint: {}", option, column, table_.file(),
                     name_hint(column, table_.names()));
  }

  void check_names() const {
    if (options_.target.empty()) {
      fail<UsageError>("[data] no target. Hint: it is one of {}.", fmt::join(table_.names(), ", "));
    }
    check_name(options_.target, "target");
    if (!options_.weight.empty()) check_name(options_.weight, "weight");
    for (const std::string& column : options_.drop) check_name(column, "drop");
    for (const std::string& column : options_.features) check_name(column, "features");
    for (const auto& [column, kind] : options_.types) {
      check_name(column, "types");
      static_cast<void>(wanted_kind(column));
    }
    for (const std::string& column : options_.drop) check_role(column, "drop");
    for (const std::string& column : options_.features) check_role(column, "features");
    if (options_.weight == options_.target) fail<UsageError>("[data] '{}' is target and weight", options_.target);
  }

  void check_role(const std::string& column, std::string_view option) const {
    const bool dropped = option == "features" && contains(options_.drop, column);
    const std::string_view other = column == options_.target ? "target" : column == options_.weight ? "weight" : "drop";
    if (dropped || other != "drop") fail<UsageError>("[data] '{}' is in {} and in {}", column, option, other);
  }

  [[nodiscard]] static bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::ranges::find(names, name) != names.end();
  }

  [[nodiscard]] std::optional<ColumnKind> wanted_kind(const std::string& column) const {
    const auto found = options_.types.find(column);
    if (found == options_.types.end()) return std::nullopt;
    const auto* text = found->second.get_if<std::string>();
    if (text && *text == "number") return ColumnKind::number;
    if (text && *text == "category") return ColumnKind::category;
    fail<UsageError>("[data] types: {} = {}. Wanted: \"number\" or \"category\"", column, found->second.str());
  }

  void decide_target() {
    const std::string& target = options_.target;
    const std::size_t column = *table_.find(target);
    const Summary s = summarise(table_, column);
    if (s.distinct < 2) {
      fail<DataError>("[data] {}: the target '{}' has {}. Wanted: two values or more", table_.file(), target,
                      s.distinct == 0 ? "no value" : fmt::format("one value alone, '{}'", s.levels[0]));
    }
    result_.schema.task = decide_task(column, s);
    if (result_.schema.task != Task::regression) name_classes(s);
    if (s.missing > 0) warn(fmt::format("rows without {}, left out: {}", target, s.missing));
  }

  [[nodiscard]] Task decide_task(std::size_t column, const Summary& s) const {
    auto wanted = wanted_kind(options_.target);
    const auto task = named<Task>(options_.task);
    if (task == Task::regression) {
      if (wanted == ColumnKind::category) fail<UsageError>("[data] task = \"regression\" of a category");
      wanted = ColumnKind::number;
    } else if (task && !wanted) {
      wanted = ColumnKind::category;
    }
    const ColumnKind kind = decide_kind(table_, column, s, wanted);
    if (task == Task::binary && s.distinct != 2) {
      fail<DataError>("[data] {}: task = \"binary\", and the target '{}' has {} values", table_.file(), options_.target,
                      s.distinct);
    }
    if (task) return *task;
    if (wanted == ColumnKind::number) return Task::regression;
    if (kind == ColumnKind::category || s.whole) {
      if (s.distinct == 2) return Task::binary;
      const bool classes = s.distinct <= few_numbers && s.distinct * rows_per_class <= s.present;
      if (kind == ColumnKind::category || classes) return Task::multiclass;
    }
    return Task::regression;
  }

  void name_classes(const Summary& s) {
    std::vector<std::string>& classes = result_.schema.classes;
    if (s.all_numbers()) {
      for (const double value : s.values) classes.push_back(fmt::format("{}", value));
    } else {
      for (const std::string_view level : s.levels) classes.emplace_back(level);
    }
    if (s.distinct > many_levels) {
      warn(fmt::format("the target {} has {} classes. Hint: task = \"regression\", if it is a number.", options_.target,
                       s.distinct));
    }
  }

  void decide_features() {
    for (std::size_t column = 0; column < table_.columns(); ++column) {
      const std::string& feature = table_.names()[column];
      if (feature == options_.target || feature == options_.weight) continue;
      if (contains(options_.drop, feature)) continue;
      if (!options_.features.empty() && !contains(options_.features, feature)) continue;
      decide_feature(column);
    }
    if (result_.schema.features.empty()) {
      fail<DataError>("[data] {}: no column is left to predict {} from", table_.file(), options_.target);
    }
  }

  void decide_feature(std::size_t column) {
    const std::string& feature = table_.names()[column];
    const Summary s = summarise(table_, column);
    const ColumnKind kind = decide_kind(table_, column, s, wanted_kind(feature));
    const bool marked = s.missing > 0 && result_.schema.missing == Missing::impute;  // which tells something by itself
    if (s.distinct == 0 || (s.distinct == 1 && !marked)) {
      constant_.push_back(feature);
      return;
    }
    result_.schema.features.push_back({feature, kind});
    if (kind == ColumnKind::number) {
      numbers_.push_back(feature);
    } else {
      categories_.push_back(fmt::format("{} ({} levels)", feature, s.levels.size()));
    }
    if (s.missing > 0) missing_.push_back(fmt::format("{} ({})", feature, s.missing));
    warn_of(feature, kind, s);
  }

  void warn_of(const std::string& feature, ColumnKind kind, const Summary& s) {
    const bool text_or_whole = !s.all_numbers() || s.whole;
    if (s.present >= rows_to_identify && s.distinct == s.present && text_or_whole) {
      warn(fmt::format("{} is different in every row: an identifier? Hint: drop it.", feature));
    } else if (kind == ColumnKind::category && static_cast<std::int64_t>(s.levels.size()) > many_levels) {
      warn(fmt::format("{} has {} levels, and each becomes a column. Hint: drop it{}.", feature, s.levels.size(),
                       s.all_numbers() ? ", or say that it is a number" : ""));
    }
  }

  void check_weights() const {
    if (options_.weight.empty()) return;
    const std::size_t column = *table_.find(options_.weight);
    double sum = 0;
    for (const std::int64_t row : result_.rows) sum += weight_at(table_, row, column);
    if (sum <= 0) fail<DataError>("[data] {}: every weight in '{}' is 0", table_.file(), options_.weight);
  }

  void note_rows() {
    const Schema& schema = result_.schema;
    note(fmt::format("{}: {} rows{}", table_.file(), table_.rows(),
                     static_cast<std::int64_t>(result_.rows.size()) == table_.rows()
                         ? ""
                         : fmt::format(", {} of which can be used", result_.rows.size())));
    note(fmt::format("task: {} of {}{}", name(schema.task), schema.target, described_classes()));
    if (!numbers_.empty()) note(fmt::format("numbers: {}", fmt::join(numbers_, ", ")));
    if (!categories_.empty()) note(fmt::format("categories: {}", fmt::join(categories_, ", ")));
    if (!missing_.empty())
      note(fmt::format("missing values ({}): {}", name(schema.missing), fmt::join(missing_, ", ")));
    if (!constant_.empty()) note(fmt::format("left out, one value alone: {}", fmt::join(constant_, ", ")));
    if (!options_.drop.empty()) note(fmt::format("left out, as asked: {}", fmt::join(options_.drop, ", ")));
    if (!schema.weight.empty()) note(fmt::format("weight of a row: {}", schema.weight));
  }

  [[nodiscard]] std::string described_classes() const {
    constexpr std::size_t shown = 10;
    const std::vector<std::string>& classes = result_.schema.classes;
    if (classes.empty()) return "";
    const auto end = classes.begin() + static_cast<std::ptrdiff_t>(std::min(classes.size(), shown));
    return fmt::format(" ({}{})", fmt::join(classes.begin(), end, ", "),
                       classes.size() > shown ? fmt::format(" and {} more", classes.size() - shown) : "");
  }

  const Table& table_;
  TableOptions options_;
  Inference result_;
  std::vector<std::string> numbers_, categories_, missing_, constant_;
};

}  // namespace

Inference infer_schema(const Table& table, TableOptions options) { return Inferrer(table, std::move(options)).run(); }

std::vector<std::int64_t> usable_rows(const Table& table, const Schema& schema) {
  const std::size_t target = column_of(table, schema.target);
  std::vector<std::size_t> needed;  // columns that must have a value
  if (schema.missing != Missing::impute) {
    for (const Schema::Feature& feature : schema.features) needed.push_back(column_of(table, feature.name));
  }
  needed.push_back(target);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < table.rows(); ++row) {
    const auto gap = std::ranges::find_if(needed, [&](std::size_t c) { return is_missing(table.cell(row, c)); });
    if (gap == needed.end()) {
      rows.push_back(row);
    } else if (schema.missing == Missing::reject) {
      fail_at(table, row, *gap,
              "no value, and missing = \"reject\". Hint: \"impute\" fills it, \"drop\" leaves the row out.");
    }
  }
  if (rows.empty()) fail<DataError>("[data] {}: no row has all the values it needs", table.file());
  return rows;
}

namespace {

template <class T>
std::optional<std::int32_t> place_in(const std::vector<T>& sorted, const auto& item) {
  const auto found = std::ranges::lower_bound(sorted, item, std::less<>{});
  if (found == sorted.end() || *found != item) return std::nullopt;
  return static_cast<std::int32_t>(found - sorted.begin());
}

/// The classes as numbers, where all are: 1 and 1.0 are one class.
std::vector<double> numeric_classes(const std::vector<std::string>& classes) {
  std::vector<double> values;
  for (const std::string& text : classes) {
    if (const auto value = number_in(text)) values.push_back(*value);
  }
  if (values.size() != classes.size()) values.clear();
  return values;
}

}  // namespace

std::vector<std::int32_t> class_labels(const Table& table, const Schema& schema, std::span<const std::int64_t> rows) {
  if (schema.task == Task::regression) return {};
  const std::size_t column = column_of(table, schema.target);
  const std::vector<double> values = numeric_classes(schema.classes);
  std::vector<std::int32_t> labels;
  labels.reserve(rows.size());
  for (const std::int64_t row : rows) {
    const std::string_view cell = table.cell(row, column);
    const auto number = values.empty() ? std::nullopt : number_in(cell);
    const auto label = values.empty() ? place_in(schema.classes, cell)
                       : number       ? place_in(values, *number)
                                      : std::nullopt;
    if (!label) {
      fail_at(table, row, column,
              fmt::format("'{}' is not one of the classes {}", cell, fmt::join(schema.classes, ", ")));
    }
    labels.push_back(*label);
  }
  return labels;
}

}  // namespace thalweg::data
