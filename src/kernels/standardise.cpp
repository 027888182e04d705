#include "kernels/standardise.hpp"

#include <algorithm>
#include <cmath>

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3_DL)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/standardise.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/for_float.hpp"
#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T>
using D = hn::ScalableTag<T>;
template <class T>
using V = hn::Vec<D<T>>;

/// The sum of term(i, load) over 0 <= i < n, in four accumulators; load(p) loads a vector from p + i.
template <class T, class Term>
HWY_INLINE T SumOf(std::int64_t n, const Term& term) {
  const D<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V<T> sums[4] = {hn::Zero(d), hn::Zero(d), hn::Zero(d), hn::Zero(d)};
  const auto whole = [d](const T* p) HWY_ATTR { return hn::LoadU(d, p); };
  std::int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes) {
    for (int k = 0; k < 4; ++k) sums[k] = hn::Add(sums[k], term(i + k * lanes, whole));
  }
  for (; i + lanes <= n; i += lanes) sums[0] = hn::Add(sums[0], term(i, whole));
  if (i < n) {
    const auto rest = static_cast<std::size_t>(n - i);
    const V<T> last = term(i, [d, rest](const T* p) HWY_ATTR { return LoadTail(d, p, rest); });
    sums[1] = hn::Add(sums[1], hn::IfThenElseZero(hn::FirstN(d, rest), last));
  }
  const V<T> total = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  return hn::GetLane(hn::SumOfLanes(d, total));
}

/// y[i] = value(i, load) for 0 <= i < n.
template <class T, class Value>
HWY_INLINE void Fill(T* y, std::int64_t n, const Value& value) {
  const D<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(value(i, [d](const T* p) HWY_ATTR { return hn::LoadU(d, p); }), d, y + i);
  if (i == n) return;
  const auto rest = static_cast<std::size_t>(n - i);
  const V<T> last = value(i, [d, rest](const T* p) HWY_ATTR { return LoadTail(d, p, rest); });
  hn::BlendedStore(last, hn::FirstN(d, rest), d, y + i);
}

template <class T>
struct Moments {
  T mean, scale;
};

/// Where squares of finite numbers overflow: the moments of x times a power of 2.
template <class T>
Moments<T> LargeMoments(const T* x, std::int64_t n, bool centred, double epsilon) {
  T largest = 0;
  for (std::int64_t i = 0; i < n; ++i) largest = std::isnan(x[i]) ? x[i] : std::max(largest, std::abs(x[i]));
  if (!std::isfinite(largest)) return {largest - largest, centred ? largest - largest : T{0}};
  const T factor = std::ldexp(T{1}, 2 - std::ilogb(largest)), count = static_cast<T>(n);
  T mean = 0, squares = 0;
  for (std::int64_t i = 0; centred && i < n; ++i) mean += x[i] * factor / count;
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i] * factor - mean) * (x[i] * factor - mean) / count;
  return {mean / factor, factor / std::sqrt(squares + static_cast<T>(epsilon) * factor * factor)};
}

template <class T>
HWY_INLINE Moments<T> MomentsOf(const T* x, std::int64_t n, bool centred, double epsilon) {
  const D<T> d;
  const auto count = static_cast<T>(n);
  const T mean =
      centred ? SumOf<T>(n, [x](std::int64_t i, const auto& load) HWY_ATTR { return load(x + i); }) / count : T{0};
  const V<T> m = hn::Set(d, mean);
  const T squares = SumOf<T>(n, [x, m](std::int64_t i, const auto& load) HWY_ATTR {
    const V<T> from_mean = hn::Sub(load(x + i), m);
    return hn::Mul(from_mean, from_mean);
  });
  if (!std::isfinite(squares)) return LargeMoments(x, n, centred, epsilon);
  return {mean, T{1} / std::sqrt(squares / count + static_cast<T>(epsilon))};
}

template <class T>
void Standardise(const T* x, T* y, std::int64_t n, bool centred, double epsilon) {
  const Moments<T> moments = MomentsOf(x, n, centred, epsilon);
  const V<T> m = hn::Set(D<T>(), moments.mean), scale = hn::Set(D<T>(), moments.scale);
  Fill(y, n,
       [x, m, scale](std::int64_t i, const auto& load) HWY_ATTR { return hn::Mul(hn::Sub(load(x + i), m), scale); });
}

