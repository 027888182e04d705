#pragma once
// Numbers as text for people. All rooms format them here.

#include <cstdint>
#include <string>

namespace thalweg {

/// "1,234,567"
[[nodiscard]] std::string with_commas(std::int64_t number);
/// At most `digits` significant digits, and exponents without plus sign and leading zeros: "0.25", "1e-8", "nan".
[[nodiscard]] std::string number_text(double value, int digits = 6);
/// A result with four digits and commas between thousands: "0.3127", "12,346", "3e-4"; "-" if it is not a number.
[[nodiscard]] std::string figure(double value);
/// A fraction as a percentage: "4.1 %", "37 %", "less than 0.1 %".
[[nodiscard]] std::string percent_text(double part);
/// "12 s", "3 min 20 s", "2 h 5 min"
[[nodiscard]] std::string duration_text(double seconds);
/// "1.2 MB"
[[nodiscard]] std::string bytes_text(std::int64_t bytes);

}  // namespace thalweg
