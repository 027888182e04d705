// Exponentials, logarithms and the activations made of them. Compiled once for each instruction set; see micro_ops.cpp.
#if defined(THALWEG_EXPONENTIALS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_EXPONENTIALS_INL
#undef THALWEG_EXPONENTIALS_INL
#else
#define THALWEG_EXPONENTIALS_INL
#endif

#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#include <limits>
#include <span>

#include "tiles/polynomial-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Highway's functions are valid only for arguments whose results are in range; other arguments, and NaN, are handled
// here.
template <class V>
HWY_INLINE V KeepNan(V x, V result) {
  return hn::IfThenElse(hn::IsNaN(x), x, result);
}

struct Exp {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V top = hn::Set(d, static_cast<T>(sizeof(T) == 4 ? 88.72283935546875 : 709.782712893384));
    const V inside = hn::Exp(d, hn::IfThenElse(hn::Gt(x, top), top, x));
    const V inf = hn::Set(d, std::numeric_limits<T>::infinity());
    return KeepNan(x, hn::IfThenElse(hn::Gt(x, top), inf, inside));
  }
};
/// log 2 in two parts; the first has so few bits that its product with a whole number is exact.
template <class T>
constexpr T log2_high = sizeof(T) == 4 ? 0x1.62e3p-1 : 0x1.62e42feep-1;
template <class T>
constexpr T log2_low = sizeof(T) == 4 ? 0x1.2fefa2p-17 : 0x1.a39ef35793c76p-33;

/// 2^k for a whole number k that is a valid exponent of T.
template <class D, class V>
HWY_INLINE V PowerOfTwo(D d, V k) {
  using T = hn::TFromD<D>;
  constexpr int places = std::numeric_limits<T>::digits - 1;
  const hn::RebindToSigned<D> whole;
  const auto biased = hn::Add(hn::ConvertTo(whole, k), hn::Set(whole, std::numeric_limits<T>::max_exponent - 1));
  return hn::BitCast(d, hn::ShiftLeft<places>(biased));
}

