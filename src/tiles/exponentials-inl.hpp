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

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// Highway's functions are bounded to the range of their results: what lies outside, and NaN, is put right here.
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
struct Expm1 {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V top = hn::Set(d, static_cast<T>(sizeof(T) == 4 ? 88.0 : 709.0));
    const V small = hn::Expm1(d, hn::IfThenElse(hn::Gt(x, top), top, x));
    const V result = hn::IfThenElse(hn::Gt(x, top), Exp::f(d, x), small);
    return KeepNan(x, hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, result));
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
struct Log1p {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    using T = hn::TFromD<D>;
    const V inf = hn::Set(d, std::numeric_limits<T>::infinity());
    const V nan = hn::Set(d, std::numeric_limits<T>::quiet_NaN());
    const V minus_one = hn::Set(d, -1);
    V y = hn::Log1p(d, x);
    y = hn::IfThenElse(hn::Eq(x, inf), inf, y);
    y = hn::IfThenElse(hn::Eq(x, minus_one), hn::Neg(inf), y);
    y = hn::IfThenElse(hn::Eq(x, hn::Zero(d)), x, y);
    return KeepNan(x, hn::IfThenElse(hn::Lt(x, minus_one), nan, y));
  }
};
struct Sigmoid {  // through e^-|x|, which never overflows
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
    // the exponential of what is not above 0, where Highway's is right; of NaN it is 0, and the first term keeps the
    // NaN
    const V positive = hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
    return hn::Add(positive, log1p_of_part(d, hn::Exp(d, hn::Neg(hn::Abs(x)))));
  }

 private:
  /// log(1 + e) for e in [0, 1]: 2 atanh(t / 2) = t + t^3 P(t^2) with t = 2 e / (2 + e) <= 2/3. P is the polynomial of
  /// the least largest error in the result (Remez' exchange): 5e-9 of it in f32, 5e-17 in f64.
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
    V sum = hn::Set(d, static_cast<T>(p.back()));
    for (std::size_t k = p.size() - 1; k-- > 0;) sum = hn::MulAdd(sum, u, hn::Set(d, static_cast<T>(p[k])));
    return hn::MulAdd(hn::Mul(t, u), sum, t);
  }
};
struct Tanh {  // (1 - e^-2|x|) / (1 + e^-2|x|), with the numerator from expm1
  template <class D, class V>
  static HWY_INLINE V f(D d, V x) {
    const V e = Expm1::f(d, hn::Mul(hn::Set(d, -2), hn::Abs(x)));
    const V y = hn::Div(hn::Neg(e), hn::Add(hn::Set(d, 2), e));
    return KeepNan(x, hn::CopySignToAbs(y, x));
  }
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
    // beyond 30 the factor s (1 - s) is 0, and the others must not become infinite
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
