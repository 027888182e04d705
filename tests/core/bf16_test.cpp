// Conversion to bf16 against its definition: rounding to the nearest bf16 number, and to the even one of two equally
// near.

#include "core/bf16.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace thalweg {
namespace {

float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }
float value(std::uint32_t upper) { return static_cast<float>(Bf16{static_cast<std::uint16_t>(upper)}); }

/// Numbers with all exponents, halfway between two bf16 numbers and next to it, infinities and NaN.
std::vector<float> numbers() {
  std::vector<float> all;
  for (std::uint32_t upper = 0; upper < 0x10000; upper += 7) {
    for (const std::uint32_t lower : {0U, 1U, 0x7fffU, 0x8000U, 0x8001U, 0xffffU})
      all.push_back(of_bits(upper << 16 | lower));
  }
  std::mt19937 random(3);
  for (int i = 0; i < 100'000; ++i) all.push_back(of_bits(static_cast<std::uint32_t>(random())));
  return all;
}

TEST(Bf16, EveryBf16NumberConvertsToF32AndBackUnchanged) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    EXPECT_EQ(to_bf16(value(bits)).bits, bits);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(value(bits)), bits << 16);
  }
}

TEST(Bf16, RoundsToTheNearestTiesToEven) {
  for (const float x : numbers()) {
    const std::uint16_t got = to_bf16(x).bits;
    if (std::isnan(x)) {
      EXPECT_TRUE(std::isnan(value(got)));
      continue;
    }
    if (std::isinf(x)) {
      EXPECT_EQ(value(got), x);
      continue;
    }
    // the two bf16 numbers around x; 2^128, which is above the largest one, stands for infinity
    const std::uint32_t below = std::bit_cast<std::uint32_t>(x) >> 16;
    const auto magnitude = [](std::uint32_t upper) {
      return (upper & 0x7fff) == 0x7f80 ? std::ldexp(1.0, 128) : std::abs(static_cast<double>(value(upper)));
    };
    const double size = std::abs(static_cast<double>(x)), down = size - magnitude(below),
                 up = magnitude(below + 1) - size;
    const std::uint32_t wanted = down < up ? below : up < down ? below + 1 : below % 2 == 0 ? below : below + 1;
    EXPECT_EQ(got, wanted) << x;
  }
}

TEST(Bf16, ConvertingManyAtOnceIsTheSameAsOneByOne) {
  const std::vector<float> x = numbers();
  const auto n = static_cast<std::int64_t>(x.size());
  std::vector<Bf16> narrowed(x.size());
  std::vector<float> widened(x.size()), rounded(x.size());
  narrow(narrowed.data(), x.data(), n);
  widen(widened.data(), narrowed.data(), n);
  round_to_bf16(rounded.data(), x.data(), n);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(narrowed[i].bits, to_bf16(x[i]).bits);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(widened[i]), std::uint32_t{narrowed[i].bits} << 16);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(rounded[i]), std::uint32_t{narrowed[i].bits} << 16);
  }
}

}  // namespace
}  // namespace thalweg