/// With x = k log 2 + r it is 2^k (1 - 2^-k + r + r^2 / 2 + r^3 P(r)), where the sum of the first three terms is kept
/// in two parts. P is the minimax polynomial (Remez' exchange), with an error of 4e-10 of the result in f32 and 3e-19
/// in f64.
struct Expm1 {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    constexpr bool single = sizeof(T) == 4;
    const V top = hn::Set(d, static_cast<T>(single ? 88.72283935546875 : 709.782712893384));
    const V inside = hn::Clamp(x, hn::Set(d, -50), top);
    const V k = hn::Round(hn::Mul(inside, hn::Set(d, static_cast<T>(1.4426950408889634074))));
    const V high = hn::NegMulAdd(k, hn::Set(d, log2_high<T>), inside), low = hn::Mul(k, hn::Set(d, log2_low<T>));
    const V r = hn::Sub(high, low), lost = hn::Sub(hn::Sub(high, r), low);
    const V least = PowerOfTwo(d, hn::Neg(hn::Min(k, hn::Set(d, single ? 30 : 60))));
    const V one = hn::Set(d, 1), base = hn::Sub(one, least), sum = hn::Add(base, r);
    const V rest = hn::Add(hn::Sub(r, hn::Sub(sum, base)), lost);
    const V p = hn::MulAdd(r, Polynomial(d, r, coefficients<T>()), hn::Set(d, static_cast<T>(0.5)));
    const V part = hn::Add(sum, hn::MulAdd(hn::Mul(r, r), p, rest));
    const V half_power = PowerOfTwo(d, hn::Sub(k, one));  // the power itself may overflow
    V y = hn::Mul(hn::Mul(part, half_power), hn::Set(d, 2));
    y = hn::IfThenElse(hn::Gt(x, top), hn::Set(d, std::numeric_limits<T>::infinity()), y);
    return KeepNan(x, hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y));
  }

 private:
  template <class T>
  static std::span<const double> coefficients() {
    static constexpr double singles[] = {0.16666666773023975, 0.04166648131828728, 0.0083332819443396,
                                         0.0013933396221229748, 0.00019909828138636265};
    static constexpr double doubles[] = {0.16666666666666677,    0.04166666666666669,    0.008333333333321613,
                                         0.0013888888888870007,  0.00019841269886221693, 2.4801587356409185e-05,
                                         2.7557244071756342e-06, 2.755724532015565e-07,  2.5109096833055816e-08,
                                         2.092383898414791e-09};
    return sizeof(T) == 4 ? std::span<const double>(singles) : doubles;
  }
};
struct Log {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V inf = hn::Set(d, std::numeric_limits<T>::infinity());
    const V nan = hn::Set(d, std::numeric_limits<T>::quiet_NaN());
    const V zero = hn::Zero(d);
    V y = hn::Log(d, x);
    y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
    y = hn::IfThenElse(hn::Eq(x, zero), hn::Neg(inf), y);
    return KeepNan(x, hn::IfThenElse(hn::Lt(x, zero), nan, y));
  }
};
/// With 1 + x = 2^k (1 + f) it is k log 2 + log(1 + f) plus the rounding error of 1 + x, where log(1 + f) is f - f^2 /
/// 2 + s (f^2 / 2 + R), s = f / (2 + f), R = s^2 L(s^2). L is the minimax polynomial (Remez' exchange), with an error
/// of 8e-10 of the result in f32 and 1e-18 in f64.
struct Log1p {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V one = hn::Set(d, 1), zero = hn::Zero(d), inf = hn::Set(d, std::numeric_limits<T>::infinity());
    const V u = hn::Add(one, x);
    const auto [k, fraction] = parts_of(d, u);
    const V f = hn::IfThenElse(hn::Eq(k, zero), x, hn::Sub(fraction, one));
    const V from_one = hn::Sub(x, hn::Sub(u, one)), from_x = hn::Sub(one, hn::Sub(u, x));
    const V lost = hn::Div(hn::IfThenElse(hn::Ge(k, hn::Set(d, 2)), from_x, from_one), u);
    const V half_square = hn::Mul(hn::Set(d, static_cast<T>(0.5)), hn::Mul(f, f));
    const V s = hn::Div(f, hn::Add(hn::Set(d, 2), f)), z = hn::Mul(s, s);
    const V sum = hn::MulAdd(z, Polynomial(d, z, coefficients<T>()), half_square);
    const V low = hn::MulAdd(k, hn::Set(d, log2_low<T>), hn::IfThenZeroElse(hn::Eq(k, zero), lost));
    const V rest = hn::Sub(hn::MulAdd(s, sum, low), half_square);
    V y = hn::MulAdd(k, hn::Set(d, log2_high<T>), hn::Add(rest, f));
    y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
    y = hn::IfThenElse(hn::Eq(u, zero), hn::Neg(inf), y);
    y = hn::IfThenElse(hn::Eq(x, zero), x, y);
    return KeepNan(x, hn::IfThenElse(hn::Lt(u, zero), hn::Set(d, std::numeric_limits<T>::quiet_NaN()), y));
  }

 private:
  template <class V>
  struct Parts {
    V k, fraction;
  };
  /// u = 2^k fraction, with fraction between sqrt(1/2) and sqrt(2).
  template <class D, class V>
  static HWY_INLINE Parts<V> parts_of(D d, V u) {
    using T = hn::TFromD<D>;
    constexpr int places = std::numeric_limits<T>::digits - 1;
    const hn::RebindToSigned<D> whole;
    const auto least = hn::BitCast(whole, hn::Set(d, static_cast<T>(0.70710678118654752440)));
    const auto above = hn::Sub(hn::BitCast(whole, u), least);
    const auto exponent = hn::ShiftRight<places>(above);
    const auto fraction = hn::Sub(hn::BitCast(whole, u), hn::ShiftLeft<places>(exponent));
    return {hn::ConvertTo(d, exponent), hn::BitCast(d, fraction)};
  }
  template <class T>
  static std::span<const double> coefficients() {
    static constexpr double singles[] = {0.6666677685752349, 0.3997747543215953, 0.29873676352889156};
    static constexpr double doubles[] = {0.6666666666666735,  0.39999999999409797, 0.2857142874360266,
                                         0.22222198436574836, 0.181835719983307,   0.15313840530961503,
                                         0.14798181189634646};
    return sizeof(T) == 4 ? std::span<const double>(singles) : doubles;
  }
};
struct Sigmoid {  // by e^-|x|, which never overflows
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    const V one = hn::Set(d, 1);
    const V e = hn::Exp(d, hn::Neg(hn::Abs(x)));
    const V q = hn::Div(one, hn::Add(one, e));
    return KeepNan(x, hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(e, q), q));
  }
};
struct Softplus {  // max(x, 0) + log1p(e^-|x|)
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    // the argument of the exponential is at most 0, where Highway's is right; for NaN the exponential is 0, and the
    // first term keeps the NaN
    const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    return hn::Add(positive, log1p_of_part(d, hn::Exp(d, hn::Neg(hn::Abs(x)))));
  }

 private:
  /// log(1 + e) for e in [0, 1]: 2 atanh(t / 2) = t + t^3 P(t^2) with t = 2 e / (2 + e) <= 2/3. P is the minimax
  /// polynomial (Remez' exchange), with an error of 5e-9 of the result in f32 and 5e-17 in f64.
  template <class D, class V>
  static HWY_INLINE V log1p_of_part(D d, V e) {
    using T = hn::TFromD<D>;
    static constexpr double singles[] = {0.08333301641591573, 0.01250678095569474, 0.00218743289761786,
                                         0.0005473527107908248};
    static constexpr double doubles[] = {0.08333333333334735,    0.012499999998749282,  0.0022321428955606256,
                                         0.00043402720029634274, 8.878330430749e-05,    1.8755117473633627e-05,
                                         4.146498096819838e-06,  7.551812782954629e-07, 3.385322975125687e-07};
    const std::span<const double> p = sizeof(T) == 4 ? std::span<const double>(singles) : doubles;
    const V t = hn::Div(hn::Add(e, e), hn::Add(hn::Set(d, 2), e)), u = hn::Mul(t, t);
    return hn::MulAdd(hn::Mul(t, u), Polynomial(d, u, p), t);
  }
};
/// x + x^3 P(x^2) for |x| <= 0.55, and 1 - 2 / (e^2|x| + 1) above. P is the minimax polynomial (Remez' exchange), with
/// an error of 1e-9 of the result in f32 and 8e-19 in f64.
struct Tanh {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V one = hn::Set(d, 1), two = hn::Set(d, 2), size = hn::Abs(x), z = hn::Mul(x, x);
    const V near = hn::MulAdd(hn::Mul(size, z), Polynomial(d, z, coefficients<T>()), size);
    const V e = hn::Exp(d, hn::Min(hn::Mul(two, size), hn::Set(d, 50)));
    const V far = hn::Sub(one, hn::Div(two, hn::Add(e, one)));
    const V y = hn::IfThenElse(hn::Lt(size, hn::Set(d, static_cast<T>(0.55))), near, far);
    return KeepNan(x, hn::CopySign(y, x));
  }

 private:
  template <class T>
  static std::span<const double> coefficients() {
    static constexpr double singles[] = {-0.3333331527189397, 0.13332498881134028, -0.05384227822217161,
                                         0.02102721696841065, -0.006207425852936814};
    static constexpr double doubles[] = {-0.33333333333333287,   0.13333333333324252,   -0.05396825396235508,
                                         0.02186948834482828,    -0.008863231917147505, 0.0035920850054365397,
                                         -0.0014554969394213945, 0.0005882530606350761, -0.00023288851779990774,
                                         8.260188591933489e-05,  -1.904910696425375e-05};
    return sizeof(T) == 4 ? std::span<const double>(singles) : doubles;
  }
};

