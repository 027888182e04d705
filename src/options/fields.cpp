// The fields of an options struct: read from a configuration, checked, and described.

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/escape.hpp"
#include "options/duration.hpp"
#include "options/error.hpp"
#include "options/nearest_name.hpp"
#include "options/overloaded.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

std::string Range::str() const {
  const bool has_low = std::isfinite(low), has_high = std::isfinite(high);
  if (has_low && has_high) return fmt::format("in {}{}, {}{}", low_open ? '(' : '[', low, high, high_open ? ')' : ']');
  if (has_low) return fmt::format("{} {}", low_open ? ">" : ">=", low);
  if (has_high) return fmt::format("{} {}", high_open ? "<" : "<=", high);
  return "a number";
}

namespace {

[[noreturn]] void wrong_type(std::string_view where, std::string_view name, const OptionValue& value,
                             std::string_view wanted) {
  fail_option(name, "[{}] {} = {}. Wanted: {}", where, name, shown(value.str()), wanted);
}

std::optional<double> number_of(const OptionValue& value) {
  if (const auto* d = value.get_if<double>()) return *d;
  if (const auto* i = value.get_if<std::int64_t>()) return static_cast<double>(*i);
  return std::nullopt;
}

std::optional<std::int64_t> integer_of(const OptionValue& value) {
  if (const auto* i = value.get_if<std::int64_t>()) return *i;
  if (const auto* d = value.get_if<double>(); d && *d == std::floor(*d) && std::abs(*d) < 0x1p53) {
    return static_cast<std::int64_t>(*d);
  }
  return std::nullopt;
}

/// Writes one configured value to a field; one overload per type.
struct Setter {
  std::string_view where, name;
  const OptionValue& value;

  void operator()(bool* place) const {
    const auto* b = value.get_if<bool>();
    if (!b) wrong_type(where, name, value, "true or false");
    *place = *b;
  }
  void operator()(std::int64_t* place) const {
    const auto i = integer_of(value);
    if (!i) wrong_type(where, name, value, "a whole number");
    *place = *i;
  }
  void operator()(int* place) const {
    std::int64_t wide = 0;
    (*this)(&wide);
    if (wide < std::numeric_limits<int>::min() || wide > std::numeric_limits<int>::max()) {
      wrong_type(where, name, value, "a whole number of 32 bits");
    }
    *place = static_cast<int>(wide);
  }
  void operator()(double* place) const {
    const auto d = number_of(value);
    if (!d) wrong_type(where, name, value, "a number");
    *place = *d;
  }
  void operator()(std::string* place) const {
    const auto* s = value.get_if<std::string>();
    if (!s) wrong_type(where, name, value, "a text in quotes");
    *place = *s;
  }
  void operator()(Duration* place) const {
    const auto* text = value.get_if<std::string>();
    const auto steps = integer_of(value);
    const auto duration = text                   ? parse_duration(*text)
                          : steps && *steps >= 0 ? std::optional(Duration(*steps))
                                                 : std::nullopt;
    if (!duration) wrong_type(where, name, value, "100, \"100 steps\", \"3 epochs\" or \"5%\"");
    *place = *duration;
  }
  template <class T>
  void operator()(std::vector<T>* place) const {
    std::vector<T> items;
    if (const auto* list = value.get_if<OptionList>()) {
      for (const OptionValue& item : *list) Setter{where, name, item}(&items.emplace_back());
    } else {
      Setter{where, name, value}(&items.emplace_back());  // one value is a list of one
    }
    *place = std::move(items);
  }
  void operator()(OptionValue* place) const { *place = value; }
  void operator()(FormedValue formed) const {
    const bool fits = in_option(name, [&] { return formed.form->read(formed.at, value); });
    if (!fits) wrong_type(where, name, value, formed.form->wanted);
  }
  void operator()(OptionMap* place) const {
    const auto* map = value.get_if<OptionMap>();
    if (!map) wrong_type(where, name, value, "a table { key = value }");
    *place = *map;
  }
};

void check_number(const Field& field, double x, std::string_view where) {
  if (!field.range.contains(x)) {  // false for nan, too
    fail_option(field.name, "[{}] {} = {}. Wanted: {}", where, field.name, x, field.range.str());
  }
}

void check_field(const Field& field, std::string_view where) {
  field.place.visit(Overloaded{
      [&](double* d) { check_number(field, *d, where); }, [&](int* i) { check_number(field, *i, where); },
      [&](std::int64_t* i) { check_number(field, static_cast<double>(*i), where); },
      [&](Duration* d) { check_number(field, d->amount, where); },
      [&](std::vector<double>* list) {
        for (double d : *list) check_number(field, d, where);
      },
      [&](std::vector<std::int64_t>* list) {
        for (std::int64_t i : *list) check_number(field, static_cast<double>(i), where);
      },
      [&](std::vector<Duration>* list) {
        for (const Duration& d : *list) check_number(field, d.amount, where);
      },
      [&](std::string* s) {
        if (!field.choices.empty() && std::ranges::find(field.choices, *s) == field.choices.end()) {
          fail_option(field.name, "[{}] {} = \"{}\". Wanted: one of {}", where, field.name, shown(*s),
                      fmt::join(field.choices, ", "));
        }
      },
      [](auto*) {}, [](FormedValue) {},  // its form is checked by the code that reads it
  });
}

}  // namespace

