#pragma once
// How numbers are written in a column: 1234.5, 1234,5, 1,234.5, 1.234,5, 12.5 %.

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace thalweg::data {

/// One way to write numbers, which all cells of a column share.
struct NumberForm {
  char decimal = '.';    ///< what stands before the fraction: . or ,
  char group = '\0';     ///< what may stand between thousands: , or . or ' ' (a blank, a no-break space, an apostrophe)
  bool percent = false;  ///< a percent sign follows; the value is the number before it

  [[nodiscard]] bool plain() const { return *this == NumberForm{}; }
  friend bool operator==(const NumberForm&, const NumberForm&) = default;
};

/// The number that a cell is, written in that form, or nothing: finite, and small enough for f32. Groups of thousands
/// must be whole: 1,234 but not 12,34.
[[nodiscard]] std::optional<double> number_in(std::string_view cell, const NumberForm& form);

/// The forms that a column may have besides the plain one. Where two fit, the first is taken: with commas between
/// cells, "3,161" has thousands, with semicolons or tabs a decimal comma.
[[nodiscard]] std::span<const NumberForm> number_forms(char separator);

/// "decimal comma, 1.234,5 is 1234.5", as notes say it.
[[nodiscard]] std::string described(const NumberForm& form);

/// The form that `types` calls decimal_comma, thousands_comma, thousands_dot or thousands_space.
[[nodiscard]] std::optional<NumberForm> form_named(std::string_view name);

/// A number's text in one form: equal for texts of the same number, however long ("1.50", "+1.5", "15e-1"). Nothing for
/// what is no number.
[[nodiscard]] std::optional<std::string> canonical_number(std::string_view text);

}  // namespace thalweg::data