/// erf(x) = x + x P(x^2) for |x| <= 1, and 1 - e^(-x^2) G(1 / (2 + x)) above, up to where the result rounds to 1. P and
/// G are minimax polynomials (Remez' exchange), with an error of 4e-11 of the result in f32 and 9e-18 in f64.
struct Erf {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V one = hn::Set(d, 1), size = hn::Abs(x);
    const V inner = hn::MulAdd(x, Polynomial(d, hn::Mul(x, x), inner_of<T>()), x);
    const V tail = hn::Min(size, hn::Set(d, sizeof(T) == 4 ? 4 : 6));
    const V t = hn::Sub(hn::Div(one, hn::Add(hn::Set(d, 2), tail)), hn::Set(d, static_cast<T>(Tail<T>::middle)));
    const V g = Polynomial(d, hn::Mul(t, hn::Set(d, static_cast<T>(Tail<T>::scale))), Tail<T>::p);
    const V outer = hn::NegMulAdd(hn::Exp(d, hn::Neg(hn::Mul(tail, tail))), g, one);
    return KeepNan(x, hn::IfThenElse(hn::Lt(size, one), inner, hn::CopySign(outer, x)));
  }

 private:
  template <class T>
  static std::span<const double> inner_of() {
    static constexpr double singles[] = {0.12837916705803137,    -0.3761263843469225,   0.11283781974653903,
                                         -0.026865400068716367,  0.005220945493362751,  -0.0008482829554659059,
                                         0.00011256952065382326, -9.641525759187139e-06};
    static constexpr double doubles[] = {0.1283791670955126,      -0.3761263890318375,     0.11283791670954857,
                                         -0.026866170645072907,   0.005223977624780965,    -0.0008548326978747702,
                                         0.00012055331037093965,  -1.4925593511401867e-05, 1.6460972886829844e-06,
                                         -1.6350025936209924e-07, 1.4657884472637242e-08,  -1.1365683248456953e-09,
                                         5.945290031037285e-11};
    return sizeof(T) == 4 ? std::span<const double>(singles) : doubles;
  }
  /// G with its argument shifted and scaled to [-1, 1].
  template <class T>
  struct Tail;
};
template <>
struct Erf::Tail<float> {
  static constexpr double middle = 0.25, scale = 12;
  static constexpr double p[] = {0.2553956779152742,    0.14239528446469807,    0.02685080795718583,
                                 0.0029254406611513963, 4.6046427391888176e-05, -2.968136608473745e-05};
};
template <>
struct Erf::Tail<double> {
  static constexpr double middle = 0.22916666666666666, scale = 9.6;
  static constexpr double p[] = {0.221429540229931,      0.16189356804107016,    0.038560570424912254,
                                 0.005588816281058466,   0.00019713918745612607, -8.079222728759491e-05,
                                 -7.340522764101975e-06, 1.979653665465821e-06,  1.6339602618298583e-07,
                                 -7.011164814167774e-08, -4.052895417169741e-10, 2.541220661957556e-09,
                                 -3.325439270103039e-10};
};

