#pragma once
// The schema of a table: which columns are numbers, which are categories, and which one is predicted.

#include <algorithm>
#include <array>

#include "data/date.hpp"
#include "data/number_form.hpp"
#include "data/table.hpp"
#include "thalweg/metrics.hpp"
#include "thalweg/options.hpp"

namespace thalweg::data {

/// The options in `[data]` that determine how a table is interpreted.
struct TableOptions {
  std::string target = {};
  std::vector<std::string> features = {};
  std::vector<std::string> drop = {};
  OptionMap types = {};
  std::string missing = "impute";
  std::string weight = {};
  std::string separator = "auto";
  bool header = true;
  std::string task = "auto";
  std::string positive = {};
  std::string class_weights = "none";
  std::int64_t rare_levels = 0, max_levels = 10'000, embed_levels = 0;

  [[nodiscard]] Fields fields();
};

enum class ColumnKind { number, category, date };
using thalweg::Task;
enum class Missing { impute, reject, drop };

template <class E>
inline constexpr std::array<std::string_view, 0> names_of{};
template <>
inline constexpr std::array<std::string_view, 3> names_of<ColumnKind>{"number", "category", "date"};
template <>
inline constexpr std::array<std::string_view, 3> names_of<DateOrder>{"year_month_day", "day_month_year",
                                                                     "month_day_year"};
template <>
inline constexpr std::array<std::string_view, 4> names_of<Task>{"regression", "binary", "multiclass", "language"};
template <>
inline constexpr std::array<std::string_view, 3> names_of<Missing>{"impute", "reject", "drop"};

template <class E>
requires(!names_of<E>.empty()) [[nodiscard]] std::string_view name(E value) {
  return names_of<E>[static_cast<std::size_t>(value)];
}
/// The value of that name, if there is one.
template <class E>
[[nodiscard]] std::optional<E> named(std::string_view text) {
  const auto found = std::ranges::find(names_of<E>, text);
  if (found == names_of<E>.end()) return std::nullopt;
  return static_cast<E>(found - names_of<E>.begin());
}

/// Which levels of a category get their own column, and whether these are embedded.
struct LevelBounds {
  std::int64_t rare = 0;       ///< levels in fewer rows than this are pooled
  std::int64_t most = 10'000;  ///< of more levels, only the most frequent are kept
  std::int64_t embed = 0;      ///< more columns than this are embedded; 0: none are
  friend bool operator==(const LevelBounds&, const LevelBounds&) = default;
};

/// How a file is split into cells, as far as the options determine it.
struct TableLayout {
  std::optional<char> separator = {};  ///< nothing: the most frequent one in the first line
  bool header = true;
  friend bool operator==(const TableLayout&, const TableLayout&) = default;
};

struct Schema {
  struct Feature {
    std::string name = {};
    ColumnKind kind = ColumnKind::number;
    NumberForm form = {};                         ///< for a number
    DateOrder order = DateOrder::year_month_day;  ///< for a date
    friend bool operator==(const Feature&, const Feature&) = default;
  };
  std::vector<Feature> features = {};  ///< in the order of the file
  std::string target = {};
  NumberForm target_form = {};
  std::string weight = {};  ///< empty if there is none
  Task task = Task::regression;
  /// As spelled in the file; sorted as numbers if all are numbers, otherwise as text, except that of two classes the
  /// positive one is second. Empty for a regression.
  std::vector<std::string> classes = {};
  Missing missing = Missing::impute;
  LevelBounds levels = {};
  TableLayout layout = {};
  friend bool operator==(const Schema&, const Schema&) = default;
};

struct Inference {
  Schema schema;
  std::vector<std::int64_t> rows;     ///< the rows that can be used
  std::vector<std::string> notes;     ///< decisions, one per line
  std::vector<std::string> warnings;  ///< warnings to the user, one per line
};

/// Infers what the options leave open from the rows whose weight is not 0.
///
/// A column is of numbers if at least nine in ten of its cells that are not missing are finite numbers, written in one
/// form: 1234.5, 1234,5, 1,234.5, 12 %; it is of dates if at least nine in ten are dates. The remaining cells are then
/// errors. Otherwise it is a category. Columns with a single value are left out, and so is text: sentences, or a
/// different name in each row.
///
/// The task follows from the target: text with two values, or two whole numbers: binary. Text with more values, or at
/// most 20 whole numbers that occur five times each on average: multiclass. Any other numbers: regression.
///
/// Of two classes, the positive one is the class that the options name, otherwise the rarer one.
///
/// Rows without a target are left out (rejected with missing = "reject"), and so are rows of weight 0.
///
/// Throws UsageError for an option that names a missing column (with the nearest name) or a column with two roles, and
/// DataError, with file, line and column, for text in place of a number, a missing value that is rejected, a weight
/// that is negative or not a number, and a target that cannot be predicted.
[[nodiscard]] Inference infer_schema(const Table& table, TableOptions options);

/// The rows of a table on which a model of this schema can be trained or evaluated: those with a target and a weight
/// above 0, and with missing = "drop" also a value for every feature. Throws DataError with "reject", naming the first
/// missing value.
[[nodiscard]] std::vector<std::int64_t> usable_rows(const Table& table, const Schema& schema);

/// The labels of the rows: indices into the schema's classes. A cell belongs to the class with the same text, or else
/// to the only class that is the same number ("1.0" if the class is "1"). Empty for a regression. Throws DataError,
/// with file and line, for a target that is not one of the classes.
[[nodiscard]] std::vector<std::int32_t> class_labels(const Table& table, const Schema& schema,
                                                     std::span<const std::int64_t> rows);

/// The column of that name; throws DataError when the table has none.
[[nodiscard]] std::size_t column_of(const Table& table, std::string_view name);

/// The number in a cell. Throws DataError, with file, line and column, when it is not a number.
[[nodiscard]] double number_at(const Table& table, std::int64_t row, std::size_t column, const NumberForm& form = {});
/// The date in a cell, as days_in gives it. Throws as number_at does.
[[nodiscard]] double days_at(const Table& table, std::int64_t row, std::size_t column, DateOrder order);
/// The weight in a cell, at least 0. Throws as number_at does.
[[nodiscard]] double weight_at(const Table& table, std::int64_t row, std::size_t column);

}  // namespace thalweg::data
