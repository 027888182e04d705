#pragma once
// Whole numbers of JSON from files that may be damaged or made to attack.

#include <cstdint>
#include <limits>

namespace thalweg {

/// The number, where it is a whole one from `low` to `high`; else throws the exception of JSON for a wrong type, as a
/// missing key does. (The conversion of the JSON library has no defined result for 1e111, and cuts off fractions.)
template <class Json>
[[nodiscard]] std::int64_t whole_number(const Json& value, std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                                        std::int64_t high = std::numeric_limits<std::int64_t>::max()) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const bool fits =
      value.is_number_unsigned() ? value.template get<std::uint64_t>() <= most : value.is_number_integer();
  const std::int64_t number = fits ? value.template get<std::int64_t>() : 0;
  if (!fits || number < low || number > high)
    throw Json::type_error::create(302, "a number is not whole, or out of range", &value);
  return number;
}

}  // namespace thalweg
