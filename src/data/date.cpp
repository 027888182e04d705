#include "data/date.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "options/text.hpp"

namespace thalweg::data {

namespace {

constexpr std::array<std::string_view, 12> months = {"january",   "february", "march",    "april",
                                                     "may",       "june",     "july",     "august",
                                                     "september", "october",  "november", "december"};
constexpr std::array<std::string_view, 7> weekdays = {"monday", "tuesday",  "wednesday", "thursday",
                                                      "friday", "saturday", "sunday"};
constexpr std::array orders = {DateOrder::year_month_day, DateOrder::day_month_year, DateOrder::month_day_year};
constexpr int first_year = 1900, last_year = 2100;  // of numbers that a person would take for a year

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes a whole number of at most `digits` digits from the front.
std::optional<int> take_number(std::string_view& text, std::size_t digits) {
  int value = 0;
  const std::string_view part = text.substr(0, digits);
  if (part.empty() || !is_digit(part[0])) return std::nullopt;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - part.data()));
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text[0] != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes the letters at the front, and returns the first of them in lower case, as many as the longest name has.
std::string take_word(std::string_view& text) {
  constexpr std::size_t longest = 10;
  std::string word;
  while (!text.empty() && ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z'))) {
    if (word.size() < longest) word += static_cast<char>(text[0] | 0x20);
    text.remove_prefix(1);
  }
  return word;
}

/// The place of the name that begins with this word, counted from 1; nothing for a word of fewer than three letters.
std::optional<int> place_among(std::span<const std::string_view> names, std::string_view word) {
  if (word.size() < 3) return std::nullopt;
  const auto found = std::ranges::find_if(names, [&](std::string_view name) { return name.starts_with(word); });
  return found == names.end() ? std::nullopt : std::optional(static_cast<int>(found - names.begin()) + 1);
}

/// Takes what stands between two parts of a date.
std::string_view take_separator(std::string_view& text) {
  const std::string_view taken = text.substr(0, std::min(text.find_first_not_of("-/., "), text.size()));
  text.remove_prefix(taken.size());
  return taken;
}

/// A day, a month or a year.
struct Part {
  int value = 0;
  std::size_t digits = 0;  // 0 for a month's name
};

/// Takes a number, also an ordinal (1st, 22nd), or the name of a month.
std::optional<Part> take_part(std::string_view& text) {
  const std::size_t before = text.size();
  if (const auto number = take_number(text, 4)) {
    const Part part{*number, before - text.size()};
    std::string_view rest = text;
    const std::string ending = take_word(rest);
    if (ending == "st" || ending == "nd" || ending == "rd" || ending == "th") text = rest;
    return part;
  }
  const auto month = place_among(months, take_word(text));
  return month ? std::optional(Part{*month, 0}) : std::nullopt;
}

struct Ymd {
  int year = 0, month = 0, day = 0;
  bool short_year = false;
};

/// The parts as a date, if their numbers of digits allow it. A name of a month after a year of two digits would be a
/// day with its month.
std::optional<Ymd> in_order(const std::array<Part, 3>& parts, DateOrder order) {
  const bool year_first = order == DateOrder::year_month_day, month_first = order == DateOrder::month_day_year;
  const Part &year = parts[year_first ? 0 : 2], &month = parts[month_first ? 0 : 1],
             &day = parts[year_first ? 2 : (month_first ? 1 : 0)];
  const bool short_year = year.digits == 2;
  if ((!short_year && year.digits != 4) || month.digits > 2 || day.digits == 0 || day.digits > 2) return std::nullopt;
  if (short_year && year_first && month.digits == 0) return std::nullopt;
  const int century = !short_year ? 0 : year.value < 69 ? 2000 : 1900;
  return Ymd{century + year.value, month.value, day.value, short_year};
}

/// Takes 20200131.
std::optional<Ymd> take_digits(std::string_view& text) {
  constexpr std::size_t digits = 8;
  if (text.size() < digits || std::min(text.find_first_not_of("0123456789"), text.size()) != digits)
    return std::nullopt;
  const auto year = take_number(text, 4), month = take_number(text, 2), day = take_number(text, 2);
  return Ymd{*year, *month, *day};
}

void skip_weekday(std::string_view& text) {
  std::string_view rest = text;
  if (!place_among(weekdays, take_word(rest))) return;
  static_cast<void>(take_separator(rest));
  text = rest;
}

/// Numbers are separated by the same '-', '/' or '.'; beside the name of a month there may also be a blank, a comma or
/// a point with a blank, or nothing (31JAN2020).
std::optional<Ymd> take_date(std::string_view& text, DateOrder order) {
  if (order == DateOrder::year_month_day) {
    if (const auto date = take_digits(text)) return date;
  }
  skip_weekday(text);
  const auto first = take_part(text);
  const std::string_view before = take_separator(text);
  const auto second = take_part(text);
  const std::string_view after = take_separator(text);
  const auto third = take_part(text);
  if (!first || !second || !third) return std::nullopt;
  const bool named = first->digits == 0 || second->digits == 0;
  const bool same = before == after && (before == "-" || before == "/" || before == ".");
  if (named ? before.size() > 2 || after.size() > 2 : !same) return std::nullopt;
  return in_order({*first, *second, *third}, order);
}

/// The hours from 0 to 24; those before an AM or PM, which it takes, are from 1 to 12.
std::optional<int> hours_of_day(int hours, std::string_view& text) {
  std::string_view rest = trim(text);
  const std::string half = take_word(rest);
  if (half != "am" && half != "pm") return hours <= 24 ? std::optional(hours) : std::nullopt;
  if (hours < 1 || hours > 12) return std::nullopt;
  text = rest;
  return hours % 12 + (half == "pm" ? 12 : 0);
}

/// Hours, minutes and optional seconds as a fraction of a day.
std::optional<double> take_time(std::string_view& text) {
  const auto clock = take_number(text, 2);
  if (!clock || !take(text, ':')) return std::nullopt;
  const auto minutes = take_number(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  double seconds = 0;
  if (take(text, ':')) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto given = parse_number(text.substr(0, end));
    if (!given || !(*given < 61)) return std::nullopt;
    seconds = *given;
    text.remove_prefix(end);
  }
  const auto hours = hours_of_day(*clock, text);
  if (!hours) return std::nullopt;
  return (*hours * 3600 + *minutes * 60 + seconds) / 86400;
}

/// The offset of the time zone as a fraction of a day.
std::optional<double> take_zone(std::string_view& text) {
  for (const std::string_view name : {"UTC", "GMT", "Z"}) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return 0;
  }
  if (text.empty()) return 0;
  const double sign = text[0] == '-' ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_number(text, 2);
  static_cast<void>(take(text, ':'));
  const auto minutes = text.empty() ? std::optional(0) : take_number(text, 2);
  if (!hours || !minutes || *hours > 14 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes) / 1440;
}

