// Sine and cosine. Compiled once for each instruction set; see micro_ops.cpp.
#if defined(THALWEG_CIRCULAR_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_CIRCULAR_INL
#undef THALWEG_CIRCULAR_INL
#else
#define THALWEG_CIRCULAR_INL
#endif

#include <hwy/highway.h>

#include <cmath>
#include <span>

#include "tiles/polynomial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// x = (4 n + quarter) pi/2 + high + low, with |high| <= pi/4.
template <class V>
struct Quarters {
  V quarter, high, low;
};

/// pi/2 in three parts, the first two of 33 bits, so that such a part times a whole number below 2^20 is exact, and the
/// remainder (Cody and Waite).
constexpr double half_pi[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2e037073p-69};
/// Below this bound, |x| is reduced to full precision: no f64 in that range is nearer to a multiple of pi/2 than 2^-55,
/// and the error of the three parts is 2^-109.
constexpr double largest_reduced = 8192;

template <class D, class V>
HWY_INLINE Quarters<V> QuartersOf(D d, V x) {
  const V count = hn::Round(hn::Mul(x, hn::Set(d, 0.63661977236758134308)));
  const V first = hn::Sub(x, hn::Mul(count, hn::Set(d, half_pi[0])));  // exact
  const V second = hn::Mul(count, hn::Set(d, half_pi[1]));
  const V rest = hn::Sub(first, second), lost = hn::Sub(hn::Sub(first, rest), second);
  const V third = hn::Sub(hn::Mul(count, hn::Set(d, half_pi[2])), lost);
  const V high = hn::Sub(rest, third), low = hn::Sub(hn::Sub(rest, high), third);
  const V turns = hn::Floor(hn::Mul(count, hn::Set(d, 0.25)));
  return {hn::Sub(count, hn::Mul(hn::Set(d, 4), turns)), high, low};
}

// Minimax polynomials of (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4 in r^2 for |r| <= pi/4 (Remez' exchange).
// The errors of the functions are at most 5e-12 and 1e-10 with those for f32, and 4e-18 and 5e-20 with those for f64.
constexpr double sine_single[] = {-0.16666666641606293, 0.008333329383491435, -0.00019839334054090203,
                                  2.718303965672374e-06};
constexpr double cosine_single[] = {0.04166664685493061, -0.001388736692085845, 2.4438380347283053e-05};
constexpr double sine_double[] = {-0.16666666666666632,  0.008333333333322413,    -0.00019841269829807778,
                                  2.755731369191555e-06, -2.5050758115698192e-08, 1.5896795713489568e-10};
constexpr double cosine_double[] = {0.0416666666666666,      -0.0013888888888874125, 2.480158728948234e-05,
                                    -2.7557314352372173e-07, 2.0875723278132235e-09, -1.13596480422716e-11};

/// sin(x + first pi/2), computed in f64 to the precision of a Result.
template <int first, class Result, class D, class V>
HWY_INLINE V CircularDoubles(D d, V x) {
  constexpr bool single = sizeof(Result) == 4;
  const Quarters<V> q = QuartersOf(d, x);
  const V r = q.high, z = hn::Mul(r, r), half = hn::Set(d, 0.5);
  const V p = Polynomial(d, z, single ? std::span<const double>(sine_single) : sine_double);
  const V c = Polynomial(d, z, single ? std::span<const double>(cosine_single) : cosine_double);
  const V cube = hn::Mul(z, r);
  // sin(high + low) = high + (low (1 - z / 2) + z high P), cos(high + low) = 1 - z / 2 + (z^2 C - high low)
  const V sine = hn::Add(r, hn::MulAdd(cube, p, hn::NegMulAdd(hn::Mul(half, z), q.low, q.low)));
  const V flat = hn::Mul(half, z), head = hn::Sub(hn::Set(d, 1), flat);
  const V tail = hn::MulAdd(hn::Mul(z, z), c, hn::Sub(hn::Sub(hn::Sub(hn::Set(d, 1), head), flat), hn::Mul(r, q.low)));
  const V cosine = hn::Add(head, tail);
  const auto is = [&](int quarter) HWY_ATTR { return hn::Eq(q.quarter, hn::Set(d, (quarter + 4 - first) % 4)); };
  const V value = hn::IfThenElse(hn::Or(is(1), is(3)), cosine, sine);
  return hn::IfThenElse(hn::Or(is(2), is(3)), hn::Neg(value), value);
}

template <class D, class V>
HWY_INLINE bool AllReduced(D d, V x) {
  return hn::AllTrue(d, hn::Lt(hn::Abs(x), hn::Set(d, static_cast<hn::TFromD<D>>(largest_reduced))));
}

#if HWY_TARGET == HWY_SCALAR
template <int first, class D, class V>
HWY_INLINE V CircularOf(D d, V x, float /*tag*/) {
  const hn::Rebind<double, D> wide;
  return hn::DemoteTo(d, CircularDoubles<first, float>(wide, hn::PromoteTo(wide, x)));
}
#else
template <int first, class D, class V>
HWY_INLINE V CircularOf(D d, V x, float /*tag*/) {
  const hn::Half<D> half;
  const hn::Repartition<double, D> wide;
  const auto lower = CircularDoubles<first, float>(wide, hn::PromoteTo(wide, hn::LowerHalf(half, x)));
  const auto upper = CircularDoubles<first, float>(wide, hn::PromoteTo(wide, hn::UpperHalf(half, x)));
  return hn::Combine(d, hn::DemoteTo(half, upper), hn::DemoteTo(half, lower));
}
#endif
template <int first, class D, class V>
HWY_INLINE V CircularOf(D d, V x, double /*tag*/) {
  return CircularDoubles<first, double>(d, x);
}

/// Large arguments, infinities and NaN go to the C library, lane by lane, so that a value does not depend on its
/// neighbours.
template <class D, class V, class Library>
HWY_NOINLINE V CircularByLibrary(D d, V x, V near, Library library) {
  using T = hn::TFromD<D>;
  HWY_ALIGN T values[hn::MaxLanes(D())], results[hn::MaxLanes(D())];
  hn::Store(x, d, values);
  hn::Store(near, d, results);
  for (std::size_t i = 0; i < hn::Lanes(d); ++i) {
    if (!(std::abs(values[i]) < static_cast<T>(largest_reduced))) results[i] = library(values[i]);
  }
  return hn::Load(d, results);
}

struct Sin {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V y = CircularOf<0>(d, x, T{}), near = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);
    if (HWY_LIKELY(AllReduced(d, x))) return near;
    return CircularByLibrary(d, x, near, [](T v) { return std::sin(v); });
  }
};
struct Cos {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V near = CircularOf<1>(d, x, T{});
    if (HWY_LIKELY(AllReduced(d, x))) return near;
    return CircularByLibrary(d, x, near, [](T v) { return std::cos(v); });
  }
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
