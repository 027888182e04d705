// The table of micro-ops and their loops. Compiled once for each instruction set, with Highway's kind of include guard;
// see micro_ops.cpp.
#if defined(THALWEG_MICRO_OPS_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef THALWEG_MICRO_OPS_INL
#undef THALWEG_MICRO_OPS_INL
#else
#define THALWEG_MICRO_OPS_INL
#endif

#include <hwy/highway.h>
#include <cmath>
#include <limits>
#include <utility>

#include "tiles/circular-inl.hpp"
#include "tiles/exponentials-inl.hpp"
#include "tiles/instructions.hpp"
#include "tiles/tail-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace thalweg {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

/// Functions of vectors, and of the symbols that take their place.
namespace vec {
using namespace hwy::HWY_NAMESPACE;
using namespace symbolic;
}  // namespace vec

// Each micro-op is one struct with a formula of vectors. `d` has the element type and the number of lanes.

struct Copy {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return a;
  }
};
struct Neg {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Neg(a);
  }
};
struct Abs {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Abs(a);
  }
};
struct Square {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Mul(a, a);
  }
};
struct Sqrt {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Sqrt(a);
  }
};
struct Rsqrt {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a) {
    return vec::Div(vec::Set(d, 1), vec::Sqrt(a));
  }
};
struct Reciprocal {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a) {
    return vec::Div(vec::Set(d, 1), a);
  }
};
struct Floor {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Floor(a);
  }
};
struct Ceil {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Ceil(a);
  }
};
struct Round {
  template <class D, class V>
  static HWY_INLINE V f(D, V a) {
    return vec::Round(a);
  }
};
struct Relu {
  // written so that NaN stays NaN
  template <class D, class V>
  static HWY_INLINE V f(D d, V a) {
    return vec::IfThenZeroElse(vec::Lt(a, vec::Zero(d)), a);
  }
};
struct Sign {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a) {
    const V unit = vec::CopySignToAbs(vec::Set(d, 1), a);
    return vec::IfThenElse(vec::Gt(vec::Abs(a), vec::Zero(d)), unit, a);  // 0 and NaN are returned unchanged
  }
};

struct Add {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::Add(a, b);
  }
};
struct Sub {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::Sub(a, b);
  }
};
struct Mul {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::Mul(a, b);
  }
};
struct Div {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::Div(a, b);
  }
};
// NaN stays NaN: a comparison with a NaN is false, so the inner selection gives a where that is NaN.
struct Minimum {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::IfThenElse(vec::IsNaN(b), b, vec::IfThenElse(vec::Lt(b, a), b, a));
  }
};
struct Maximum {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::IfThenElse(vec::IsNaN(b), b, vec::IfThenElse(vec::Gt(b, a), b, a));
  }
};
template <class D, class M>
HWY_INLINE auto OneWhere(D d, M mask) {
  return vec::IfThenElseZero(mask, vec::Set(d, 1));
}
struct Less {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a, V b) {
    return OneWhere(d, vec::Lt(a, b));
  }
};
struct LessEqual {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a, V b) {
    return OneWhere(d, vec::Le(a, b));
  }
};
struct Equal {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a, V b) {
    return OneWhere(d, vec::Eq(a, b));
  }
};
struct NotEqual {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a, V b) {
    return OneWhere(d, vec::Not(vec::Eq(a, b)));  // Ne is false for NaN on some instruction sets
  }
};

struct Where {
  template <class D, class V>
  static HWY_INLINE V f(D d, V c, V a, V b) {
    return vec::IfThenElse(vec::Eq(c, vec::Zero(d)), b, a);
  }
};
struct Clamp {
  template <class D, class V>
  static HWY_INLINE V f(D d, V x, V low, V high) {
    return Minimum::f(d, Maximum::f(d, x, low), high);
  }
};

