#pragma once
// Warnings about a column's contents: what its reader may have taken for something else than it is.

#include <optional>
#include <span>

#include "data/column_summary.hpp"

namespace thalweg::data {

/// Of a column of numbers: whole numbers of more digits than f64 keeps, a number that stands for a missing value
/// (-999), a number next to which all others are one.
[[nodiscard]] std::vector<std::string> remarks_on_numbers(const Table& table, std::size_t column,
                                                          std::span<const std::int64_t> rows, const Summary& summary);
/// Whether a column of numbers only counts or names the rows: whole ones, a different one in each.
[[nodiscard]] bool counts_rows(const Table& table, std::size_t column, std::span<const std::int64_t> rows,
                               const Summary& summary);
/// Of a category, or of classes: levels that differ in upper and lower case alone, and a column of which most cells are
/// numbers, where `found` says that nobody asked for a category.
[[nodiscard]] std::vector<std::string> remarks_on_levels(const std::string& name, const Summary& summary, bool found);

/// Of a column of texts: that each is a number with the same sign or unit beside it, "$12.50" or "3.5 kg".
[[nodiscard]] std::optional<std::string> remark_on_units(const std::string& name, const Summary& summary);

}  // namespace thalweg::data
