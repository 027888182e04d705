// Elementwise ops. A row states the value of one element in plain code (the reference of its tests), the micro-op that
// computes it, and g times the partial derivative by each input, from which forward and reverse mode both follow.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

Signature same_as_first(std::span<const Signature> inputs, const Attributes&) { return inputs[0]; }

/// Of gelu's approximation by tanh: x (1 + tanh u) / 2 = x sigmoid(2 u), u = gelu_scale (x + gelu_cubic x^3).
constexpr double gelu_scale = 0.79788456080286535588, gelu_cubic = 0.044715;
double gelu_gate(double x) { return 1 / (1 + std::exp(-2 * gelu_scale * (x + gelu_cubic * x * x * x))); }

struct Domain {
  double low = -2, high = 2;
};

/// One sample with random inputs of a small odd shape, to test the tails of loops, and one with several tiles.
std::vector<Sample> samples_for(std::string_view name, int arity, Domain domain, double (*scalar)(const double*)) {
  std::vector<Sample> samples;
  for (const Shape& shape : {Shape{3, 7}, Shape{1}, Shape{37, 41}}) {
    Sample sample;
    sample.shapes.assign(static_cast<std::size_t>(arity), shape);
    sample.low = domain.low;
    sample.high = domain.high;
    sample.call = [name](std::span<const Var> x) {
      std::vector<Arg> args(x.begin(), x.end());
      return apply_elementwise(op_named(name), args);
    };
    sample.expected = [arity, scalar](std::span<const Tensor> x) {
      Tensor y = x[0];
      for (std::int64_t i = 0; i < y.size(); ++i) {
        double inputs[4] = {};
        for (int k = 0; k < arity; ++k) inputs[k] = at(x, k).at(i);
        y.set(i, scalar(inputs));
      }
      return y;
    };
    samples.push_back(std::move(sample));
  }
  return samples;
}

/// What the planner knows about an op, and its notation.
struct Traits {
  SampleRule samples = elementwise_samples;
  std::optional<double> identity = {};
  bool commutes = false, undoes_itself = false;
  Form form = Form::call;
  std::string_view symbol = {};
};

Op row(std::string_view name, std::string_view formula, int arity, Domain domain, double (*scalar)(const double*),
       PartialRule partial, Traits traits = {}) {
  static std::deque<OpKernel> kernels;  // one for each op; the table is built once
  kernels.push_back({.micro = name});
  return {.name = name,
          .formula = formula,
          .kind = OpKind::elementwise,
          .arity = arity,
          .infer = same_as_first,
          .partial = partial,
          .identity = traits.identity,
          .commutes = traits.commutes,
          .undoes_itself = traits.undoes_itself,
          .form = traits.form,
          .symbol = traits.symbol,
          .samples_along = traits.samples,
          .kernel = &kernels.back(),
          .scalar = scalar,
          .samples = samples_for(name, arity, domain, scalar)};
}

using S = const Site&;
using In = const double*;
constexpr PartialRule zero = nullptr;

Var one_where(Var mask, Var g) { return where(mask, g, 0); }

Var halved_where_equal(S s, Var g) { return where(equal(s.x(0), s.x(1)), g * .5, g); }

/// 1 / sqrt(x^2 + c), c = 1 or -1, for x of every size: beyond `large`, where x^2 might overflow, it is 1 / |x|.
Var inverse_root(Var x, double c) {
  constexpr double large = 0x1p30;
  return rsqrt(square(clamp(x, -large, large)) + c) * (large / maximum(abs(x), large));
}

