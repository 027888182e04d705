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
  std::int64_t numbers = 0;         ///< of the present cells, those that are numbers in the plain form
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

/// What the option `types` says of a column.
struct WantedKind {
  std::optional<ColumnKind> kind = {};
  std::optional<NumberForm> form = {};
  std::optional<DateOrder> order = {};
  bool text = false;
};
/// Throws UsageError for an unknown word.
[[nodiscard]] WantedKind wanted_kind(std::string_view column, const OptionValue& word);

/// What a column is.
struct Meaning {
  ColumnKind kind = ColumnKind::number;
  NumberForm form = {};
  DateOrder order = DateOrder::year_month_day;
  bool text = false;  ///< sentences, or a name for each row: nothing to learn from as a category
};
/// Decides by the cells, as far as `wanted` leaves it open: numbers or dates where nine in ten cells are, in any one
/// form. Throws DataError, with file and line, for a cell that is none among many that are.
[[nodiscard]] Meaning decide_meaning(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                                     const Summary& summary, const WantedKind& wanted);

/// A class and its rows.
struct ClassRows {
  std::string name;
  std::int64_t rows = 0;
};
/// The levels as classes, in order: as numbers where all are, or else as text. Several spellings of one number (1 and
/// 1.0) are one class, called as most rows spell it, unless `keep_spellings`. Either way `remarks` gets a line.
[[nodiscard]] std::vector<ClassRows> classes_of(const std::vector<Level>& levels, bool keep_spellings,
                                                std::vector<std::string>& remarks);
/// Two levels that spell one number ("1" and "1.0"), if there are any.
[[nodiscard]] std::optional<std::pair<std::string, std::string>> two_spellings(const std::vector<Level>& levels);

}  // namespace thalweg::data
