#include "core/bf16.hpp"

namespace thalweg {

void widen(float* to, const Bf16* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(from[i]);
}

void narrow(Bf16* to, const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = to_bf16(from[i]);
}

void round_to_bf16(float* to, const float* from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<float>(to_bf16(from[i]));
}

}  // namespace thalweg