/// A time of day with its zone, which is all of the text.
std::optional<double> time_in(std::string_view text) {
  const auto time = take_time(text);
  if (!time) return std::nullopt;
  text = trim(text);
  const auto zone = take_zone(text);
  return zone && text.empty() ? std::optional(*time - *zone) : std::nullopt;
}

}  // namespace

std::optional<double> days_in(std::string_view cell, DateOrder order) {
  namespace chrono = std::chrono;
  std::string_view text = trim(cell);
  const auto date = take_date(text, order);
  if (!date) return std::nullopt;
  const chrono::year_month_day day{chrono::year(date->year), chrono::month(static_cast<unsigned>(date->month)),
                                   chrono::day(static_cast<unsigned>(date->day))};
  if (!day.ok()) return std::nullopt;
  const auto days = static_cast<double>(chrono::sys_days(day).time_since_epoch().count());
  if (text.empty()) return days;
  static_cast<void>(take(text, ','));
  if (!take(text, 'T') && !take(text, ' ') && !take(text, ':')) return std::nullopt;  // : in logs of web servers
  const auto time = time_in(text);
  return time ? std::optional(days + *time) : std::nullopt;
}

bool has_short_year(std::string_view cell, DateOrder order) {
  cell = trim(cell);
  const auto date = take_date(cell, order);
  return date && date->short_year;
}

