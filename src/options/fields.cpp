#include "thalweg/options.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <variant>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "options/text.hpp"

namespace thalweg {

Duration::Duration(const char* text) {
  const std::string_view all = trim(text);
  std::size_t split = all.find_first_not_of("0123456789.eE+-");
  // "3epochs" would read the e as an exponent, so the number ends at the first blank or percent sign
  if (const auto blank = all.find_first_of(" %"); blank != std::string_view::npos) split = blank;
  const std::string_view number = all.substr(0, split);
  const std::string_view word = split == std::string_view::npos ? "" : trim(all.substr(split));
  const auto parsed = parse_number(number);
  const bool known =
      word.empty() || word == "steps" || word == "step" || word == "epochs" || word == "epoch" || word == "%";
  if (!parsed || !known || *parsed < 0 || !std::isfinite(*parsed)) {
    fail<UsageError>("[duration] '{}' is not a length of training. Hint: 100, \"100 steps\", \"3 epochs\" or \"5%\".",
                     text);
  }
  amount = *parsed;
  unit = word == "%" ? Unit::percent : word.starts_with("epoch") ? Unit::epochs : Unit::steps;
}

std::int64_t Duration::steps(std::int64_t total, std::int64_t steps_per_epoch) const {
  switch (unit) {
    case Unit::steps: return std::llround(amount);
    case Unit::epochs: return std::llround(amount * static_cast<double>(steps_per_epoch));
    case Unit::percent: return std::llround(amount / 100 * static_cast<double>(total));
  }
  return 0;
}

std::string Duration::str() const {
  switch (unit) {
    case Unit::steps: return fmt::format("{} steps", amount);
    case Unit::epochs: return fmt::format("{} epochs", amount);
    case Unit::percent: return fmt::format("{}%", amount);
  }
  return {};
}

namespace {
template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

bool bare_key(const std::string& key) {
  return !key.empty() && std::ranges::all_of(key, [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
  });
}
}  // namespace

struct OptionValue::Held {
  std::variant<bool, std::int64_t, double, std::string, OptionList, OptionMap> value;
};

OptionValue::OptionValue() : OptionValue(false) {}
OptionValue::OptionValue(Truth value) : held_(new Held{value.value}) {}
OptionValue::OptionValue(WholeNumber value) : held_(new Held{value.value}) {}
OptionValue::OptionValue(double value) : held_(new Held{value}) {}
OptionValue::OptionValue(const char* value) : OptionValue(std::string(value)) {}
OptionValue::OptionValue(std::string value) : held_(new Held{std::move(value)}) {}
OptionValue::OptionValue(OptionList value) : held_(new Held{std::move(value)}) {}
OptionValue::OptionValue(OptionMap value) : held_(new Held{std::move(value)}) {}
OptionValue::OptionValue(const OptionValue& other) : held_(other.held_ ? new Held(*other.held_) : nullptr) {}
OptionValue::OptionValue(OptionValue&& other) noexcept = default;
OptionValue& OptionValue::operator=(const OptionValue& other) { return *this = OptionValue(other); }
OptionValue& OptionValue::operator=(OptionValue&& other) noexcept = default;
OptionValue::~OptionValue() = default;

template <class T>
const T* OptionValue::get_if() const {
  return held_ ? std::get_if<T>(&held_->value) : nullptr;
}
template const bool* OptionValue::get_if() const;
template const std::int64_t* OptionValue::get_if() const;
template const double* OptionValue::get_if() const;
template const std::string* OptionValue::get_if() const;
template const OptionList* OptionValue::get_if() const;
template const OptionMap* OptionValue::get_if() const;

std::string OptionValue::str() const {
  if (!held_) return "false";  // moved from
  return std::visit(Overloaded{
                        [](bool b) -> std::string { return b ? "true" : "false"; },
                        [](std::int64_t i) { return std::to_string(i); },
                        [](double d) {
                          std::string text = fmt::format("{}", d);
                          const bool plain = text.find_first_not_of("-0123456789") == std::string::npos;
                          return plain ? text + ".0" : text;
                        },
                        [](const std::string& s) { return toml_quoted(s); },
                        [](const OptionList& list) {
                          std::string text = "[";
                          for (const OptionValue& item : list) text += (text.size() > 1 ? ", " : "") + item.str();
                          return text + "]";
                        },
                        [](const OptionMap& map) {
                          std::string text = "{";
                          for (const auto& [key, item] : map) {
                            text += (text.size() > 1 ? ", " : " ") + (bare_key(key) ? key : toml_quoted(key)) + " = " +
                                    item.str();
                          }
                          return text + " }";
                        },
                    },
                    held_->value);
}

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
  fail<UsageError>("[{}] {} = {}. Wanted: {}", where, name, value.str(), wanted);
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

/// Writes one configured value to where a field is; one overload a type.
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
    if (const auto* s = value.get_if<std::string>()) {
      *place = Duration(*s);
    } else if (const auto i = integer_of(value); i && *i >= 0) {
      *place = Duration(*i);
    } else {
      wrong_type(where, name, value, "100, \"100 steps\", \"3 epochs\" or \"5%\"");
    }
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
  void operator()(OptionMap* place) const {
    const auto* map = value.get_if<OptionMap>();
    if (!map) wrong_type(where, name, value, "a table { key = value }");
    *place = *map;
  }
};