void read_fields(const Fields& fields, const OptionMap& values, std::string_view where) {
  for (const auto& [key, value] : values) {
    const auto field = std::ranges::find(fields, key, &Field::name);
    if (field == fields.end()) {
      std::vector<std::string> names;
      for (const Field& f : fields) names.emplace_back(f.name);
      fail_option(key, "[{}] unknown key '{}'. Hint: {}", where, shown(key), name_hint(key, names));
    }
    field->place.visit(Setter{where, field->name, value});
    check_field(*field, where);  // before the check for fields that were not given and have no default
  }
  check_fields(fields, where);
}

void check_fields(const Fields& fields, std::string_view where) {
  for (const Field& field : fields) check_field(field, where);
}

namespace {
OptionValue value_of(int i) { return {static_cast<std::int64_t>(i)}; }
OptionValue value_of(const OptionValue& any) { return any; }
OptionValue value_of(const Duration& d) {
  const bool whole_steps = d.unit == Duration::Unit::steps && d.amount == std::floor(d.amount);
  return whole_steps ? OptionValue{std::int64_t{std::llround(d.amount)}} : OptionValue{d.str()};
}
template <class T>
OptionValue value_of(const T& value) {
  return {value};
}
template <class T>
OptionValue value_of(const std::vector<T>& list) {
  OptionList items;
  for (const T& item : list) items.push_back(value_of(item));
  return {std::move(items)};
}

OptionValue present_value(const Field& field) {
  return field.place.visit(Overloaded{[](const auto* value) { return value_of(*value); },
                                      [](FormedValue formed) { return formed.form->write(formed.at); }});
}

/// The values that a field accepts, as shown in documentation; empty if it accepts any value of its type.
std::string wanted_of(const Field& field) {
  const bool bounded = std::isfinite(field.range.low) || std::isfinite(field.range.high);
  if (bounded) return field.range.str();
  if (!field.choices.empty()) return fmt::format("{}", fmt::join(field.choices, " or "));
  return field.place.visit(Overloaded{[](const auto*) { return std::string(); },
                                      [](FormedValue formed) { return std::string(formed.form->wanted); }});
}
}  // namespace

OptionMap field_values(const Fields& fields) {
  OptionMap values;
  for (const Field& field : fields) values[std::string(field.name)] = present_value(field);
  return values;
}

std::vector<OptionDoc> describe_fields(const Fields& fields) {
  std::vector<OptionDoc> docs;
  for (const Field& field : fields) {
    docs.push_back({.name = std::string(field.name),
                    .doc = std::string(field.doc),
                    .initial = present_value(field),
                    .wanted = wanted_of(field)});
  }
  return docs;
}

}  // namespace thalweg
