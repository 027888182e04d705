// The last, partial vector of a loop. Compiled once for each instruction set, with Highway's kind of include guard.
#if defined(THALWEG_TAIL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_TAIL_INL
#undef THALWEG_TAIL_INL
#else
#define THALWEG_TAIL_INL
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// p[0], ..., p[n - 1], then zeros; memory beyond is not read. (Without masks in hardware, Highway's MaskedLoad reads a
/// whole, aligned vector.)
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> LoadTail(D d, const T* p, std::size_t n) {
#if HWY_MEM_OPS_MIGHT_FAULT && HWY_TARGET != HWY_AVX2
  HWY_ALIGN T part[hn::MaxLanes(D())] = {};
  for (std::size_t i = 0; i < n; ++i) part[i] = p[i];
  return hn::Load(d, part);
#else
  return hn::MaskedLoad(hn::FirstN(d, n), d, p);
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