void check_number(const Field& field, double x, std::string_view where) {
  if (!field.range.contains(x)) {  // false for nan, too
    fail<UsageError>("[{}] {} = {}. Wanted: {}", where, field.name, x, field.range.str());
  }
}

}  // namespace

void read_fields(const Fields& fields, const OptionMap& values, std::string_view where) {
  for (const auto& [key, value] : values) {
    const auto field = std::ranges::find(fields, key, &Field::name);
    if (field == fields.end()) {
      std::vector<std::string> names;
      for (const Field& f : fields) names.emplace_back(f.name);
      const std::string near = nearest_name(key, names);
      fail<UsageError>("[{}] unknown key '{}'.{}", where, key,
                       near.empty() ? fmt::format(" Hint: known are {}.", fmt::join(names, ", "))
                                    : fmt::format(" Hint: did you mean '{}'?", near));
    }
    field->place.visit(Setter{where, field->name, value});
  }
  check_fields(fields, where);
}

void check_fields(const Fields& fields, std::string_view where) {
  for (const Field& field : fields) {
    field.place.visit(Overloaded{
        [&](double* d) { check_number(field, *d, where); },
        [&](int* i) { check_number(field, *i, where); },
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
            fail<UsageError>("[{}] {} = \"{}\". Wanted: one of {}", where, field.name, *s,
                             fmt::join(field.choices, ", "));
          }
        },
        [](auto*) {},
    });
  }
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
}  // namespace

OptionMap field_values(const Fields& fields) {
  OptionMap values;
  for (const Field& field : fields) {
    values[std::string(field.name)] = field.place.visit([](const auto* value) { return value_of(*value); });
  }
  return values;
}

std::vector<OptionDoc> describe_fields(const Fields& fields) {
  std::vector<OptionDoc> docs;
  for (const Field& field : fields) {
    const bool bounded = std::isfinite(field.range.low) || std::isfinite(field.range.high);
    docs.push_back({.name = std::string(field.name),
                    .doc = std::string(field.doc),
                    .initial = field.place.visit([](const auto* value) { return value_of(*value); }),
                    .wanted = bounded ? field.range.str() : fmt::format("{}", fmt::join(field.choices, " or "))});
  }
  return docs;
}

std::string nearest_name(std::string_view text, const std::vector<std::string>& names) {
  const auto distance = [&](std::string_view name) {  // Levenshtein
    std::vector<std::size_t> row(name.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= text.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= name.size(); ++j) {
        const std::size_t replace = diagonal + (text[i - 1] == name[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replace});
      }
    }
    return row.back();
  };
  if (text.size() > 100) return {};  // no name is near, and to measure that takes long
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, text.size() / 3) + 1;
  for (const std::string& name : names) {
    if (const std::size_t d = distance(name); d < best_distance) {
      best = name;
      best_distance = d;
    }
  }
  return best;
}

}  // namespace thalweg
