#pragma once
// How numbers are written in a column: 1234.5, 1234,5, 1,234.5, 1.234,5, 12.5 %.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace thalweg::data {

/// One way to write numbers, which all cells of a column share.
struct NumberForm {
  char decimal = '.';  ///< the sign before the fraction: . or ,
  char group = '\0';  ///< the optional sign between thousands: , or . or ' ' (a blank, a no-break space, an apostrophe)
  bool percent = false;  ///< a percent sign follows; the value is the number before it

  [[nodiscard]] bool plain() const { return *this == NumberForm{}; }
  friend bool operator==(const NumberForm&, const NumberForm&) = default;
};

/// The number in a cell of that form, or nothing if it is not a number or not finite in f32. Groups of thousands must
/// be complete: 1,234 but not 12,34, and not 0,234.
[[nodiscard]] std::optional<double> number_in(std::string_view cell, const NumberForm& form);

/// The possible forms of a column besides the plain one. If two forms fit, the first is chosen: in "3,161" the comma
/// separates thousands if commas separate the cells, and is a decimal comma if semicolons or tabs do.
[[nodiscard]] std::span<const NumberForm> number_forms(char separator);

/// "decimal comma, 1.234,5 is 1234.5", for notes.
[[nodiscard]] std::string described(const NumberForm& form);

/// Explains why number_in finds no number in a cell of a column with this form: "not a finite number", "a number in
/// another form (percent, 12.5% is 12.5)".
[[nodiscard]] std::string why_no_number(std::string_view cell, const NumberForm& form);

/// The form with this name in `types`: decimal_comma, thousands_comma, thousands_dot or thousands_space.
[[nodiscard]] std::optional<NumberForm> form_named(std::string_view name);

/// A normal form of a number's text, equal for all texts of the same number ("1.50", "+1.5", "15e-1"), of any length.
/// Nothing for a text that is not a number.
[[nodiscard]] std::optional<std::string> canonical_number(std::string_view text);

}  // namespace thalweg::data
