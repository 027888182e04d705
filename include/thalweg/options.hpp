#pragma once
// Options: plain structs whose fields are the keys of the configuration, letter for letter. One function per struct,
// `fields`, describes the fields; reading, validation, help and documentation all follow from it.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace thalweg {

/// A length of training: `100` or "100 steps", "3 epochs", "5%" of the run.
struct Duration {
  enum class Unit { steps, epochs, percent };
  double amount = 0;
  Unit unit = Unit::steps;

  Duration() = default;
  Duration(int steps) : amount(steps) {}
  Duration(std::int64_t steps) : amount(static_cast<double>(steps)) {}
  Duration(double amount_, Unit unit_) : amount(amount_), unit(unit_) {}
  /// Parses the forms above; throws UsageError for any other.
  Duration(const char* text);
  Duration(const std::string& text) : Duration(text.c_str()) {}

  /// The number of steps, rounded to the nearest integer; `total` is the number of steps of the run.
  [[nodiscard]] std::int64_t steps(std::int64_t total, std::int64_t steps_per_epoch) const;
  [[nodiscard]] std::string str() const;
  friend bool operator==(const Duration&, const Duration&) = default;
};

/// A value as given in a configuration.
class OptionValue;
using OptionList = std::vector<OptionValue>;
using OptionMap = std::map<std::string, OptionValue>;
/// A bool, std::int64_t, double, std::string, OptionList or OptionMap. The variant that holds it is not in this header,
/// because it would add a tenth of a second to the compilation of every program.
class OptionValue {
 public:
  OptionValue();  ///< false
  template <class Bool>
  requires std::is_same_v<Bool, bool>  // a type that only converts to bool, as a pointer does, is not an option
  OptionValue(Bool value) : OptionValue(Truth{value}) {}
  template <class Whole>
  requires(std::is_integral_v<Whole> && !std::is_same_v<Whole, bool>) OptionValue(Whole value)
      : OptionValue(WholeNumber{static_cast<std::int64_t>(value)}) {}
  OptionValue(double value);
  OptionValue(const char* value);
  OptionValue(std::string value);
  OptionValue(OptionList value);
  OptionValue(OptionMap value);
  OptionValue(const OptionValue& other);
  OptionValue(OptionValue&& other) noexcept;
  OptionValue& operator=(const OptionValue& other);
  OptionValue& operator=(OptionValue&& other) noexcept;
  ~OptionValue();

  /// The value, or nullptr if it has another type.
  template <class T>
  [[nodiscard]] const T* get_if() const;
  template <class T>
  [[nodiscard]] T* get_if() {
    return const_cast<T*>(std::as_const(*this).get_if<T>());
  }
  template <class T>
  [[nodiscard]] bool holds() const {
    return get_if<T>() != nullptr;
  }
  /// The value in TOML.
  [[nodiscard]] std::string str() const;

 private:
  struct Truth {
    bool value;
  };
  struct WholeNumber {
    std::int64_t value;
  };
  explicit OptionValue(Truth value);
  explicit OptionValue(WholeNumber value);

  struct Held;
  std::unique_ptr<Held> held_;
};

/// The values that a number may take.
struct Range {
  double low = -std::numeric_limits<double>::infinity(), high = std::numeric_limits<double>::infinity();
  bool low_open = false, high_open = false;
  [[nodiscard]] bool contains(double x) const {
    return (low_open ? x > low : x >= low) && (high_open ? x < high : x <= high);
  }
  [[nodiscard]] std::string str() const;  ///< `> 0`, `in [0, 1)`
};
inline constexpr Range any_number{};
inline constexpr Range positive{.low = 0, .low_open = true};
inline constexpr Range not_negative{.low = 0};
inline constexpr Range unit_interval{.low = 0, .high = 1};
inline constexpr Range below_one{.low = 0, .high = 1, .high_open = true};

