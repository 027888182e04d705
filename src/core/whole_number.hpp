#pragma once
// Whole numbers of JSON from files that may be damaged or made to attack. The JSON library's own conversion cuts off
// fractions, and has no defined result for 1e111.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>

namespace thalweg {

inline constexpr std::int64_t most_whole = std::numeric_limits<std::int64_t>::max();

/// The number, where the value is a whole one from `low` to `high`.
template <class Json>
[[nodiscard]] std::optional<std::int64_t> as_whole(const Json& value, std::int64_t low, std::int64_t high) {
  const bool fits = value.is_number_unsigned()
                        ? value.template get<std::uint64_t>() <= static_cast<std::uint64_t>(most_whole)
                        : value.is_number_integer();
  if (!fits) return std::nullopt;
  const auto number = value.template get<std::int64_t>();
  return low <= number && number <= high ? std::optional(number) : std::nullopt;
}

/// The same, of a key of an object, or of an element of an array. For anything else throws what the JSON library throws
/// for a value of a wrong type.
template <class Json, class Key>
[[nodiscard]] std::int64_t whole_number(const Json& json, Key key, std::int64_t low = -most_whole,
                                        std::int64_t high = most_whole) {
  constexpr std::size_t longest = 40;  // of what came, in the message
  const Json& value = json.at(key);
  if (const auto number = as_whole(value, low, high)) return *number;
  const std::string came = value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, longest);
  const std::string wanted = "a whole number from " + std::to_string(low) + " to " + std::to_string(high);
  throw Json::type_error::create(302, Json(key).dump() + " is " + came + ". Wanted: " + wanted, &value);
}

}  // namespace thalweg
