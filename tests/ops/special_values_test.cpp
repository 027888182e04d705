// The vector loops against the C library: zeros of both signs, infinities, NaN, denormals, huge numbers, and the
// accuracy in units in the last place over a sweep.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "evaluate.hpp"
#include "far_cpu.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Wide = long double;

struct Unary {
  std::string_view name;
  Wide (*exact)(Wide);
  double ulps;  // the bound, in units of the last place of the exact result
};

// Functions that are computed by the C library have its accuracy: a unit or two.
const Unary unary[] = {
    {"neg", [](Wide x) { return -x; }, 0},
    {"abs", [](Wide x) { return std::abs(x); }, 0},
    {"square", [](Wide x) { return x * x; }, 0.501},
    {"sqrt", [](Wide x) { return std::sqrt(x); }, 0.501},
    {"rsqrt", [](Wide x) { return 1 / std::sqrt(x); }, 1.5},
    {"reciprocal", [](Wide x) { return 1 / x; }, 0.501},
    {"floor", [](Wide x) { return std::floor(x); }, 0},
    {"ceil", [](Wide x) { return std::ceil(x); }, 0},
    {"round", [](Wide x) { return std::nearbyint(x); }, 0},
    {"relu", [](Wide x) { return std::isnan(x) ? x : std::max(x, Wide{0}); }, 0},
    {"sign", [](Wide x) { return x > 0   ? 1
                                 : x < 0 ? -1
                                         : x; }, 0},
    {"exp", [](Wide x) { return std::exp(x); }, 1.5},
    {"expm1", [](Wide x) { return std::expm1(x); }, 1},
    {"exp2", [](Wide x) { return std::exp2(x); }, 1},
    {"log", [](Wide x) { return std::log(x); }, 1.5},
    {"log1p", [](Wide x) { return std::log1p(x); }, 1},
    {"log2", [](Wide x) { return std::log2(x); }, 1.5},
    {"log10", [](Wide x) { return std::log10(x); }, 2.5},
    {"sin", [](Wide x) { return std::sin(x); }, 1},
    {"cos", [](Wide x) { return std::cos(x); }, 1},
    {"tan", [](Wide x) { return std::tan(x); }, 1.5},
    {"asin", [](Wide x) { return std::asin(x); }, 1},
    {"acos", [](Wide x) { return std::acos(x); }, 1},
    {"atan", [](Wide x) { return std::atan(x); }, 1},
    {"sinh", [](Wide x) { return std::sinh(x); }, 2.5},
    {"cosh", [](Wide x) { return std::cosh(x); }, 2.5},
    {"asinh", [](Wide x) { return std::asinh(x); }, 2.5},
    {"acosh", [](Wide x) { return std::acosh(x); }, 2.5},
    {"atanh", [](Wide x) { return std::atanh(x); }, 2.5},
    {"erf", [](Wide x) { return std::erf(x); }, 1.5},
    {"tanh", [](Wide x) { return std::tanh(x); }, 2},
    {"sigmoid", [](Wide x) { return 1 / (1 + std::exp(-x)); }, 4},
    {"softplus", [](Wide x) { return std::max(x, Wide{0}) + std::log1p(std::exp(-std::abs(x))); }, 4},
};

struct Binary {
  std::string_view name;
  Wide (*exact)(Wide, Wide);
  double ulps;
};

Wide either_nan(Wide a, Wide b, Wide otherwise) { return std::isnan(a) ? a : std::isnan(b) ? b : otherwise; }

const Binary binary[] = {
    {"add", [](Wide a, Wide b) { return a + b; }, 0.501},
    {"sub", [](Wide a, Wide b) { return a - b; }, 0.501},
    {"mul", [](Wide a, Wide b) { return a * b; }, 0.501},
    {"div", [](Wide a, Wide b) { return a / b; }, 0.501},
    {"minimum", [](Wide a, Wide b) { return either_nan(a, b, std::min(a, b)); }, 0},
    {"maximum", [](Wide a, Wide b) { return either_nan(a, b, std::max(a, b)); }, 0},
    {"less", [](Wide a, Wide b) { return Wide(a < b); }, 0},
    {"less_equal", [](Wide a, Wide b) { return Wide(a <= b); }, 0},
    {"equal", [](Wide a, Wide b) { return Wide(a == b); }, 0},
    {"not_equal", [](Wide a, Wide b) { return Wide(a != b); }, 0},
    {"pow", [](Wide a, Wide b) { return std::pow(a, b); }, 1.5},
    {"atan2", [](Wide a, Wide b) { return std::atan2(a, b); }, 1.5},
};