namespace {

/// A number or a word in a text.
struct Token {
  std::string_view text;
  bool is_number = false;
  [[nodiscard]] bool is_between(int low, int high) const {
    std::string_view rest = text;
    const auto number = is_number && text.size() <= 4 ? take_number(rest, 4) : std::nullopt;
    return number && *number >= low && *number <= high;
  }
  [[nodiscard]] bool is_year() const { return text.size() == 4 && is_between(first_year, last_year); }
  [[nodiscard]] bool is_month() const {
    std::string_view rest = text;
    return place_among(months, take_word(rest)) && rest.empty();
  }
};

std::vector<Token> tokens_of(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; };
  std::vector<Token> tokens;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t begin = i;
    while (i < text.size() && is_digit(text[i])) ++i;
    const bool is_number = i > begin;
    while (!is_number && i < text.size() && is_letter(text[i])) ++i;
    if (i > begin) tokens.push_back({text.substr(begin, i - begin), is_number});
    if (i == begin) ++i;  // neither
  }
  return tokens;
}

/// 2020/31/01, also with something after it.
bool has_three_numbers(std::string_view text, const std::vector<Token>& tokens) {
  if (tokens.size() < 3 || !is_digit(text.front())) return false;
  const char *first = tokens[0].text.data() + tokens[0].text.size(),
             *second = tokens[1].text.data() + tokens[1].text.size();
  if (*first != *second || std::string_view("-/.").find(*first) == std::string_view::npos) return false;
  const auto years = std::count_if(tokens.begin(), tokens.begin() + 3, [](const Token& t) { return t.is_year(); });
  return years == 1 && std::all_of(tokens.begin(), tokens.begin() + 3,
                                   [](const Token& t) { return t.is_year() || t.is_between(1, 31); });
}

}  // namespace

bool looks_like_date(std::string_view cell) {
  constexpr std::size_t longest = 40;
  const std::string_view text = trim(cell);
  if (text.empty() || text.size() > longest) return false;
  if (std::ranges::any_of(orders, [&](DateOrder order) { return days_in(text, order).has_value(); })) return true;
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos && time_in(text))
    return text.size() > colon + 2 && is_digit(text[colon + 2]);  // 12:30, but not a score of 3:1
  const std::vector<Token> tokens = tokens_of(text);
  const auto numbers = std::ranges::count_if(tokens, &Token::is_number);
  const auto words = std::ssize(tokens) - numbers;
  if (numbers > 0 && words <= 3 && std::ranges::any_of(tokens, &Token::is_month)) return true;
  if (has_three_numbers(text, tokens)) return true;
  if (numbers == 2 && words == 0 && text.find_first_of("-/") != std::string_view::npos)  // 2020-01
    return (tokens[0].is_year() && tokens[1].is_between(1, 12)) || (tokens[0].is_between(1, 12) && tokens[1].is_year());
  // in another language: 31. Januar 2020
  return numbers == 2 && words >= 1 && words <= 3 && tokens.front().is_between(1, 31) && tokens.back().is_year();
}

CalendarParts calendar_parts(double days) {
  namespace chrono = std::chrono;
  constexpr double far = 1e7;  // the limit of the standard library's calendar
  if (!(std::abs(days) < far)) return {};
  const double whole = std::floor(days), time = days - whole;
  const chrono::sys_days date{chrono::days(static_cast<std::int64_t>(whole))};
  const chrono::year_month_day parts(date);
  const auto of_year = (date - chrono::sys_days(parts.year() / chrono::January / 1)).count();
  const double year_length = parts.year().is_leap() ? 366 : 365;
  const auto of_week = static_cast<double>(chrono::weekday(date).iso_encoding() - 1);
  return {(static_cast<double>(of_year) + time) / year_length, (of_week + time) / 7, time};
}

}  // namespace thalweg::data