/// sqrt(2 / pi) and the cubic term of gelu's approximation by tanh.
inline constexpr double gelu_scale = 0.79788456080286535588, gelu_cubic = 0.044715;
struct GeluTanh {  // x (1 + tanh u) / 2 = x sigmoid(2 u), with u = gelu_scale (x + gelu_cubic x^3)
  template <class D, class V>
  static HWY_INLINE V gate(D d, V x) {
    const V cubic = hn::Add(hn::Mul(hn::Set(d, static_cast<hn::TFromD<D>>(gelu_cubic)), hn::Mul(x, x)), hn::Set(d, 1));
    return Sigmoid::f(d, hn::Mul(hn::Set(d, static_cast<hn::TFromD<D>>(2 * gelu_scale)), hn::Mul(x, cubic)));
  }
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    return hn::Mul(x, gate(d, x));
  }
};
struct GeluTanhSlope {  // s + x s (1 - s) 2 u', with s = sigmoid(2 u)
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    const V one = hn::Set(d, 1), s = GeluTanh::gate(d, x);
    // beyond 30 the factor s (1 - s) is 0, and the other factors must not become infinite
    const V most = hn::Set(d, 30), b = hn::IfThenElse(hn::Gt(hn::Abs(x), most), hn::CopySign(most, x), x);
    const V slope = hn::Add(hn::Mul(hn::Set(d, static_cast<hn::TFromD<D>>(3 * gelu_cubic)), hn::Mul(b, b)), one);
    const V rise = hn::Mul(hn::Mul(b, hn::Set(d, static_cast<hn::TFromD<D>>(2 * gelu_scale))), slope);
    return hn::Add(hn::Mul(hn::Mul(s, hn::Sub(one, s)), rise), s);
  }
};

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
