// Reductions with the same number of running values for every vector width. Compiled once for each instruction set; see
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
#include <type_traits>

#include "tiles/micro_ops-inl.hpp"
#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

template <class T, std::size_t lanes>
struct RunningValues {
  using D = hn::CappedTag<T, lanes>;
  static constexpr std::size_t count = lanes, parts = lanes / hn::MaxLanes(D());
  hn::Vec<D> part[parts];
};
template <class T>
using LongRow = RunningValues<T, reduce_lanes<T>>;
template <class T>
using ShortRow = RunningValues<T, 16>;

// A reduction consists of a `Term` for each element, and a `Join` of two values.
template <class Term_, class Join_>
struct Reduction {
  using Term = Term_;
  using Join = Join_;
};

/// `ahead`: bytes at which the elements to come are prefetched; 0 for short rows.
template <class R, std::size_t ahead = 0, class Values, class T>
HWY_INLINE void AccumulateInto(Values& sum, const T* x, std::int64_t count) {
  constexpr std::size_t line = 64;
  const auto n = static_cast<std::size_t>(count);
  const typename Values::D d;
  const std::size_t width = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + Values::count <= n; i += Values::count) {
    HWY_UNROLL(16)
    for (std::size_t at = 0; ahead > 0 && at < Values::count * sizeof(T); at += line)
      __builtin_prefetch(reinterpret_cast<const char*>(x + i) + at + ahead);
    HWY_UNROLL(16)
    for (std::size_t p = 0; p < Values::parts; ++p)
      sum.part[p] = R::Join::f(d, sum.part[p], R::Term::f(d, hn::LoadU(d, x + i + p * width)));
  }
  for (std::size_t p = 0; p < Values::parts && i < n; ++p, i += width) {
    const auto present = hn::FirstN(d, std::min(width, n - i));
    const auto last = R::Join::f(d, sum.part[p], R::Term::f(d, LoadTail(d, x + i, std::min(width, n - i))));
    sum.part[p] = hn::IfThenElse(present, last, sum.part[p]);
  }
}

/// Joins the upper half of a vector with the lower, and so on down to one lane.
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

template <class Join, class Values>
HWY_INLINE auto FoldAll(Values& sum) {
  const typename Values::D d;
  for (std::size_t half = Values::parts / 2; half > 0; half /= 2) {
    for (std::size_t p = 0; p < half; ++p) sum.part[p] = Join::f(d, sum.part[p], sum.part[p + half]);
  }
  return FoldHalves<Join>(d, sum.part[0]);
}

template <class T>
HWY_INLINE LongRow<T> LoadLanes(const T* lanes) {
  const typename LongRow<T>::D d;
  LongRow<T> sum;
  for (std::size_t p = 0; p < LongRow<T>::parts; ++p) sum.part[p] = hn::LoadU(d, lanes + p * hn::Lanes(d));
  return sum;
}

template <class R, class T>
HWY_NOINLINE void Accumulate(T* lanes, const T* x, std::int64_t n) {
  const typename LongRow<T>::D d;
  LongRow<T> sum = LoadLanes(lanes);
  AccumulateInto<R, 4096>(sum, x, n);
  for (std::size_t p = 0; p < LongRow<T>::parts; ++p) hn::StoreU(sum.part[p], d, lanes + p * hn::Lanes(d));
}

template <class R, class T>
HWY_NOINLINE T Fold(const T* lanes) {
  LongRow<T> sum = LoadLanes(lanes);
  return FoldAll<typename R::Join>(sum);
}

template <class R, class Values, class T>
HWY_INLINE T RowIn(T identity, const T* x, std::int64_t n) {
  const typename Values::D d;
  Values sum;
  for (std::size_t p = 0; p < Values::parts; ++p) sum.part[p] = hn::Set(d, identity);
  AccumulateInto<R>(sum, x, n);
  return FoldAll<typename R::Join>(sum);
}
template <class R, class T>
HWY_NOINLINE T Row(T identity, const T* x, std::int64_t n) {
  return n <= short_row<T> ? RowIn<R, ShortRow<T>>(identity, x, n) : RowIn<R, LongRow<T>>(identity, x, n);
}

/// Joins the rows of x, in order, to adjacent columns. The columns stay in `vectors` registers: in memory, each row
/// would wait for the previous one's stores.
template <class Join, int vectors, class T>
HWY_INLINE void JoinStrip(T* into, const T* x, std::int64_t rows, std::int64_t width) {
  const hn::ScalableTag<T> d;
  const std::size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> column[vectors];
  HWY_UNROLL(4)
  for (std::size_t v = 0; v < vectors; ++v) column[v] = hn::LoadU(d, into + v * lanes);
  for (; rows > 0; --rows, x += width) {
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < vectors; ++v) column[v] = Join::f(d, column[v], hn::LoadU(d, x + v * lanes));
  }
  HWY_UNROLL(4)
  for (std::size_t v = 0; v < vectors; ++v) hn::StoreU(column[v], d, into + v * lanes);
}

template <class Join, class T>
HWY_NOINLINE void JoinRows(T* into, const T* x, std::int64_t rows, std::int64_t width) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t c = 0;
  for (; c + 4 * lanes <= width; c += 4 * lanes) JoinStrip<Join, 4>(into + c, x + c, rows, width);
  for (; c + 2 * lanes <= width; c += 2 * lanes) JoinStrip<Join, 2>(into + c, x + c, rows, width);
  for (; c + lanes <= width; c += lanes) JoinStrip<Join, 1>(into + c, x + c, rows, width);
  if (c == width) return;
  const auto rest = static_cast<std::size_t>(width - c);
  auto column = LoadTail(d, into + c, rest);
  for (x += c; rows > 0; --rows, x += width) column = Join::f(d, column, LoadTail(d, x, rest));
  hn::BlendedStore(column, hn::FirstN(d, rest), d, into + c);
}

/// Only sums have this: sums over rows occur in each step of a model with biases or normalisation, other reductions are
/// too rare to be worth the code.
template <class Join, class T>
constexpr auto RowsOf() -> void (*)(T*, const T*, std::int64_t, std::int64_t) {
  if constexpr (std::is_same_v<Join, Add>) {
    return JoinRows<Join, T>;
  } else {
    return nullptr;
  }
}

template <class Term, class Join>
constexpr Reducer ReducerRow(std::string_view name, double identity, std::string_view join, bool adds) {
  using R = Reduction<Term, Join>;
  return {name,          identity,       Accumulate<R, float>,  Accumulate<R, double>,  Fold<R, float>, Fold<R, double>,
          Row<R, float>, Row<R, double>, RowsOf<Join, float>(), RowsOf<Join, double>(), join,           adds};
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr Reducer reducer_table[] = {
    ReducerRow<Copy, Add>("sum", 0, "add", true),
    ReducerRow<Square, Add>("sum_of_squares", 0, "add", true),
    ReducerRow<Copy, Maximum>("max", -infinity, "maximum", false),
    ReducerRow<Copy, Minimum>("min", infinity, "minimum", false),
};

}  // namespace

std::span<const Reducer> ReducerTable() { return reducer_table; }

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
