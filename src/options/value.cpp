// Values of a configuration, and their form in TOML.

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "core/escape.hpp"

#include "options/overloaded.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

namespace {
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

}  // namespace thalweg
