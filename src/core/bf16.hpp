#pragma once
// bf16: the upper half of an f32, with the same range and 8 of the 24 significant bits. It is a storage type only:
// nothing is computed in it.

#include <bit>
#include <concepts>
#include <cstdint>

namespace thalweg {

/// How the elements of a value are stored in memory.
enum class Stored : std::uint8_t {
  plain,    ///< in the type in which they are computed
  bf16,     ///< in bf16
  rounded,  ///< as f32, which a kernel rounds to the nearest bf16 as it reads
};

struct Bf16 {
  std::uint16_t bits = 0;

  template <std::floating_point T>
  explicit constexpr operator T() const {
    return static_cast<T>(std::bit_cast<float>(std::uint32_t{bits} << 16));
  }
};

/// Rounds to the nearest bf16; a tie goes to the one whose last bit is 0. Values beyond the largest become infinite,
/// and NaN stays NaN.
constexpr Bf16 to_bf16(float x) {
  constexpr std::uint32_t infinity = 0x7f800000, magnitude = 0x7fffffff, quiet = 0x40, payload = 0x7f;
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t upper = bits >> 16, nearest = (bits + 0x7fff + (upper & 1)) >> 16;
  // a NaN whose upper half equals that of infinity gets its quiet bit; otherwise it would be read as infinity
  const std::uint32_t nan = upper | ((upper & payload) == 0 ? quiet : 0);
  return {static_cast<std::uint16_t>((bits & magnitude) > infinity ? nan : nearest)};
}

// These convert n elements.
void widen(float* to, const Bf16* from, std::int64_t n);
void narrow(Bf16* to, const float* from, std::int64_t n);
/// Rounds each element to the nearest bf16. The two may be the same array.
void round_to_bf16(float* to, const float* from, std::int64_t n);

}  // namespace thalweg