std::vector<Op> make_rows() {
  return {
      // arithmetic
      row(
          "add", "a + b", 2, {}, [](In x) { return x[0] + x[1]; }, [](S, int, Var g) { return g; },
          {.samples = linear_samples, .form = Form::sum}),
      row(
          "sub", "a - b", 2, {}, [](In x) { return x[0] - x[1]; }, [](S, int i, Var g) { return i ? -g : g; },
          {.samples = linear_samples, .form = Form::difference}),
      row(
          "mul", "a b", 2, {}, [](In x) { return x[0] * x[1]; }, [](S s, int i, Var g) { return g * s.x(1 - i); },
          {.samples = product_samples, .identity = 1, .commutes = true, .form = Form::product}),
      row(
          "div", "a / b", 2, {.5, 2}, [](In x) { return x[0] / x[1]; },
          [](S s, int i, Var g) { return i ? -(g * s.y()) / s.x(1) : g / s.x(1); },
          {.samples = quotient_samples, .identity = 1, .form = Form::quotient}),
      row(
          "neg", "-x", 1, {}, [](In x) { return -x[0]; }, [](S, int, Var g) { return -g; },
          {.samples = linear_samples, .undoes_itself = true, .form = Form::negative}),
      row(
          "pow", "a^b", 2, {.2, 2}, [](In x) { return std::pow(x[0], x[1]); },
          [](S s, int i, Var g) {
            const Var a = s.x(0), b = s.x(1);
            if (i == 0) return g * b * pow(a, where(equal(a, 0) * equal(b, 0), 0, b - 1));  // 0^-1 times 0 is 0 here
            const Var flat = equal(a, 0) * (b >= 0);  // 0^b is 0 beside such b, and falls from infinity beside others
            return where(flat, 0, g * s.y() * log(where(flat, 1, a)));
          },
          {.form = Form::power}),
      row(
          "square", "x^2", 1, {}, [](In x) { return x[0] * x[0]; }, [](S s, int, Var g) { return g * (2 * s.x()); },
          {.form = Form::square}),
      row(
          "sqrt", "x^(1/2)", 1, {.1, 3}, [](In x) { return std::sqrt(x[0]); },
          [](S s, int, Var g) { return g * .5 / s.y(); }),
      row(
          "rsqrt", "x^(-1/2)", 1, {.8, 3}, [](In x) { return 1 / std::sqrt(x[0]); },
          [](S s, int, Var g) { return g * -.5 * s.y() / s.x(); }, {.form = Form::reciprocal, .symbol = "sqrt"}),
      row(
          "reciprocal", "1 / x", 1, {.3, 3}, [](In x) { return 1 / x[0]; },
          [](S s, int, Var g) { return -(g * square(s.y())); }, {.form = Form::reciprocal}),
      row(
          "abs", "|x|", 1, {}, [](In x) { return std::abs(x[0]); }, [](S s, int, Var g) { return g * sign(s.x()); }),
      row(
          "sign", "-1, 0 or 1", 1, {}, [](In x) { return x[0] > 0   ? 1.
                                                         : x[0] < 0 ? -1.
                                                                    : x[0]; }, zero),
      row(
          "floor", "the largest whole number <= x", 1, {}, [](In x) { return std::floor(x[0]); }, zero),
      row(
          "ceil", "the smallest whole number >= x", 1, {}, [](In x) { return std::ceil(x[0]); }, zero),
      row(
          "round", "the nearest whole number, halves to even", 1, {}, [](In x) { return std::nearbyint(x[0]); }, zero),
      row(
          "minimum", "the smaller of a and b; equal ones share the gradient", 2, {},
          [](In x) { return std::min(x[0], x[1]); },
          [](S s, int i, Var g) { return where(s.x(i) > s.x(1 - i), 0, halved_where_equal(s, g)); }, {.symbol = "min"}),
      row(
          "maximum", "the larger of a and b; equal ones share the gradient", 2, {},
          [](In x) { return std::max(x[0], x[1]); },
          [](S s, int i, Var g) { return where(s.x(i) < s.x(1 - i), 0, halved_where_equal(s, g)); }, {.symbol = "max"}),
      row(
          "clamp", "min(max(x, low), high)", 3, {}, [](In x) { return std::min(std::max(x[0], x[1]), x[2]); },
          [](S s, int i, Var g) {
            const Var x = s.x(0), low = s.x(1), high = s.x(2);
            if (i == 0) return one_where((x >= low) * (x <= high), g);
            if (i == 1) return one_where((x < low) * (low < high), g);
            return one_where((x > high) + (low > high), g);
          }),
      // exponentials and logarithms
      row(
          "exp", "e^x", 1, {-1.5, 1.5}, [](In x) { return std::exp(x[0]); }, [](S s, int, Var g) { return g * s.y(); }),
      row(
          "expm1", "e^x - 1", 1, {-1.5, 1.5}, [](In x) { return std::expm1(x[0]); },
          [](S s, int, Var g) { return g * exp(s.x()); }),  // y + 1 is 0 where e^x is less than half a unit of 1
      row(
          "exp2", "2^x", 1, {-1.5, 1.5}, [](In x) { return std::exp2(x[0]); },
          [](S s, int, Var g) { return g * (s.y() * std::numbers::ln2); }),
      row(
          "log", "ln x", 1, {.5, 4}, [](In x) { return std::log(x[0]); }, [](S s, int, Var g) { return g / s.x(); }),
      row(
          "log1p", "ln(1 + x)", 1, {-.8, 3}, [](In x) { return std::log1p(x[0]); },
          [](S s, int, Var g) { return g / (s.x() + 1); }),
      row(
          "log2", "log to base 2", 1, {.5, 4}, [](In x) { return std::log2(x[0]); },
          [](S s, int, Var g) { return g / (s.x() * std::numbers::ln2); }),
      row(
          "log10", "log to base 10", 1, {.5, 4}, [](In x) { return std::log10(x[0]); },
          [](S s, int, Var g) { return g / (s.x() * std::numbers::ln10); }),
      // trigonometry
      row(
          "sin", "sin x", 1, {-4, 4}, [](In x) { return std::sin(x[0]); },
          [](S s, int, Var g) { return g * cos(s.x()); }),
      row(
          "cos", "cos x", 1, {-4, 4}, [](In x) { return std::cos(x[0]); },
          [](S s, int, Var g) { return -(g * sin(s.x())); }),
      row(
          "tan", "tan x", 1, {-1.2, 1.2}, [](In x) { return std::tan(x[0]); },
          [](S s, int, Var g) { return g * (square(s.y()) + 1); }),
      row(
          "asin", "the angle whose sine is x", 1, {-.9, .9}, [](In x) { return std::asin(x[0]); },
          [](S s, int, Var g) { return g * rsqrt(1 - square(s.x())); }),
      row(
          "acos", "the angle whose cosine is x", 1, {-.9, .9}, [](In x) { return std::acos(x[0]); },
          [](S s, int, Var g) { return -(g * rsqrt(1 - square(s.x()))); }),
      row(
          "atan", "the angle whose tangent is x", 1, {-3, 3}, [](In x) { return std::atan(x[0]); },
          [](S s, int, Var g) { return g / (square(s.x()) + 1); }),
      row(
          "atan2", "the angle of the point (b, a)", 2, {.3, 2}, [](In x) { return std::atan2(x[0], x[1]); },
          [](S s, int i, Var g) {
            // x / (x^2 + y^2), divided by the longer side first: neither square overflows or vanishes
            const Var longer = stop_gradient(maximum(abs(s.x(0)), abs(s.x(1))));
            const bool wide = longer.dtype() == f64;
            const Var side = clamp(longer, wide ? 0x1p-1022 : 0x1p-126, wide ? 0x1p1022 : 0x1p126);
            const Var y = s.x(0) / side, x = s.x(1) / side, length2 = square(y) + square(x);
            return (i ? -(g * y) : g * x) / length2 / side;
          }),
      row(
          "sinh", "(e^x - e^-x) / 2", 1, {}, [](In x) { return std::sinh(x[0]); },
          [](S s, int, Var g) { return g * cosh(s.x()); }),
      row(
          "cosh", "(e^x + e^-x) / 2", 1, {}, [](In x) { return std::cosh(x[0]); },
          [](S s, int, Var g) { return g * sinh(s.x()); }),
      row(
          "tanh", "sinh x / cosh x", 1, {-3, 3}, [](In x) { return std::tanh(x[0]); },
          [](S s, int, Var g) { return g * (1 - square(s.y())); }),
      row(
          "asinh", "the inverse of sinh", 1, {-3, 3}, [](In x) { return std::asinh(x[0]); },
          [](S s, int, Var g) { return g * inverse_root(s.x(), 1); }),
      row(
          "acosh", "the inverse of cosh", 1, {1.2, 4}, [](In x) { return std::acosh(x[0]); },
          [](S s, int, Var g) { return g * inverse_root(s.x(), -1); }),
      row(
          "atanh", "the inverse of tanh", 1, {-.9, .9}, [](In x) { return std::atanh(x[0]); },
          [](S s, int, Var g) { return g / (1 - square(s.x())); }),
      row(
          "erf", "2/sqrt(pi) times the integral of e^(-t^2) from 0 to x", 1, {}, [](In x) { return std::erf(x[0]); },
          [](S s, int, Var g) { return g * (2 * std::numbers::inv_sqrtpi) * exp(-square(s.x())); }),
      // activations with a vector loop of their own
      row(
          "sigmoid", "1 / (1 + e^-x)", 1, {-4, 4}, [](In x) { return 1 / (1 + std::exp(-x[0])); },
          [](S s, int, Var g) { return g * (s.y() * (1 - s.y())); }),
      row(
          "softplus", "ln(1 + e^x)", 1, {-4, 4},
          [](In x) { return std::max(x[0], 0.) + std::log1p(std::exp(-std::abs(x[0]))); },
          [](S s, int, Var g) { return g * sigmoid(s.x()); }),
      row(
          "gelu_tanh", "x sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3)", 1, {-3, 3},
          [](In x) { return x[0] * gelu_gate(x[0]); },
          [](S s, int, Var g) { return g * apply("gelu_tanh_slope", {s.x()}); }),
      row(
          "gelu_tanh_slope", "s + x s (1 - s) 2 u', s = sigmoid(2 u)", 1, {-3, 3},
          [](In x) {
            const double s = gelu_gate(x[0]);
            return s + x[0] * s * (1 - s) * 2 * gelu_scale * (1 + 3 * gelu_cubic * x[0] * x[0]);
          },
          [](S s, int, Var g) {                   // 2 s' + x s'', where s' = s (1 - s) v, v = 2 u'
            const Var x = clamp(s.x(), -30, 30);  // outside these bounds it is 0, and no term may become infinite
            const Var v = 2 * gelu_scale * (1 + 3 * gelu_cubic * square(x));
            const Var gate = sigmoid(2 * gelu_scale * (x + gelu_cubic * x * square(x)));
            const Var rise = gate * (1 - gate);
            return g * (rise * (2 * v + x * ((1 - 2 * gate) * square(v) + 12 * gelu_scale * gelu_cubic * x)));
          }),
      row(
          "relu", "max(x, 0)", 1, {}, [](In x) { return std::max(x[0], 0.); },
          [](S s, int, Var g) { return where(s.y() <= 0, 0, g); }),
      // comparisons and choice
      row("less", "1 where a < b, else 0", 2, {}, [](In x) { return x[0] < x[1] ? 1. : 0.; }, zero,
          {.form = Form::comparison, .symbol = "<"}),
      row("less_equal", "1 where a <= b, else 0", 2, {}, [](In x) { return x[0] <= x[1] ? 1. : 0.; }, zero,
          {.form = Form::comparison, .symbol = "<="}),
      row("equal", "1 where a = b, else 0", 2, {}, [](In x) { return x[0] == x[1] ? 1. : 0.; }, zero,
          {.form = Form::comparison, .symbol = "="}),
      row("not_equal", "1 where a is not b, else 0", 2, {}, [](In x) { return x[0] != x[1] ? 1. : 0.; }, zero,
          {.form = Form::comparison, .symbol = "!="}),
      row(
          "where", "a where the condition is not 0, else b", 3, {}, [](In x) { return x[0] != 0 ? x[1] : x[2]; },
          [](S s, int i, Var g) { return i == 0   ? Var{}
                                         : i == 1 ? where(s.x(0), g, 0)
                                                  : where(s.x(0), 0, g); },
          {.form = Form::choice}),
  };
}

