#pragma once
// Arithmetic on sizes from users and files, which reports an overflow instead of wrapping around.

#include <cstdint>

#include "core/error.hpp"

namespace thalweg {

template <class E = UsageError>
[[nodiscard]] std::int64_t checked_mul(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) fail<E>("[{}] {} x {} does not fit 64 bits", what, a, b);
  return result;
}

template <class E = UsageError>
[[nodiscard]] std::int64_t checked_add(std::int64_t a, std::int64_t b, std::string_view what) {
  std::int64_t result = 0;
  if (__builtin_add_overflow(a, b, &result)) fail<E>("[{}] {} + {} does not fit 64 bits", what, a, b);
  return result;
}

}  // namespace thalweg
