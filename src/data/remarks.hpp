#pragma once
// Warnings about a column whose contents may mean something else than was inferred.

#include <optional>
#include <span>

#include "data/column_summary.hpp"

namespace thalweg::data {

/// For a column of numbers: whole numbers with more digits than f64 keeps, a number that may stand for a missing value
/// (-999), a number compared with which all others are nearly equal.
[[nodiscard]] std::vector<std::string> remarks_on_numbers(const Table& table, std::size_t column,
                                                          std::span<const std::int64_t> rows, const Summary& summary);
/// For a column of weights: a row that weighs more than nine times as much as all others together.
[[nodiscard]] std::optional<std::string> remark_on_weights(const Table& table, std::size_t column,
                                                           std::span<const std::int64_t> rows);
/// Whether a column of numbers only counts or identifies the rows: whole numbers, different in each row.
[[nodiscard]] bool counts_rows(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                               const Summary& summary);
/// For a category or for classes: levels that differ only in upper and lower case, and, if `found` says that the type
/// was inferred, a column most of whose cells are numbers.
[[nodiscard]] std::vector<std::string> remarks_on_levels(const std::string& name, const Summary& summary, bool found);

/// For a column of texts that a person would not take for one: each is a number with the same sign or unit beside it,
/// "$12.50" or "3.5 kg"; or most hold a number, in several ways or beside texts without one; or most are dates or times
/// that are not read, "Jan 2020".
[[nodiscard]] std::optional<std::string> remark_on_unread(const std::string& name, const Summary& summary);

}  // namespace thalweg::data