Var elementwise(std::string_view name, std::initializer_list<Arg> args) {
  return apply_elementwise(op_named(name), std::span(args.begin(), args.size()));
}

}  // namespace

std::span<const Op> elementwise_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var operator/(const Arg& a, const Arg& b) { return elementwise("div", {a, b}); }
Var sqrt(const Arg& x) { return elementwise("sqrt", {x}); }
Var rsqrt(const Arg& x) { return elementwise("rsqrt", {x}); }
Var reciprocal(const Arg& x) { return elementwise("reciprocal", {x}); }
Var floor(const Arg& x) { return elementwise("floor", {x}); }
Var ceil(const Arg& x) { return elementwise("ceil", {x}); }
Var round(const Arg& x) { return elementwise("round", {x}); }
Var exp(const Arg& x) { return elementwise("exp", {x}); }
Var expm1(const Arg& x) { return elementwise("expm1", {x}); }
Var exp2(const Arg& x) { return elementwise("exp2", {x}); }
Var log(const Arg& x) { return elementwise("log", {x}); }
Var log1p(const Arg& x) { return elementwise("log1p", {x}); }
Var log2(const Arg& x) { return elementwise("log2", {x}); }
Var log10(const Arg& x) { return elementwise("log10", {x}); }
Var sin(const Arg& x) { return elementwise("sin", {x}); }
Var cos(const Arg& x) { return elementwise("cos", {x}); }
Var tan(const Arg& x) { return elementwise("tan", {x}); }
Var asin(const Arg& x) { return elementwise("asin", {x}); }
Var acos(const Arg& x) { return elementwise("acos", {x}); }
Var atan(const Arg& x) { return elementwise("atan", {x}); }
Var atan2(const Arg& y, const Arg& x) { return elementwise("atan2", {y, x}); }
Var sinh(const Arg& x) { return elementwise("sinh", {x}); }
Var cosh(const Arg& x) { return elementwise("cosh", {x}); }
Var tanh(const Arg& x) { return elementwise("tanh", {x}); }
Var asinh(const Arg& x) { return elementwise("asinh", {x}); }
Var acosh(const Arg& x) { return elementwise("acosh", {x}); }
Var atanh(const Arg& x) { return elementwise("atanh", {x}); }
Var erf(const Arg& x) { return elementwise("erf", {x}); }
Var sigmoid(const Arg& x) { return elementwise("sigmoid", {x}); }
Var gelu_tanh(const Arg& x) { return elementwise("gelu_tanh", {x}); }
Var softplus(const Arg& x) { return elementwise("softplus", {x}); }
Var relu(const Arg& x) { return elementwise("relu", {x}); }
namespace {

/// Whether the arguments are i32, possibly with plain numbers. Throws UsageError for a number that must be whole and is
/// not.
bool are_whole(std::string_view op, std::initializer_list<Arg> args, bool gives_them) {
  bool some = false;
  for (const Arg& arg : args) {
    if (!arg.is_number() && !is_i32(arg)) return false;
    some = some || !arg.is_number();
  }
  if (!some || !gives_them) return some;
  const auto whole = std::ranges::find_if_not(args, &Arg::is_number);  // the error names the user's line
  for (const Arg& arg : args) {
    if (!arg.is_number() || arg.number() == std::floor(arg.number())) continue;
    fail<UsageError>("[{}] {} beside i32. Hint: a whole number, or tw::cast(x, tw::f32).{}", op, arg.number(),
                     at(whole->source()));
  }
  return true;
}

Var comparison(std::string_view name, const Arg& a, const Arg& b) {
  if (!are_whole(name, {a, b}, false)) return elementwise(name, {a, b});
  return cast(elementwise(name, {in_f64(a), in_f64(b)}), i32);
}

/// An op that gives a whole number for whole numbers: i32 for i32.
Var of_any_number(std::string_view name, std::initializer_list<Arg> args) {
  if (!are_whole(name, args, true)) return elementwise(name, args);
  std::vector<Arg> wide;
  for (const Arg& arg : args) wide.push_back(in_f64(arg));
  return cast(apply_elementwise(op_named(name), wide), i32);
}

}  // namespace

