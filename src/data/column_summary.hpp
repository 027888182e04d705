#pragma once
// Counts the contents of a table's column and derives its type from them: numbers, dates, categories or text.

#include <span>

#include "data/schema.hpp"

namespace thalweg::data {

/// A text that occurs in a column, and in how many rows.
struct Level {
  std::string_view text;
  std::int64_t count = 0;
};

struct Summary {
  std::int64_t present = 0, missing = 0;
  std::int64_t numbers = 0;         ///< the number of cells that are numbers in the plain form
  bool whole = true;                ///< whether all of them are whole numbers
  std::vector<double> values = {};  ///< the distinct ones, sorted
  std::vector<Level> levels =
      {};  ///< the distinct texts, sorted; counted where a cell is no plain number, or on demand

  [[nodiscard]] bool all_numbers() const { return numbers == present; }
  [[nodiscard]] std::int64_t distinct() const;
};

/// Summarises these rows of a column.
[[nodiscard]] Summary summarise(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                bool count_levels);

/// The type that the option `types` gives a column.
struct WantedKind {
  std::optional<ColumnKind> kind = {};
  std::optional<NumberForm> form = {};
  std::optional<DateOrder> order = {};
  bool text = false;
};
/// The type with this name. Throws UsageError for an unknown name.
[[nodiscard]] WantedKind wanted_kind(std::string_view column, const OptionValue& word);

/// The type of a column, with its form.
struct Meaning {
  ColumnKind kind = ColumnKind::number;
  NumberForm form = {};
  DateOrder order = DateOrder::year_month_day;
  bool short_years = false;  ///< whether a date has a year of two digits
  bool text = false;         ///< sentences, or a different text in each row: useless as a category
};
/// Decides from the cells what `wanted` leaves open: a column is of numbers or dates if at least nine in ten cells are,
/// all in one form. Throws DataError, with file and line, for the other cells of such a column.
[[nodiscard]] Meaning decide_meaning(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                     const Summary& summary, const WantedKind& wanted);

/// A class and its rows.
struct ClassRows {
  std::string name;
  std::int64_t rows = 0;
};
/// The levels as classes, sorted as numbers if all are numbers, otherwise as text. Several spellings of one number (1
/// and 1.0) are one class named by the most frequent spelling, unless `keep_spellings` is set. In both cases a line is
/// added to `remarks`.
[[nodiscard]] std::vector<ClassRows> classes_of(const std::vector<Level>& levels, bool keep_spellings,
                                                std::vector<std::string>& remarks);
/// Two levels that are the same number ("1" and "1.0"), if there are any.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> two_spellings(const std::vector<Level>& levels);

}  // namespace thalweg::data