template <class T>
void StandardisePull(const T* x, const T* g, T* out, std::int64_t n, bool centred, double epsilon) {
  const D<T> d;
  const Moments<T> moments = MomentsOf(x, n, centred, epsilon);
  const auto count = static_cast<T>(n);
  const V<T> m = hn::Set(d, moments.mean), scale = hn::Set(d, moments.scale);
  const T mean_g =
      centred ? SumOf<T>(n, [g](std::int64_t i, const auto& load) HWY_ATTR { return load(g + i); }) / count : T{0};
  const T mean_gy =
      SumOf<T>(n, [=](std::int64_t i, const auto& load)
                      HWY_ATTR { return hn::Mul(load(g + i), hn::Mul(hn::Sub(load(x + i), m), scale)); }) /
      count;
  const V<T> shift = hn::Set(d, mean_g), slope = hn::Set(d, mean_gy);
  Fill(out, n, [=](std::int64_t i, const auto& load) HWY_ATTR {
    const V<T> y = hn::Mul(hn::Sub(load(x + i), m), scale);
    return hn::Mul(scale, hn::Sub(hn::Sub(load(g + i), shift), hn::Mul(y, slope)));
  });
}

void StandardiseF32(const float* x, float* y, std::int64_t n, bool centred, double epsilon) {
  Standardise(x, y, n, centred, epsilon);
}
void StandardiseF64(const double* x, double* y, std::int64_t n, bool centred, double epsilon) {
  Standardise(x, y, n, centred, epsilon);
}
void PullF32(const float* x, const float* g, float* out, std::int64_t n, bool centred, double epsilon) {
  StandardisePull(x, g, out, n, centred, epsilon);
}
void PullF64(const double* x, const double* g, double* out, std::int64_t n, bool centred, double epsilon) {
  StandardisePull(x, g, out, n, centred, epsilon);
}

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace thalweg {

namespace {

HWY_EXPORT(StandardiseF32);
HWY_EXPORT(StandardiseF64);
HWY_EXPORT(PullF32);
HWY_EXPORT(PullF64);

void standardise(const float* x, float* y, std::int64_t n, bool centred, double epsilon) {
  HWY_DYNAMIC_DISPATCH(StandardiseF32)(x, y, n, centred, epsilon);
}
void standardise(const double* x, double* y, std::int64_t n, bool centred, double epsilon) {
  HWY_DYNAMIC_DISPATCH(StandardiseF64)(x, y, n, centred, epsilon);
}
void pull(const float* x, const float* g, float* out, std::int64_t n, bool centred, double epsilon) {
  HWY_DYNAMIC_DISPATCH(PullF32)(x, g, out, n, centred, epsilon);
}
void pull(const double* x, const double* g, double* out, std::int64_t n, bool centred, double epsilon) {
  HWY_DYNAMIC_DISPATCH(PullF64)(x, g, out, n, centred, epsilon);
}

/// Calls body(call, offset of a row, length) for all rows, several in a task.
template <class Body>
Kernel for_rows(const KernelSite& site, Body body) {
  const std::int64_t n = site.output.shape[-1], rows = n ? site.output.shape.size() / n : 0;
  const std::int64_t per_part = std::max<std::int64_t>(1, split_elements / std::max<std::int64_t>(1, n));
  return {[=](const KernelCall& call) {
            call.workers.run((rows + per_part - 1) / per_part, [&](std::int64_t part) {
              const std::int64_t end = std::min(rows, (part + 1) * per_part);
              for (std::int64_t row = part * per_part; row < end; ++row) body(call, row * n, n);
            });
          },
          0};
}

}  // namespace

Kernel make_standardise(const KernelSite& site) {
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_rows(site, [centred = site.ints[0] != 0, epsilon = site.number](const KernelCall& call, std::int64_t at,
                                                                               std::int64_t n) {
      standardise(call.in<T>(0) + at, call.out<T>() + at, n, centred, epsilon);
    });
  });
}

Kernel make_standardise_pull(const KernelSite& site) {
  return for_float(site.output.dtype, [&]<class T>(T) {
    return for_rows(site, [centred = site.ints[0] != 0, epsilon = site.number](const KernelCall& call, std::int64_t at,
                                                                               std::int64_t n) {
      pull(call.in<T>(0) + at, call.in<T>(1) + at, call.out<T>() + at, n, centred, epsilon);
    });
  });
}

}  // namespace thalweg
#endif