Var operator+(const Arg& a, const Arg& b) { return of_any_number("add", {a, b}); }
Var operator-(const Arg& a, const Arg& b) { return of_any_number("sub", {a, b}); }
Var operator*(const Arg& a, const Arg& b) { return of_any_number("mul", {a, b}); }
Var operator-(const Arg& x) { return of_any_number("neg", {x}); }
Var square(const Arg& x) { return of_any_number("square", {x}); }
Var abs(const Arg& x) { return of_any_number("abs", {x}); }
Var sign(const Arg& x) { return of_any_number("sign", {x}); }
Var minimum(const Arg& a, const Arg& b) { return of_any_number("minimum", {a, b}); }
Var maximum(const Arg& a, const Arg& b) { return of_any_number("maximum", {a, b}); }
Var clamp(const Arg& x, const Arg& low, const Arg& high) { return of_any_number("clamp", {x, low, high}); }
Var operator<(const Arg& a, const Arg& b) { return comparison("less", a, b); }
Var operator<=(const Arg& a, const Arg& b) { return comparison("less_equal", a, b); }
Var operator>(const Arg& a, const Arg& b) { return comparison("less", b, a); }
Var operator>=(const Arg& a, const Arg& b) { return comparison("less_equal", b, a); }
Var equal(const Arg& a, const Arg& b) { return comparison("equal", a, b); }
Var not_equal(const Arg& a, const Arg& b) { return comparison("not_equal", a, b); }