/// The form of a T in a configuration, for fields of types other than those of Field::Place. Specialised beside T, it
/// has `wanted`, a text for messages and documentation; `write(const T&)`, which gives an OptionValue; and `read(const
/// OptionValue&)`, which gives a std::optional<T> that is empty where the value is not of that form.
template <class T>
struct OptionForm;

/// The functions of an OptionForm, for a T whose type has been erased.
struct AnyForm {
  std::string_view wanted;
  OptionValue (*write)(const void* at);
  bool (*read)(void* at, const OptionValue& value);  ///< false where the value is not of that form
};
template <class T>
inline constexpr AnyForm any_form = {
    OptionForm<T>::wanted,
    [](const void* at) -> OptionValue { return OptionForm<T>::write(*static_cast<const T*>(at)); },
    [](void* at, const OptionValue& value) {
      auto read = OptionForm<T>::read(value);
      if (read) *static_cast<T*>(at) = *std::move(read);
      return read.has_value();
    }};
/// A value and the form in which a configuration writes it.
struct FormedValue {
  void* at;
  const AnyForm* form;
};

/// A pointer to one of several types, or to any type that has an OptionForm. A variant of pointers would do the same,
/// but takes longer to compile.
template <class... Ts>
class PointerToOne {
 public:
  template <class T>
  PointerToOne(T* at) : at_(at), type_(number_of<T>()) {
    if constexpr (number_of<T>() == sizeof...(Ts)) form_ = &any_form<T>;
  }
  /// Calls f with the pointer in its own type, or with a FormedValue.
  template <class F>
  auto visit(const F& f) const {
    using Result = std::common_type_t<std::invoke_result_t<const F&, Ts*>...>;
    static constexpr Result (*calls[])(const F&, const PointerToOne&) = {
        [](const F& call, const PointerToOne& p) -> Result { return call(static_cast<Ts*>(p.at_)); }...,
        [](const F& call, const PointerToOne& p) -> Result {
          return call(FormedValue{p.at_, p.form_});
        }};
    return calls[type_](f, *this);
  }

 private:
  template <class T>
  static constexpr std::size_t number_of() {
    std::size_t number = 0;
    (void)((std::is_same_v<T, Ts> || (++number, false)) || ...);
    return number;
  }
  void* at_;
  std::size_t type_;
  const AnyForm* form_ = nullptr;
};

/// One field of an options struct: its name, its address, its meaning, and its allowed values.
struct Field {
  using Place = PointerToOne<bool, int, std::int64_t, double, std::string, Duration, std::vector<double>,
                             std::vector<std::int64_t>, std::vector<std::string>, std::vector<Duration>, OptionMap,
                             std::vector<OptionMap>, OptionValue>;
  std::string_view name;
  Place place;  ///< an OptionValue is a field that takes more than one type
  std::string_view doc;
  Range range = any_number;                    ///< for numbers, amounts of durations, and the elements of lists of them
  std::vector<std::string_view> choices = {};  ///< for strings with a fixed set of values
};
using Fields = std::vector<Field>;

/// The documentation of one field.
struct OptionDoc {
  std::string name, doc;
  OptionValue initial;  ///< the default
  std::string wanted;   ///< `> 0`, `linear or cosine`; empty where any value of the type is allowed
};

/// Sets the fields from values. `where` names the place in messages ("optimizer"). Throws UsageError for an unknown key
/// (naming the nearest), a wrong type, or a value out of range.
void read_fields(const Fields& fields, const OptionMap& values, std::string_view where);
/// Checks ranges and choices; throws UsageError in the form "[adam] lr = -1. Wanted: > 0".
void check_fields(const Fields& fields, std::string_view where);
/// The present values of the fields.
[[nodiscard]] OptionMap field_values(const Fields& fields);
/// Documentation of the fields; their present values are taken as the defaults.
[[nodiscard]] std::vector<OptionDoc> describe_fields(const Fields& fields);
/// The name closest to `text` among `names` (edit distance), or an empty string when none is near.
[[nodiscard]] std::string nearest_name(std::string_view text, const std::vector<std::string>& names);

}  // namespace thalweg
