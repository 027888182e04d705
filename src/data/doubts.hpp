#pragma once
// Columns whose cells can be read in two ways and were read in one, though nobody had said which.

#include <map>
#include <vector>

#include "data/column_summary.hpp"

namespace thalweg::data {

class Doubts {
 public:
  /// The rows are kept by reference.
  Doubts(const Table& table, const std::vector<std::int64_t>& rows) : table_(table), rows_(rows) {}

  /// A column with the meaning that was found for it; not one whose meaning was asked for.
  void add(std::size_t column, const Meaning& meaning);

  /// One line for each kind of doubt: dates of which each may begin with its day or its month; numbers with three
  /// digits after each point, which may stand between thousands; numbers with leading zeros, which may be names; and
  /// names of columns that are numbers, which may be a row.
  [[nodiscard]] std::vector<std::string> remarks() const;

 private:
  void look_at_numbers(std::size_t column);
  [[nodiscard]] bool reads_both_ways(std::size_t column) const;
  [[nodiscard]] bool has_decimal_commas() const { return decimal_commas_ || table_.separator() == ';'; }

  using Names = std::vector<std::string>;
  const Table& table_;
  const std::vector<std::int64_t>& rows_;
  Names leading_zeros_, thousands_, numbers_;
  std::map<DateOrder, Names> either_order_;  // by the order that was taken
  bool decimal_commas_ = false, decimal_points_ = false;
};

}  // namespace thalweg::data