Var where(const Arg& condition, const Arg& then, const Arg& otherwise) {
  if (are_whole("where", {then, otherwise}, true)) {
    return cast(where(in_f64(condition), in_f64(then), in_f64(otherwise)), i32);
  }
  if (condition.is_number() || !is_i32(condition)) return elementwise("where", {condition, then, otherwise});
  const Arg& other = then.is_number() ? otherwise : then;
  const DType dtype = other.is_number() ? f32 : var_of(other).dtype();
  return elementwise("where", {Arg(cast(condition, dtype), condition.source()), then, otherwise});
}

namespace {
Var one_everywhere(const Arg& x) {
  const Var v = var_of(x), one = broadcast_to(as_var(1, v), v.shape());
  return is_i32(x) ? cast(one, i32) : one;
}
}  // namespace

Var pow(const Arg& x, const Arg& exponent) {
  if (exponent.is_number() && x.is_var()) {  // powers that other ops compute faster and exactly
    if (exponent.number() == 0) return one_everywhere(x);
    if (exponent.number() == 2) return square(x);
    if (exponent.number() == 1) return var_of(x);
    if (exponent.number() == 0.5) return sqrt(x);
    if (exponent.number() == 3) return square(x) * x;
    if (exponent.number() == -1) return reciprocal(x);
  }
  return elementwise("pow", {x, exponent});
}

}  // namespace thalweg