// Pairs and triples of ops that often occur together. Each rounds as its parts would: no fused multiply-add.
struct MulAdd {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c) {
    return vec::Add(vec::Mul(a, b), c);
  }
};
struct MulSub {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c) {
    return vec::Sub(vec::Mul(a, b), c);
  }
};
struct SubMul {
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c) {
    return vec::Sub(c, vec::Mul(a, b));
  }
};
struct Blend {  // a b + c d
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c, V e) {
    return vec::Add(vec::Mul(a, b), vec::Mul(c, e));
  }
};
struct BlendSquare {  // a b + c d^2, where the square is computed first, as written in update rules
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c, V e) {
    return vec::Add(vec::Mul(a, b), vec::Mul(c, vec::Mul(e, e)));
  }
};
struct SqrtAdd {  // sqrt(a) + b
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b) {
    return vec::Add(vec::Sqrt(a), b);
  }
};
struct SqrtMulAdd {  // sqrt(a) b + c
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c) {
    return vec::Add(vec::Mul(vec::Sqrt(a), b), c);
  }
};
struct MulDiv {  // a b / c
  template <class D, class V>
  static HWY_INLINE V f(D, V a, V b, V c) {
    return vec::Div(vec::Mul(a, b), c);
  }
};

/// The nearest bf16, as in to_bf16. For f32 only.
struct RoundToBf16 {
  template <class D, class V>
  static HWY_INLINE V f(D d, V a) {
    const hn::RebindToUnsigned<D> u;
    const auto bits = hn::BitCast(u, a);
    const auto upper = hn::ShiftRight<16>(bits), mask = hn::Set(u, 0xffff0000U);
    const auto half = hn::Add(hn::Set(u, 0x7fffU), hn::And(upper, hn::Set(u, 1U)));
    const auto nearest = hn::And(hn::Add(bits, half), mask);
    // a NaN whose upper half equals that of infinity needs its own case
    const auto bare = hn::Eq(hn::And(bits, hn::Set(u, 0x7f0000U)), hn::Zero(u));
    const auto nan = hn::Or(hn::And(bits, mask), hn::IfThenElseZero(bare, hn::Set(u, 0x400000U)));
    return hn::IfThenElse(hn::IsNaN(a), hn::BitCast(d, nan), hn::BitCast(d, nearest));
  }
};

// Functions that Highway does not have, or not with full precision, are computed element by element with the C library.
struct TanOf {
  template <class T>
  static T of(T x) {
    return std::tan(x);
  }
};
struct AsinOf {
  template <class T>
  static T of(T x) {
    return std::asin(x);
  }
};
struct AcosOf {
  template <class T>
  static T of(T x) {
    return std::acos(x);
  }
};
struct AtanOf {
  template <class T>
  static T of(T x) {
    return std::atan(x);
  }
};
struct SinhOf {
  template <class T>
  static T of(T x) {
    return std::sinh(x);
  }
};
struct CoshOf {
  template <class T>
  static T of(T x) {
    return std::cosh(x);
  }
};
struct AsinhOf {
  template <class T>
  static T of(T x) {
    return std::asinh(x);
  }
};
struct AcoshOf {
  template <class T>
  static T of(T x) {
    return std::acosh(x);
  }
};
struct AtanhOf {
  template <class T>
  static T of(T x) {
    return std::atanh(x);
  }
};
struct Exp2Of {
  template <class T>
  static T of(T x) {
    return std::exp2(x);
  }
};
struct Log2Of {
  template <class T>
  static T of(T x) {
    return std::log2(x);
  }
};
struct Log10Of {
  template <class T>
  static T of(T x) {
    return std::log10(x);
  }
};
struct PowOf {
  template <class T>
  static T of(T x, T y) {
    // Adam's decay late in a run: as y log x <= y (x - 1), the result rounds to 0, and the library takes longer for
    // such a power than for any other.
    using Number = std::numeric_limits<T>;
    constexpr T log_least = (Number::min_exponent - Number::digits - 1) * static_cast<T>(0.6932);
    if (x > 0 && x < 1 && y * (x - 1) < log_least) return 0;
    return std::pow(x, y);
  }
};
struct Atan2Of {
  template <class T>
  static T of(T x, T y) {
    return std::atan2(x, y);
  }
};

/// A scalar function, applied to each element.
template <class F, class T>
concept OfNumbers = requires {
  &F::template of<T>;
};

