// Chooses the instruction set of vector code. Highway's own implementation is in a library that measures the CPU's
// clock for 4.5 ms whenever it is loaded (as of 1.0.3), half of the time of `thalweg version`. The two functions here
// are all that its headers need from that library, so that it need not be linked.

#include <hwy/targets.h>

#if HWY_ARCH_X86

#include <cstdlib>
#include <string_view>

#include "core/error.hpp"

namespace hwy {

namespace {
/// THALWEG_ISA=sse4|avx2|avx512 caps the instruction set.
std::int64_t most_wanted() {
  const char* value = std::getenv("THALWEG_ISA");
  const std::string_view cap = value ? value : "";
  if (cap.empty() || cap == "avx512") return HWY_SSE4 | HWY_AVX2 | HWY_AVX3;
  if (cap == "avx2") return HWY_SSE4 | HWY_AVX2;
  if (cap == "sse4") return HWY_SSE4;
  thalweg::fail<thalweg::UsageError>("[kernels] THALWEG_ISA={}. Wanted: sse4, avx2, avx512", cap);
}
}  // namespace

std::int64_t SupportedTargets() {
  __builtin_cpu_init();
  const bool sse4 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("ssse3");
  const bool avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx3 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
                    __builtin_cpu_supports("avx512cd");
  const std::int64_t found = (sse4 ? HWY_SSE4 : 0) | (avx2 ? HWY_AVX2 : 0) | (avx3 ? HWY_AVX3 : 0);
  return (found & most_wanted()) | HWY_STATIC_TARGET;
}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

}  // namespace hwy

#endif