/// Units of the last place that a GPU's functions may be off, where this CPU's may be off by fewer: those of NVIDIA's
/// compiler are documented with up to 4, and some of ours are made of two.
double allowed(double ulps) { return testing::is_on_a_gpu() ? std::max(ulps, 8.0) : ulps; }

/// Whether a GPU takes a number for 0. (The stand-ins do so in f64 too.)
template <class T>
bool is_lost(T x) {
  return testing::is_on_a_gpu() && std::fpclassify(x) == FP_SUBNORMAL;
}

template <class T>
double ulps_between(T got, Wide exact) {
  const T rounded = static_cast<T>(exact);
  const T least = std::numeric_limits<T>::min();
  if (testing::is_on_a_gpu() && std::abs(exact) <= least && std::abs(got) <= least) return 0;
  if (std::isnan(exact)) return std::isnan(got) ? 0 : std::numeric_limits<double>::infinity();
  if (got == rounded) return std::signbit(got) == std::signbit(rounded) ? 0 : std::numeric_limits<double>::infinity();
  const T largest = std::numeric_limits<T>::max(), infinity = std::numeric_limits<T>::infinity();
  const T size = std::min(std::abs(rounded), largest);
  const Wide unit =
      size == largest ? Wide(size) - std::nextafter(size, T{0}) : std::nextafter(size, infinity) - Wide(size);
  return static_cast<double>(std::abs(Wide(std::isinf(got) ? std::copysign(largest, got) : got) - exact) / unit);
}

template <class T>
std::vector<T> special() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values;
  for (T x : {T{0},
              Limits::infinity(),
              Limits::quiet_NaN(),
              Limits::denorm_min(),
              Limits::min() / 4,
              Limits::min(),
              Limits::epsilon(),
              T(1e-10),
              T(0.5),
              T(1),
              T(1.5),
              T(2),
              T(2.5),
              T(3),
              T(20),
              T(88.7),
              T(89),
              T(103.5),
              T(104.5),
              T(709.7),
              T(709.8),
              T(745.5),
              T(1e10),
              Limits::max() / 2,
              Limits::max(),
              std::nextafter(T{1}, T{0}),
              std::nextafter(T{1}, T{2})}) {
    values.push_back(x);
    values.push_back(-x);
  }
  return values;
}

/// Numbers of all magnitudes, and many around 1.
template <class T>
std::vector<T> sweep(int count) {
  using Limits = std::numeric_limits<T>;
  const Tensor u = random_uniform({count}, -1, 1, 1, f64), sign = random_uniform({count}, -1, 1, 2, f64);
  std::vector<T> values;
  for (int i = 0; i < count; ++i) {
    const double every = std::exp2(u.at(i) * (Limits::max_exponent - 1)), everyday = u.at(i) * (i % 4 == 1 ? 1 : 100);
    values.push_back(static_cast<T>(i % 2 ? everyday : std::copysign(every, sign.at(i))));
  }
  return values;
}

Tensor computed(std::string_view op, const std::vector<Tensor>& inputs) {
  return evaluate(
      [&](const std::vector<Var>& x) {
        return std::vector<Var>{apply_elementwise(op_named(op), std::vector<Arg>(x.begin(), x.end()))};
      },
      inputs)[0];
}

template <class T>
void check_unary(const Unary& op, const std::vector<T>& values) {
  const Tensor y = computed(op.name, {Tensor::from(values, {static_cast<std::int64_t>(values.size())})});
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (is_lost(values[i])) continue;
    const T got = y.values<T>()[i];
    const Wide exact = op.exact(values[i]);
    EXPECT_LE(ulps_between(got, exact), allowed(op.ulps))
        << op.name << "(" << values[i] << ") = " << got << ", exactly " << exact;
  }
}

template <class T>
class SpecialValues : public ::testing::Test {};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(SpecialValues, Types);

TYPED_TEST(SpecialValues, UnaryOpsAgreeWithTheCLibrary) {
  for (const Unary& op : unary) {
    check_unary(op, special<TypeParam>());
  }
}

TYPED_TEST(SpecialValues, UnaryOpsAreExactToTheStatedUnits) {
  for (const Unary& op : unary) {
    check_unary(op, sweep<TypeParam>(20000));
  }
}

TYPED_TEST(SpecialValues, BinaryOpsAgreeWithTheCLibraryForEveryPair) {
  using T = TypeParam;
  const std::vector<T> values = special<T>();
  std::vector<T> left, right;
  for (T a : values) {
    for (T b : values) {
      left.push_back(a);
      right.push_back(b);
    }
  }
  const Shape shape{static_cast<std::int64_t>(left.size())};
  for (const Binary& op : binary) {
    const Tensor y = computed(op.name, {Tensor::from(left, shape), Tensor::from(right, shape)});
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (is_lost(left[i]) || is_lost(right[i])) continue;
      const T got = y.values<T>()[i];
      const Wide exact = op.exact(left[i], right[i]);
      EXPECT_LE(ulps_between(got, exact), allowed(op.ulps))
          << op.name << "(" << left[i] << ", " << right[i] << ") = " << got << ", exactly " << exact;
    }
  }
}

