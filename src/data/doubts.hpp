#pragma once
// Warnings about columns whose cells can be read in two ways, if no option says which one is meant.

#include <map>
#include <vector>

#include "data/column_summary.hpp"

namespace thalweg::data {

class Doubts {
 public:
  /// The rows are kept by reference.
  Doubts(const Table& table, const std::vector<std::int64_t>& rows) : table_(table), rows_(rows) {}

  /// Adds a column with its inferred type; columns whose type was given by an option are not added.
  void add(std::size_t column, const Meaning& meaning);

  /// One line for each kind of ambiguity: dates whose day and month can be exchanged, or whose first two digits may be
  /// the year; numbers that may be dates (20200131); numbers with three digits after each point or comma, which may
  /// separate thousands; numbers with leading zeros, which may be names; and column names that are all numbers, which
  /// may be a row of data.
  [[nodiscard]] std::vector<std::string> remarks() const;

 private:
  void look_at_numbers(std::size_t column);
  void look_at_commas(std::size_t column, const NumberForm& form);
  void look_at_dates(std::size_t column, const Meaning& meaning);
  [[nodiscard]] bool reads_both_ways(std::size_t column) const;
  [[nodiscard]] bool may_begin_with_year(std::size_t column, DateOrder order) const;
  [[nodiscard]] bool are_dates(std::size_t column) const;
  void add_remarks_on_dates(std::vector<std::string>& lines) const;
  [[nodiscard]] bool has_decimal_commas() const { return decimal_commas_ || table_.separator() == ';'; }

  using Names = std::vector<std::string>;
  const Table& table_;
  const std::vector<std::int64_t>& rows_;
  Names leading_zeros_, thousands_, numbers_;
  Names comma_fractions_, comma_thousands_;  // taken for decimal commas and for separators, and could be the other
  std::map<DateOrder, Names> either_order_;  // by the order that was chosen
  Names year_first_, dates_;                 // dates whose year may come first, and numbers that may be dates
  bool decimal_commas_ = false, decimal_points_ = false;
  bool sure_decimal_commas_ = false;  // some column has them with another number of digits than three
};

}  // namespace thalweg::data
