#pragma once
// Interprets one cell of a table: missing, a number, or text.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "options/text.hpp"

namespace thalweg::data {

/// Whether a cell holds no value: it is blank, or one of NA, ?, NaN, nan, null, NULL. ("None" and "N/A" are not
/// missing: they are often names of categories.)
[[nodiscard]] inline bool is_missing(std::string_view cell) {
  static constexpr std::array<std::string_view, 7> words = {"", "NA", "?", "NaN", "nan", "null", "NULL"};
  return std::ranges::find(words, trim(cell)) != words.end();
}

/// Whether a text is a number other than 0 that is too close to 0 for f64: 1e-400, as some p-values are.
[[nodiscard]] inline bool is_next_to_zero(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc::result_out_of_range || end != text.data() + text.size()) return false;
  const std::size_t exponent = text.find_first_of("eE");
  return exponent == std::string_view::npos ? text.find_first_of("123456789") > text.find('.')
                                            : text[exponent + 1] == '-';
}

/// The number in a cell, or nothing if it is not a finite number in the range of f32. Numbers too close to 0 for f64
/// count as 0.
[[nodiscard]] inline std::optional<double> number_in(std::string_view cell) {
  auto number = parse_number(trim(cell));
  if (!number && is_next_to_zero(trim(cell))) number = 0;
  // false for nan, too
  return number && std::abs(*number) <= static_cast<double>(std::numeric_limits<float>::max()) ? number : std::nullopt;
}

/// Explains why number_in finds no number in a cell, whether in the plain form or in another.
[[nodiscard]] inline std::string_view why_no_number(std::string_view cell) {
  if (number_in(cell)) return "a number in another form";
  const auto number = parse_number(trim(cell));
  return number && std::isfinite(*number) ? "beyond 3.4e38, the largest number of f32" : "not a finite number";
}

}  // namespace thalweg::data