// The loop around a micro-op. `scalars` has a bit for each operand that is a single number.
template <class F, class T, int arity, unsigned scalars>
requires(!OfNumbers<F, T>) HWY_NOINLINE
    void Run(void* out_bytes, const void* const* operand_bytes, std::int64_t count) {
  const auto n = static_cast<std::size_t>(count);
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  T* out = static_cast<T*>(out_bytes);
  const T* a = static_cast<const T*>(operand_bytes[0]);
  const T* b = arity > 1 ? static_cast<const T*>(operand_bytes[1]) : a;
  const T* c = arity > 2 ? static_cast<const T*>(operand_bytes[2]) : a;
  const T* e = arity > 3 ? static_cast<const T*>(operand_bytes[3]) : a;
  const V a1 = hn::Set(d, *a), b1 = hn::Set(d, *b), c1 = hn::Set(d, *c), e1 = hn::Set(d, *e);
  const auto apply = [&](auto load) HWY_ATTR {
    const V va = (scalars & 1U) ? a1 : load(a);
    if constexpr (arity == 1) {
      return F::f(d, va);
    } else {
      const V vb = (scalars & 2U) ? b1 : load(b);
      if constexpr (arity == 2) {
        return F::f(d, va, vb);
      } else {
        const V vc = (scalars & 4U) ? c1 : load(c);
        if constexpr (arity == 3) {
          return F::f(d, va, vb, vc);
        } else {
          return F::f(d, va, vb, vc, (scalars & 8U) ? e1 : load(e));
        }
      }
    }
  };
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    hn::StoreU(apply([&](const T* p) HWY_ATTR { return hn::LoadU(d, p + i); }), d, out + i);
  }
  if (i < n) {
    const V last = apply([&](const T* p) HWY_ATTR { return LoadTail(d, p + i, n - i); });
    hn::BlendedStore(last, hn::FirstN(d, n - i), d, out + i);
  }
}

template <class F, class T, int arity, unsigned scalars>
requires OfNumbers<F, T> HWY_NOINLINE void Run(void* out_bytes, const void* const* operand_bytes, std::int64_t n) {
  T* out = static_cast<T*>(out_bytes);
  const T* a = static_cast<const T*>(operand_bytes[0]);
  const T* b = arity > 1 ? static_cast<const T*>(operand_bytes[1]) : a;
  const T a1 = *a, b1 = *b;
  for (std::int64_t i = 0; i < n; ++i) {
    const T x = (scalars & 1U) ? a1 : a[i];
    if constexpr (arity == 1) {
      out[i] = F::of(x);
    } else {
      out[i] = F::of(x, (scalars & 2U) ? b1 : b[i]);
    }
  }
}

template <class F, class T, int arity>
constexpr std::array<MicroOp::Run, 16> Variants() {
  std::array<MicroOp::Run, 16> runs{};
  runs[0] = Run<F, T, arity, 0>;
  if constexpr (arity == 2) runs[1] = Run<F, T, 2, 1>, runs[2] = Run<F, T, 2, 2>;
  if constexpr (arity == 3) {
    runs[1] = Run<F, T, 3, 1>, runs[2] = Run<F, T, 3, 2>, runs[3] = Run<F, T, 3, 3>;
    runs[4] = Run<F, T, 3, 4>, runs[5] = Run<F, T, 3, 5>, runs[6] = Run<F, T, 3, 6>;
  }
  // of four operands, only numbers in the second and fourth place, or the first and third, occur
  if constexpr (arity == 4) runs[5] = Run<F, T, 4, 5>, runs[10] = Run<F, T, 4, 10>;
  return runs;
}

/// The formula F as instructions.
template <class F, int arity>
const VectorFormula& FormulaOf() {
  static const VectorFormula formula = []<int... operands>(std::integer_sequence<int, operands...>) {
    VectorFormula recorded{arity, {}, 0};
    recorded.result = F::f(Symbols{&recorded}, Symbol{&recorded, operands}...).value;
    return recorded;
  }
  (std::make_integer_sequence<int, arity>());
  return formula;
}

