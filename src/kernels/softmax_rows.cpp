#include "kernels/softmax_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/softmax_rows.cpp"
#include <hwy/foreach_target.h>

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Sixteen lanes on every instruction set, so that sums round alike: N vectors that act as one.
template <class D>
struct Lanes {
  using V = hn::Vec<D>;
  static constexpr std::size_t width = hn::MaxLanes(D());
  static constexpr std::size_t count = softmax_multiple / width;

  /// f(vector number, offset) for the sixteen elements from i on.
  template <class F>
  static HWY_INLINE void each(const F& f) {
    for (std::size_t k = 0; k < count; ++k) f(k, k * width);
  }
  /// Combines the lanes in a fixed tree: i with i + 8, with i + 4, with i + 2, with i + 1.
  template <class F>
  static HWY_INLINE float fold(const V* v, const F& f) {
    HWY_ALIGN float x[softmax_multiple];
    for (std::size_t k = 0; k < count; ++k) hn::Store(v[k], D(), x + k * width);
    for (std::size_t half = softmax_multiple / 2; half > 0; half /= 2) {
      for (std::size_t i = 0; i < half; ++i) x[i] = f(x[i], x[i + half]);
    }
    return x[0];
  }
};

using D = hn::CappedTag<float, softmax_multiple>;
using L = Lanes<D>;

/// e^x for x <= 0, and NaN for NaN, for which Highway's exponential gives 0.
HWY_INLINE L::V ExpOrNan(L::V x) { return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(D(), x)); }

void SoftmaxRow(float* x, std::size_t seen, std::size_t room, float scale) {
  const D d;
  const std::size_t end = (seen + softmax_multiple - 1) / softmax_multiple * softmax_multiple;
  std::fill(x + seen, x + end, -std::numeric_limits<float>::infinity());
  L::V largest[L::count], total[L::count];
  L::each([&](std::size_t k, std::size_t) {
    largest[k] = hn::Set(d, -std::numeric_limits<float>::infinity());
    total[k] = hn::Zero(d);
  });
  for (std::size_t i = 0; i < end; i += softmax_multiple) {
    L::each([&](std::size_t k, std::size_t o) { largest[k] = hn::Max(largest[k], hn::LoadU(d, x + i + o)); });
  }
  const auto shift = hn::Set(d, L::fold(largest, [](float a, float b) { return a > b ? a : b; }));
  const auto factor = hn::Set(d, scale);
  for (std::size_t i = 0; i < end; i += softmax_multiple) {
    L::each([&](std::size_t k, std::size_t o) {
      const auto e = ExpOrNan(hn::Mul(factor, hn::Sub(hn::LoadU(d, x + i + o), shift)));
      total[k] = hn::Add(total[k], e);
      hn::StoreU(e, d, x + i + o);
    });
  }
  const auto inverse = hn::Set(d, 1 / L::fold(total, [](float a, float b) { return a + b; }));
  for (std::size_t i = 0; i < end; i += softmax_multiple) {
    L::each([&](std::size_t, std::size_t o) { hn::StoreU(hn::Mul(inverse, hn::LoadU(d, x + i + o)), d, x + i + o); });
  }
  std::fill(x + end, x + room, 0.0F);
}

void SoftmaxRowGradient(const float* p, float* g, std::size_t seen, std::size_t room, float scale) {
  const D d;
  const std::size_t end = (seen + softmax_multiple - 1) / softmax_multiple * softmax_multiple;
  std::fill(g + seen, g + end, 0.0F);
  L::V total[L::count];
  L::each([&](std::size_t k, std::size_t) { total[k] = hn::Zero(d); });
  for (std::size_t i = 0; i < end; i += softmax_multiple) {
    L::each([&](std::size_t k, std::size_t o) {
      total[k] = hn::Add(total[k], hn::Mul(hn::LoadU(d, p + i + o), hn::LoadU(d, g + i + o)));
    });
  }
  const auto mean = hn::Set(d, L::fold(total, [](float a, float b) { return a + b; })), factor = hn::Set(d, scale);
  for (std::size_t i = 0; i < end; i += softmax_multiple) {
    L::each([&](std::size_t, std::size_t o) {
      const auto difference = hn::Sub(hn::LoadU(d, g + i + o), mean);
      hn::StoreU(hn::Mul(factor, hn::Mul(hn::LoadU(d, p + i + o), difference)), d, g + i + o);
    });
  }
  std::fill(g + end, g + room, 0.0F);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {

namespace {
HWY_EXPORT(SoftmaxRow);
HWY_EXPORT(SoftmaxRowGradient);
}  // namespace

void softmax_row(float* x, std::int64_t seen, std::int64_t room, float scale) {
  if (seen <= 0) {
    std::fill_n(x, room, 0.0F);
  } else {
    HWY_DYNAMIC_DISPATCH(SoftmaxRow)(x, static_cast<std::size_t>(seen), static_cast<std::size_t>(room), scale);
  }
}

void softmax_row_gradient(const float* p, float* g, std::int64_t seen, std::int64_t room, float scale) {
  HWY_DYNAMIC_DISPATCH(SoftmaxRowGradient)(p, g, static_cast<std::size_t>(seen), static_cast<std::size_t>(room), scale);
}

void softmax_row(double* x, std::int64_t seen, std::int64_t room, double scale) {
  double largest = -std::numeric_limits<double>::infinity(), total = 0;
  for (std::int64_t i = 0; i < seen; ++i) largest = std::max(largest, x[i]);
  for (std::int64_t i = 0; i < seen; ++i) total += x[i] = std::exp(scale * (x[i] - largest));
  for (std::int64_t i = 0; i < seen; ++i) x[i] /= total;
  std::fill(x + seen, x + room, 0.0);
}

void softmax_row_gradient(const double* p, double* g, std::int64_t seen, std::int64_t room, double scale) {
  double mean = 0;
  for (std::int64_t i = 0; i < seen; ++i) mean += p[i] * g[i];
  for (std::int64_t i = 0; i < seen; ++i) g[i] = scale * p[i] * (g[i] - mean);
  std::fill(g + seen, g + room, 0.0);
}

}  // namespace thalweg
#endif
