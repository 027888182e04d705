#include "data/number_form.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "data/cell.hpp"

namespace thalweg::data {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The length of the group separator at the start of the text, in bytes; 0 if there is none.
std::size_t group_here(std::string_view text, char group) {
  if (group != ' ') return !text.empty() && text[0] == group ? 1 : 0;
  for (const std::string_view blank : {" ", "\xc2\xa0", "\xe2\x80\xaf", "'", "\xe2\x80\x99"}) {
    if (text.starts_with(blank)) return blank.size();
  }
  return 0;
}

/// The whole part of a number without its separators; nothing if a group does not have three digits, or if the first
/// begins with 0, as in 0,066, whose comma is a decimal comma.
std::optional<std::string> whole_part(std::string_view& text, char group) {
  std::string digits;
  std::size_t in_group = 0;
  bool grouped = false;
  while (!text.empty()) {
    if (is_digit(text[0])) {
      digits += text[0];
      ++in_group;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t skip = group == '\0' || digits.empty() ? 0 : group_here(text, group);
    if (skip == 0) break;
    if (grouped ? in_group != 3 : in_group > 3 || digits.front() == '0') return std::nullopt;
    grouped = true;
    in_group = 0;
    text.remove_prefix(skip);
  }
  if (grouped && in_group != 3) return std::nullopt;
  return digits;
}

std::string_view without_percent(std::string_view text) {
  return text.ends_with('%') ? trim(text.substr(0, text.size() - 1)) : std::string_view{};
}

}  // namespace

std::optional<double> number_in(std::string_view cell, const NumberForm& form) {
  std::string_view text = trim(cell);
  if (form.percent) text = without_percent(text);
  if (form.decimal == '.' && form.group == '\0') return number_in(text);
  std::string plain;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    if (text[0] == '-') plain = "-";
    text.remove_prefix(1);
  }
  if (text.empty() || !(is_digit(text[0]) || text[0] == form.decimal)) return std::nullopt;
  const auto whole = whole_part(text, form.group);
  if (!whole) return std::nullopt;
  plain += *whole;
  if (!text.empty() && text[0] == form.decimal) {
    plain += '.';
    text.remove_prefix(1);
    if (!text.empty() && !is_digit(text[0])) return std::nullopt;
  } else if (!text.empty() && text[0] != 'e' && text[0] != 'E') {
    return std::nullopt;
  }
  return number_in(plain += text);
}

std::span<const NumberForm> number_forms(char separator) {
  constexpr NumberForm comma{',', '\0', false}, thousands_comma{'.', ',', false}, thousands_dot{',', '.', false},
      spaces{'.', ' ', false}, spaces_comma{',', ' ', false};
  static const auto with_percent = [](std::vector<NumberForm> forms) {
    const std::size_t plain = forms.size();
    for (std::size_t i = 0; i < plain; ++i) forms.push_back({forms[i].decimal, forms[i].group, true});
    forms.insert(forms.begin(), NumberForm{'.', '\0', true});
    return forms;
  };
  static const std::vector<NumberForm> commas =
      with_percent({thousands_comma, spaces, comma, thousands_dot, spaces_comma});
  static const std::vector<NumberForm> others =
      with_percent({comma, thousands_dot, spaces_comma, thousands_comma, spaces});
  return separator == ',' ? commas : others;
}

std::string described(const NumberForm& form) {
  std::string text;
  if (form.group == '\0' && form.decimal == ',') text = "decimal commas, 1234,5 is 1234.5";
  if (form.group != '\0') text = fmt::format("thousands, 1{}234{}5 is 1234.5", form.group, form.decimal);
  if (form.group == ' ') text = fmt::format("thousands, 1 234{0}5 or 1'234{0}5 is 1234.5", form.decimal);
  if (form.percent) text = text.empty() ? "percent, 12.5% is 12.5" : text + "; percent";
  return text;
}

std::string why_no_number(std::string_view cell, const NumberForm& form) {
  const auto reads = [&](const NumberForm& other) { return number_in(cell, other).has_value(); };
  const auto forms = number_forms(',');
  const auto other = std::ranges::find_if(forms, reads);
  if (other == forms.end() && !reads({}))
    return std::string(why_no_number(cell)) + (form.plain() ? "" : fmt::format(" ({})", described(form)));
  if (form.plain()) return fmt::format("a number in another form ({})", described(*other));
  return fmt::format("a number in another form than the column's ({})", described(form));
}

std::optional<NumberForm> form_named(std::string_view name) {
  if (name == "decimal_comma") return NumberForm{',', '\0', false};
  if (name == "thousands_comma") return NumberForm{'.', ',', false};
  if (name == "thousands_dot") return NumberForm{',', '.', false};
  if (name == "thousands_space") return NumberForm{'.', ' ', false};
  return std::nullopt;
}

std::optional<std::string> canonical_number(std::string_view text) {
  text = trim(text);
  if (!parse_number(text) || text.find_first_of("0123456789") == std::string_view::npos) return std::nullopt;  // inf
  const bool negative = text[0] == '-';
  if (negative || text[0] == '+') text.remove_prefix(1);
  const std::size_t e = text.find_first_of("eE");
  std::int64_t exponent = 0;
  if (e != std::string_view::npos) {
    const auto given = parse_integer(text.substr(e + 1));
    if (!given) return std::nullopt;  // too many digits
    exponent = *given;
  }
  std::string digits;
  for (const char c : text.substr(0, e)) {
    if (is_digit(c)) digits += c;
  }
  const std::size_t point = text.substr(0, e).find('.');
  if (point != std::string_view::npos)
    exponent -= static_cast<std::int64_t>(text.substr(point + 1, e - point - 1).size());
  digits.erase(0, digits.find_first_not_of('0'));
  if (digits.empty()) return "0";
  const std::size_t last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - 1 - last);
  digits.resize(last + 1);
  return fmt::format("{}{}e{}", negative ? "-" : "", digits, exponent);
}

}  // namespace thalweg::data
