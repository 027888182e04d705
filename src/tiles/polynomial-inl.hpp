// Evaluates a polynomial of a vector. Compiled once for each instruction set; see micro_ops.cpp.
#if defined(THALWEG_POLYNOMIAL_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_POLYNOMIAL_INL
#undef THALWEG_POLYNOMIAL_INL
#else
#define THALWEG_POLYNOMIAL_INL
#endif

#include <hwy/highway.h>

#include <span>

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// p[0] + p[1] x + p[2] x^2 + ..., by Horner's rule.
template <class D, class V>
HWY_INLINE V Polynomial(D d, V x, std::span<const double> p) {
  using T = hn::TFromD<D>;
  V sum = hn::Set(d, static_cast<T>(p.back()));
  for (std::size_t k = p.size() - 1; k-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, static_cast<T>(p[k])));
  return sum;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
