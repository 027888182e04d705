#pragma once
// Counts the contents of a table's column and decides from them: numbers, dates, categories or text.

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
  bool whole = true;                ///< all of them are whole numbers
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
/// Throws UsageError for an unknown word.
[[nodiscard]] WantedKind wanted_kind(std::string_view column, const OptionValue& word);

/// The type of a column, with its form.
struct Meaning {
  ColumnKind kind = ColumnKind::number;
  NumberForm form = {};
  DateOrder order = DateOrder::year_month_day;
  bool text = false;  ///< sentences, or a name for each row: useless as a category
};
/// Decides by the cells what `wanted` leaves open: numbers or dates where nine in ten cells are, all in one form.
/// Throws DataError, with file and line, for a cell that is neither where most are.
[[nodiscard]] Meaning decide_meaning(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                     const Summary& summary, const WantedKind& wanted);

/// A class and its rows.
struct ClassRows {
  std::string name;
  std::int64_t rows = 0;
};
/// The levels as classes, sorted as numbers where all are numbers, else as text. Several spellings of one number (1 and
/// 1.0) are one class with the most frequent spelling as its name, unless `keep_spellings`. In both cases a line is
/// added to `remarks`.
[[nodiscard]] std::vector<ClassRows> classes_of(const std::vector<Level>& levels, bool keep_spellings,
                                                std::vector<std::string>& remarks);
/// Two levels that are the same number ("1" and "1.0"), if there are any.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> two_spellings(const std::vector<Level>& levels);

}  // namespace thalweg::data
