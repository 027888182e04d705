#include "core/numbers.hpp"

#include <fmt/format.h>

#include <cmath>

namespace thalweg {

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) digits.insert(at -= 3, 1, ',');
  return digits;
}

std::string number_text(double value, int digits) {
  std::string text = fmt::format("{:.{}g}", value == 0 ? 0.0 : value, digits);
  const auto e = text.find('e');
  if (e == std::string::npos) return text;
  const std::string sign = text[e + 1] == '-' ? "-" : "";
  return text.substr(0, e + 1) + sign + text.substr(text.find_first_not_of("+-0", e + 1));
}

std::string figure(double value) {
  if (std::isnan(value)) return "-";
  const bool long_whole = std::abs(value) >= 1000 && std::abs(value) < 1e9;
  return long_whole ? with_commas(std::llround(value)) : number_text(value, 4);
}

std::string percent_text(double part) {
  if (part != 0 && std::abs(part) < 0.0005) return "less than 0.1 %";
  return fmt::format("{:.{}f} %", 100 * part, std::abs(part) < 0.1 ? 1 : 0);
}

std::string duration_text(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string bytes_text(std::int64_t bytes) {
  const auto size = static_cast<double>(bytes);
  if (size < 1e3) return fmt::format("{} B", bytes);
  if (size < 1e6) return fmt::format("{:.1f} kB", size / 1e3);
  if (size < 1e9) return fmt::format("{:.1f} MB", size / 1e6);
  return fmt::format("{:.1f} GB", size / 1e9);
}

}  // namespace thalweg