TYPED_TEST(SpecialValues, SoftplusFarBelowZeroIsTheExponential) {
  using T = TypeParam;
  const double from = sizeof(T) == 4 ? -18 : -38, to = sizeof(T) == 4 ? -106 : -747;  // down to where the result is 0
  std::vector<T> values;
  for (int i = 0; i < 4000; ++i) values.push_back(static_cast<T>(from + (to - from) * i / 4000));
  const Tensor x = Tensor::from(values, {4000}), y = computed("softplus", {x}), wanted = computed("exp", {x});
  for (std::int64_t i = 0; i < x.size(); ++i)
    EXPECT_LE(ulps_between(y.values<T>()[static_cast<std::size_t>(i)], wanted.at(i)), allowed(0)) << x.at(i);
}

// Near the zeros of sine and cosine the accuracy depends on the reduction of the argument. Above some thousand turns
// the C library computes them.
TYPED_TEST(SpecialValues, SineAndCosineAreAccurateNearTheirZeros) {
  using T = TypeParam;
  std::vector<T> values;
  for (int quarters = -6000; quarters <= 6000; ++quarters) {
    const T x = static_cast<T>(quarters * (std::numbers::pi_v<Wide> / 2));
    for (const T near : {std::nextafter(x, T{-10000}), x, std::nextafter(x, T{10000})}) values.push_back(near);
  }
  for (const Unary& op : unary) {
    if (op.name == "sin" || op.name == "cos") check_unary(op, values);
  }
}

TYPED_TEST(SpecialValues, FunctionsDoNotDependOnTheirNeighbours) {
  using T = TypeParam;
  const Tensor beside = Tensor::from(std::vector<T>{T(1e6), T(3), T(-0.7), T(8191.5), T(2e5), T(0.1), T(9), T(5)}, {8});
  for (const Unary& op : unary) {
    const Tensor all = computed(op.name, {beside});
    for (std::int64_t i = 0; i < beside.size(); ++i) {
      const Tensor one = computed(op.name, {Tensor::from(std::vector<T>(8, beside.values<T>()[i]), {8})});
      const T alone = one.values<T>()[0], together = all.values<T>()[i];
      EXPECT_TRUE(alone == together || (std::isnan(alone) && std::isnan(together)))
          << op.name << " of " << beside.at(i);
    }
  }
}

TYPED_TEST(SpecialValues, PowersUnderflowWhereThoseOfTheCLibraryDo) {
  using T = TypeParam;
  const T log_least = std::log(std::numeric_limits<T>::denorm_min());
  std::vector<T> left, right;
  for (T x : {T(1e-3), T(0.5), T(0.9), T(0.999), std::nextafter(T{1}, T{0}), T(-0.5), T(1.5)}) {
    for (const T end : {log_least / std::log(std::abs(x)), log_least / (x - 1)}) {
      for (const T part : {T(-1), T(0.9), T(0.999), T(1), T(1.001), T(1.01), T(1.1), T(10)}) {
        left.push_back(x);
        right.push_back(std::round(part * end));
      }
    }
  }
  const Shape shape{static_cast<std::int64_t>(left.size())};
  const Tensor y = computed("pow", {Tensor::from(left, shape), Tensor::from(right, shape)});
  for (std::size_t i = 0; i < left.size(); ++i) {
    const T got = y.values<T>()[i], wanted = std::pow(left[i], right[i]);
    EXPECT_LE(ulps_between(got, wanted), allowed(0))
        << left[i] << "^" << right[i] << " = " << got << ", not " << wanted;
  }
}

TEST(SpecialValues, LogSoftmaxIsAccurateForLargeLogits) {
  // the log softmax of (0, -10, -20) plus any offset
  for (const double base : {0.0, 1e4, -1e4, 1e6}) {
    const Tensor logits =
        Tensor::of<float>({static_cast<float>(base), static_cast<float>(base - 10), static_cast<float>(base - 20)});
    const Tensor y =
        evaluate([](const std::vector<Var>& x) { return std::vector<Var>{log_softmax(x[0])}; }, {logits})[0];
    const double rest = -std::log1p(std::exp(-10.0) + std::exp(-20.0));
    EXPECT_NEAR(y.at(0), rest, 1e-7) << base;
    EXPECT_NEAR(y.at(1), -10 + rest, 2e-6) << base;
    EXPECT_NEAR(y.at(2), -20 + rest, 2e-6) << base;
  }
}

}  // namespace
}  // namespace thalweg
