// Reductions: 16 running values, whatever the width of a vector. Compiled once for each instruction set; see
// micro_ops.cpp.
#if defined(THALWEG_REDUCERS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_REDUCERS_INL
#undef THALWEG_REDUCERS_INL
#else
#define THALWEG_REDUCERS_INL
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "tiles/micro_ops-inl.hpp"
#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T>
struct RunningValues {
  using D = hn::CappedTag<T, reduce_lanes>;
  static constexpr std::size_t parts = reduce_lanes / hn::MaxLanes(D());
  hn::Vec<D> part[parts];
};

template <class Join, class T>
HWY_INLINE void AccumulateInto(RunningValues<T>& sum, const T* x, std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  using Values = RunningValues<T>;
  const typename Values::D d;
  const std::size_t width = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + reduce_lanes <= n; i += reduce_lanes) {
    for (std::size_t p = 0; p < Values::parts; ++p)
      sum.part[p] = Join::f(d, sum.part[p], hn::LoadU(d, x + i + p * width));
  }
  for (std::size_t p = 0; p < Values::parts && i < n; ++p, i += width) {
    const auto present = hn::FirstN(d, std::min(width, n - i));
    const auto last = Join::f(d, sum.part[p], LoadTail(d, x + i, std::min(width, n - i)));
    sum.part[p] = hn::IfThenElse(present, last, sum.part[p]);
  }
}

/// Joins the upper half of a vector to the lower, and so on down to one.
template <class Join, class D, class V>
HWY_INLINE hn::TFromD<D> FoldHalves([[maybe_unused]] D d, V values) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (hn::MaxLanes(D()) > 1) {
    const hn::Half<D> half;
    return FoldHalves<Join>(half, Join::f(half, hn::LowerHalf(half, values), hn::UpperHalf(half, values)));
  }
#endif
  return hn::GetLane(values);
}

template <class Join, class T>
HWY_INLINE T FoldAll(RunningValues<T>& sum) {
  const typename RunningValues<T>::D d;
  for (std::size_t half = RunningValues<T>::parts / 2; half > 0; half /= 2) {
    for (std::size_t p = 0; p < half; ++p) sum.part[p] = Join::f(d, sum.part[p], sum.part[p + half]);
  }
  return FoldHalves<Join>(d, sum.part[0]);
}

template <class T>
HWY_INLINE RunningValues<T> LoadLanes(const T* lanes) {
  const typename RunningValues<T>::D d;
  RunningValues<T> sum;
  for (std::size_t p = 0; p < RunningValues<T>::parts; ++p) sum.part[p] = hn::LoadU(d, lanes + p * hn::Lanes(d));
  return sum;
}

template <class Join, class T>
HWY_NOINLINE void Accumulate(T* lanes, const T* x, std::int64_t n) {
  const typename RunningValues<T>::D d;
  RunningValues<T> sum = LoadLanes(lanes);
  AccumulateInto<Join>(sum, x, n);
  for (std::size_t p = 0; p < RunningValues<T>::parts; ++p) hn::StoreU(sum.part[p], d, lanes + p * hn::Lanes(d));
}

template <class Join, class T>
HWY_NOINLINE T Fold(const T* lanes) {
  RunningValues<T> sum = LoadLanes(lanes);
  return FoldAll<Join>(sum);
}

template <class Join, class T>
HWY_NOINLINE T Row(T identity, const T* x, std::int64_t n) {
  const typename RunningValues<T>::D d;
  RunningValues<T> sum;
  for (std::size_t p = 0; p < RunningValues<T>::parts; ++p) sum.part[p] = hn::Set(d, identity);
  AccumulateInto<Join>(sum, x, n);
  return FoldAll<Join>(sum);
}

template <class Join>
constexpr Reducer ReducerRow(std::string_view name, double identity, std::string_view join) {
  return {name,
          identity,
          Accumulate<Join, float>,
          Accumulate<Join, double>,
          Fold<Join, float>,
          Fold<Join, double>,
          Row<Join, float>,
          Row<Join, double>,
          join};
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Reducer reducer_table[] = {
    ReducerRow<Add>("sum", 0, "add"),
    ReducerRow<Maximum>("max", -infinity, "maximum"),
    ReducerRow<Minimum>("min", infinity, "minimum"),
};

}  // namespace

std::span<const Reducer> ReducerTable() { return reducer_table; }

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
