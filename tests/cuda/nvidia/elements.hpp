#pragma once
// Reads and writes elements in the device's memory, for the stand-ins for cuBLASLt and cuDNN.

#include <bit>
#include <cstdint>

#include "core/bf16.hpp"

namespace thalweg::nvidia {

enum class Type { f32, f64, bf16 };

[[nodiscard]] constexpr std::size_t bytes_of(Type type) { return type == Type::f64 ? 8 : type == Type::f32 ? 4 : 2; }

[[nodiscard]] inline double read(const std::byte* from, Type type, std::int64_t i) {
  if (type == Type::f64) return reinterpret_cast<const double*>(from)[i];
  if (type == Type::f32) return reinterpret_cast<const float*>(from)[i];
  return static_cast<double>(static_cast<float>(reinterpret_cast<const Bf16*>(from)[i]));
}

inline void write(std::byte* to, Type type, std::int64_t i, double value) {
  if (type == Type::f64) reinterpret_cast<double*>(to)[i] = value;
  if (type == Type::f32) reinterpret_cast<float*>(to)[i] = static_cast<float>(value);
  if (type == Type::bf16) reinterpret_cast<Bf16*>(to)[i] = to_bf16(static_cast<float>(value));
}

/// Rounds an f32 number to TF32: 10 bits of mantissa, to nearest, ties to even.
[[nodiscard]] inline double to_tf32(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0xfff + (bits >> 13 & 1)) & ~std::uint32_t{0x1fff});
}

}  // namespace thalweg::nvidia