/// A short formula, which is also compiled to machine code.
template <class F, int arity>
constexpr MicroOp Arithmetic(std::string_view name) {
  return {name, arity, false, FormulaOf<F, arity>, Variants<F, float, arity>(), Variants<F, double, arity>()};
}
/// A function of dozens of instructions, which is not compiled.
template <class F, int arity>
constexpr MicroOp Function(std::string_view name) {
  return {name, arity, OfNumbers<F, float>, nullptr, Variants<F, float, arity>(), Variants<F, double, arity>()};
}

/// A micro-op for f32 only.
template <class F, int arity>
constexpr MicroOp FunctionOfF32(std::string_view name) {
  return {name, arity, OfNumbers<F, float>, nullptr, Variants<F, float, arity>(), {}};
}

constexpr MicroOp micro_table[] = {
    Arithmetic<Copy, 1>("copy"),
    Arithmetic<Neg, 1>("neg"),
    Arithmetic<Abs, 1>("abs"),
    Arithmetic<Square, 1>("square"),
    Arithmetic<Sqrt, 1>("sqrt"),
    Arithmetic<Rsqrt, 1>("rsqrt"),
    Arithmetic<Reciprocal, 1>("reciprocal"),
    Arithmetic<Floor, 1>("floor"),
    Arithmetic<Ceil, 1>("ceil"),
    Arithmetic<Round, 1>("round"),
    Arithmetic<Relu, 1>("relu"),
    Arithmetic<Sign, 1>("sign"),
    FunctionOfF32<RoundToBf16, 1>("round_to_bf16"),
    Function<Exp, 1>("exp"),
    Function<Expm1, 1>("expm1"),
    Function<Log, 1>("log"),
    Function<Log1p, 1>("log1p"),
    Function<Sigmoid, 1>("sigmoid"),
    Function<Softplus, 1>("softplus"),
    Function<Tanh, 1>("tanh"),
    Function<GeluTanh, 1>("gelu_tanh"),
    Function<GeluTanhSlope, 1>("gelu_tanh_slope"),
    Function<Sin, 1>("sin"),
    Function<Cos, 1>("cos"),
    Function<TanOf, 1>("tan"),
    Function<AsinOf, 1>("asin"),
    Function<AcosOf, 1>("acos"),
    Function<AtanOf, 1>("atan"),
    Function<SinhOf, 1>("sinh"),
    Function<CoshOf, 1>("cosh"),
    Function<AsinhOf, 1>("asinh"),
    Function<AcoshOf, 1>("acosh"),
    Function<AtanhOf, 1>("atanh"),
    Function<Erf, 1>("erf"),
    Function<Exp2Of, 1>("exp2"),
    Function<Log2Of, 1>("log2"),
    Function<Log10Of, 1>("log10"),
    Arithmetic<Add, 2>("add"),
    Arithmetic<Sub, 2>("sub"),
    Arithmetic<Mul, 2>("mul"),
    Arithmetic<Div, 2>("div"),
    Arithmetic<Minimum, 2>("minimum"),
    Arithmetic<Maximum, 2>("maximum"),
    Arithmetic<Less, 2>("less"),
    Arithmetic<LessEqual, 2>("less_equal"),
    Arithmetic<Equal, 2>("equal"),
    Arithmetic<NotEqual, 2>("not_equal"),
    Function<PowOf, 2>("pow"),
    Function<Atan2Of, 2>("atan2"),
    Arithmetic<Where, 3>("where"),
    Arithmetic<Clamp, 3>("clamp"),
    Arithmetic<MulAdd, 3>("mul_add"),
    Arithmetic<MulSub, 3>("mul_sub"),
    Arithmetic<SubMul, 3>("sub_mul"),
    Arithmetic<SqrtAdd, 2>("sqrt_add"),
    Arithmetic<SqrtMulAdd, 3>("sqrt_mul_add"),
    Arithmetic<MulDiv, 3>("mul_div"),
    Arithmetic<Blend, 4>("blend"),
    Arithmetic<BlendSquare, 4>("blend_square"),
};

}  // namespace

std::span<const MicroOp> MicroTable() { return micro_table; }
const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace thalweg
HWY_AFTER_NAMESPACE();
#endif
