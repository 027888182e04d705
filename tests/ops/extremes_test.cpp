// Numbers at the ends of the range: NaN is never hidden, and results that exist are accurate for inputs of every size.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "evaluate.hpp"
#include "far_cpu.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

template <class T>
class Extremes : public ::testing::Test {
 protected:
  static constexpr T nan = std::numeric_limits<T>::quiet_NaN();
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Extremes, Types);

/// An image of ones, 5 by 5 with `channels` channels, and one NaN.
template <class T>
Tensor image_with_nan(std::int64_t channels, std::int64_t place) {
  std::vector<T> values(static_cast<std::size_t>(25 * channels), T{1});
  values[static_cast<std::size_t>(place)] = std::numeric_limits<T>::quiet_NaN();
  return Tensor::from(values, {1, 5, 5, channels});
}

TYPED_TEST(Extremes, MaxPoolPropagatesNaN) {
  for (const std::int64_t channels : {1, 3, 16, 37}) {
    const std::int64_t place = (2 * 5 + 2) * channels + channels - 1;  // the middle of the last channel
    const Tensor x = image_with_nan<TypeParam>(channels, place);
    const auto pool = [](const Vars& v) {
      const Var y = max_pool2d(v[0], {.window = 3, .stride = 1});
      return Vars{y, gradients(sum(y), {v[0]})[0]};
    };
    const auto got = evaluate(pool, {x});
    for (std::int64_t i = 0; i < got[0].size(); ++i) {  // every window of the last channel contains it
      EXPECT_EQ(std::isnan(got[0].at(i)), i % channels == channels - 1) << i;
    }
    EXPECT_EQ(got[1].at(place), 9);  // the cotangents of all windows go to the place of the maximum
  }
}

/// Windows of 2 x 2 and whole vectors of channels have loops of their own: the same bits, with ties, NaN and zeros of
/// both signs.
TYPED_TEST(Extremes, WindowsOfFourAreAsAnyWindow) {
  constexpr std::int64_t side = 6, channels = 32;
  const TypeParam values[] = {0, -TypeParam(0), 1, 1, -2, this->nan, std::numeric_limits<TypeParam>::infinity()};
  const auto drawn = [&](const Shape& shape, std::int64_t padded, std::uint64_t seed) {
    const Tensor which = random_uniform(shape, 0, 7, seed, f64);
    Tensor result = zeros({1, shape[1], shape[2], padded}, dtype_of<TypeParam>());
    const auto to = result.mutable_values<TypeParam>();
    for (std::int64_t i = 0; i < shape.size(); ++i)
      to[static_cast<std::size_t>(i / channels * padded + i % channels)] = values[static_cast<int>(which.at(i))];
    return result;
  };
  const auto pool = [&](std::int64_t padded) {
    const auto both = [](const Vars& v) {
      const Var y = max_pool2d(v[0], {.window = 2, .stride = 2});
      const Var back = gradients(sum(y * v[1]), {v[0]})[0];
      return Vars{y, back, gradients(sum(back * v[2]), {v[1]})[0]};  // the last: what the largest of v[0] have in v[2]
    };
    const Shape image{1, side, side, channels}, half{1, side / 2, side / 2, channels};
    return evaluate(both, {drawn(image, padded, 3), drawn(half, padded, 4), drawn(image, padded, 5)});
  };
  const auto whole = pool(channels), any = pool(channels + 1);
  for (std::size_t k = 0; k < 3; ++k) {
    const auto a = whole[k].template values<TypeParam>(), b = any[k].template values<TypeParam>();
    for (std::size_t i = 0; i < a.size(); ++i)
      EXPECT_EQ(std::memcmp(&a[i], &b[i / channels * (channels + 1) + i % channels], sizeof a[i]), 0) << k << ' ' << i;
  }
}

TYPED_TEST(Extremes, SelectionsPropagateNaN) {
  const Tensor x = Tensor::of<TypeParam>({3, 1, this->nan, 2});
  const auto select = [](const Vars& v) {
    return Vars{max(v[0]), min(v[0]), cast(argmax(v[0]), f64), softmax(v[0]), logsumexp(v[0])};
  };
  const auto got = evaluate(select, {x});
  EXPECT_TRUE(std::isnan(got[0].item()));
  EXPECT_TRUE(std::isnan(got[1].item()));
  EXPECT_EQ(got[2].item(), 2);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_TRUE(std::isnan(got[3].at(i)));
  EXPECT_TRUE(std::isnan(got[4].item()));
}

/// A NaN score makes the whole row NaN, as in softmax. Here the first number of the third key is NaN.
TYPED_TEST(Extremes, AttentionPropagatesNaN) {
  const std::int64_t time = 5, width = 4;
  std::vector<TypeParam> ones(static_cast<std::size_t>(time * width), TypeParam{1});
  const Tensor q = Tensor::from(ones, {1, time, 1, width}), v = q;
  ones[static_cast<std::size_t>(2 * width)] = this->nan;
  const Tensor k = Tensor::from(ones, {1, time, 1, width});
  const Tensor y = evaluate([](const Vars& x) { return Vars{attention(x[0], x[1], x[2])}; }, {q, k, v})[0];
  for (std::int64_t i = 0; i < y.size(); ++i) EXPECT_TRUE(std::isnan(y.at(i))) << i;
}

TYPED_TEST(Extremes, RunningSumsAreAccurate) {
  const std::int64_t n = 3'000'000;
  const auto last = [n](const Vars& v) {
    return Vars{slice(cumsum(v[0]), n - 1, n), slice(gradients(sum(cumsum(v[0])), {v[0]})[0], 0, 1)};
  };
  const auto got = evaluate(last, {full({n}, 0.1, dtype_of<TypeParam>())});
  const double each = static_cast<double>(TypeParam(0.1)), unit = std::numeric_limits<TypeParam>::epsilon();
  const double bound = std::max(4 * unit, 1e-12);
  EXPECT_NEAR(got[0].item() / (each * static_cast<double>(n)), 1, bound);
  EXPECT_NEAR(got[1].item() / static_cast<double>(n), 1, bound);
}

/// The sum of a long column consists of many blocks.
TYPED_TEST(Extremes, SumsOfLongColumnsAreAccurate) {
  const std::int64_t n = 2'000'000;
  const auto got =
      evaluate([](const Vars& v) { return Vars{sum(v[0], 0)}; }, {full({n, 3}, 0.1, dtype_of<TypeParam>())});
  const double wanted = static_cast<double>(TypeParam(0.1)) * static_cast<double>(n);
  for (std::int64_t i = 0; i < 3; ++i)
    EXPECT_NEAR(got[0].at(i) / wanted, 1, std::max(1e-12, 64. * std::numeric_limits<TypeParam>::epsilon()));
}

TYPED_TEST(Extremes, ProductsOverLongInnerDimensionsAreAccurate) {
  for (const auto& [n, width] : {std::pair<std::int64_t, std::int64_t>{3'000'000, 1}, {300'000, 67}}) {
    const DType dtype = dtype_of<TypeParam>();
    const auto both = [](const Vars& v) { return Vars{matmul(v[1], v[0]), matmul(v[2], v[0], true, false)}; };
    const auto got = evaluate(both, {full({n, 1}, 0.1, dtype), ones({width, n}, dtype), ones({n, width}, dtype)});
    const double wanted = static_cast<double>(TypeParam(0.1)) * static_cast<double>(n);
    for (const Tensor& y : got) {
      for (std::int64_t i = 0; i < width; ++i) EXPECT_NEAR(y.at(i) / wanted, 1, dtype == f32 ? 1e-4 : 1e-10) << i;
    }
  }
}

/// A table of one row gets all updates, one of five rows nearly all in one row.
TYPED_TEST(Extremes, ManyUpdatesOfOneRowAddUp) {
  const std::int64_t n = 2'000'000;
  const DType dtype = dtype_of<TypeParam>();
  for (const std::int64_t rows : {1, 5}) {
    Tensor places({n}, i32);
    for (std::int64_t i = 0; i < 4; ++i) places.set(n / 5 * i, static_cast<double>(rows - 1));
    const auto add = [rows](const Vars& v) { return Vars{scatter_add(v[0], v[1], rows)}; };
    const Tensor sums = evaluate(add, {full({n, 3}, 0.1, dtype), places})[0];
    const double each = static_cast<double>(TypeParam(0.1));
    const double bound = dtype == f32 ? 1e-4 : 1e-10;
    EXPECT_NEAR(sums.at(0) / (each * static_cast<double>(rows == 1 ? n : n - 4)), 1, bound);
    EXPECT_NEAR(sums.at(sums.size() - 1) / (each * static_cast<double>(rows == 1 ? n : 4)), 1, bound);
  }
}

TYPED_TEST(Extremes, NormsAreRightForNumbersOfEverySize) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam size : {TypeParam(1), Limits::max() / 8, Limits::min() * 8, TypeParam(3e-12)}) {
    const Tensor x = Tensor::of<TypeParam>({3 * size, 0, -4 * size});
    const auto both = [](const Vars& v) {
      const Var y = norm(v[0]);
      return Vars{y, gradients(y, {v[0]})[0]};
    };
    const auto got = evaluate(both, {x});
    EXPECT_NEAR(got[0].item() / (5 * static_cast<double>(size)), 1, 4 * Limits::epsilon()) << size;
    EXPECT_NEAR(got[1].at(0), 0.6, 1e-6) << size;
    EXPECT_EQ(got[1].at(1), 0) << size;
    EXPECT_NEAR(got[1].at(2), -0.8, 1e-6) << size;
  }
  const auto of = [](std::initializer_list<TypeParam> x) {
    return evaluate([](const Vars& v) { return Vars{norm(v[0])}; }, {Tensor::of<TypeParam>(x)})[0].item();
  };
  EXPECT_EQ(of({0, 0}), 0);
  EXPECT_EQ(of({0, Limits::max() / 2}), static_cast<double>(Limits::max() / 2));
  const TypeParam least = testing::is_on_a_gpu() ? Limits::min() : Limits::denorm_min();
  EXPECT_EQ(of({-least, 0}), static_cast<double>(least));
  EXPECT_TRUE(std::isnan(of({1, this->nan})));
  EXPECT_EQ(of({1, -Limits::infinity()}), Limits::infinity());
}

TYPED_TEST(Extremes, StandardisedNumbersDoNotDependOnTheirSize) {
  if (testing::is_on_a_gpu()) return;  // the programs of a device square the numbers as they are
  const TypeParam large = std::sqrt(std::numeric_limits<TypeParam>::max()) * TypeParam{4096};
  std::vector<TypeParam> values;
  for (int i = 0; i < 37; ++i) values.push_back(static_cast<TypeParam>(i % 7 - 2) * TypeParam{0.25});
  const Tensor small = Tensor::from(values, {1, 37});
  for (TypeParam& value : values) value *= large;
  const auto both = [](const Vars& v) {
    Vars all;
    for (const Var& y : {standardise(v[0], 0), rms_standardise(v[0], 0)})
      all.insert(all.end(), {y, gradients(sum(y * square(y)), {v[0]})[0]});
    return all;
  };
  const auto wanted = evaluate(both, {small}), got = evaluate(both, {Tensor::from(values, {1, 37})});
  const double tolerance = 100 * std::numeric_limits<TypeParam>::epsilon();
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double unit = k % 2 ? static_cast<double>(large) : 1;  // a derivative is smaller by the factor
    for (std::int64_t i = 0; i < 37; ++i)
      EXPECT_NEAR(got[k].at(i) * unit, wanted[k].at(i), tolerance * (1 + std::abs(wanted[k].at(i)))) << k << " " << i;
  }
}

TYPED_TEST(Extremes, GeluByTanhIsLinearFarFromZero) {
  const std::vector<TypeParam> far = {30, 100, TypeParam(1e15), TypeParam(1e25), std::numeric_limits<TypeParam>::max()};
  for (const TypeParam x : far) {
    const auto derivatives = [](const Vars& v) {
      const Var first = gradients(sum(gelu_tanh(v[0])), {v[0]})[0];
      return Vars{gelu_tanh(v[0]), first, gradients(sum(first), {v[0]})[0]};
    };
    const auto got = evaluate(derivatives, {Tensor::of<TypeParam>({x, -x})});
    EXPECT_EQ(got[0].at(0), static_cast<double>(x));
    EXPECT_EQ(got[0].at(1), 0) << x;
    EXPECT_EQ(got[1].at(0), 1) << x;
    EXPECT_EQ(got[1].at(1), 0) << x;
    EXPECT_EQ(got[2].at(0), 0) << x;
    EXPECT_EQ(got[2].at(1), 0) << x;
  }
}

/// At every finite number, value and derivative are not NaN.
TYPED_TEST(Extremes, ActivationsAndTheirDerivativesAreNeverNaN) {
  using Function = Var (*)(const Arg&);
  const std::pair<const char*, Function> all[] = {{"relu", relu},
                                                  {"relu6", relu6},
                                                  {"selu", selu},
                                                  {"gelu", gelu},
                                                  {"gelu_tanh", gelu_tanh},
                                                  {"silu", silu},
                                                  {"mish", mish},
                                                  {"softplus", softplus},
                                                  {"softsign", softsign},
                                                  {"sigmoid", sigmoid},
                                                  {"tanh", tanh},
                                                  {"hard_sigmoid", hard_sigmoid},
                                                  {"hard_swish", hard_swish},
                                                  {"log_sigmoid", log_sigmoid},
                                                  {"erf", erf}};
  const TypeParam large = std::numeric_limits<TypeParam>::max() / 16;
  const Tensor x = Tensor::of<TypeParam>({large, -large, TypeParam(1e15), TypeParam(-1e15), 100, -100, 0});
  for (const auto& [name, f] : all) {
    const auto both = [&f = f](const Vars& v) {
      const Var y = f(v[0]);
      return Vars{y, gradients(sum(y), {v[0]})[0], f(v[0] * std::numeric_limits<double>::quiet_NaN())};
    };
    const auto got = evaluate(both, {x});
    for (std::int64_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(std::isfinite(got[0].at(i))) << name << '(' << x.at(i) << ") = " << got[0].at(i);
      EXPECT_TRUE(std::isfinite(got[1].at(i))) << name << "'(" << x.at(i) << ") = " << got[1].at(i);
      EXPECT_TRUE(std::isnan(got[2].at(i))) << name << " of NaN";
    }
  }
}

/// The first and second derivatives of f at x, by reverse mode, and the first by forward mode.
template <class F>
std::vector<Tensor> derivatives_at(F f, const Tensor& x) {
  return evaluate(
      [&](const Vars& v) {
        const Var y = f(v[0]), first = gradients(sum(y), {v[0]})[0];
        const Var ones = broadcast_to(v[0].graph().number(1, v[0].dtype()), v[0].shape());
        return Vars{first, gradients(sum(first), {v[0]})[0], jvp({y}, {v[0]}, {ones})[0]};
      },
      {x});
}

/// d elu / dx = e^x for x < 0, where elu itself is -1 to all digits.
TYPED_TEST(Extremes, TheSlopesOfEluAndSeluDoNotVanishWhereTheirValuesAreFlat) {
  const Tensor x = Tensor::of<TypeParam>({-1, -10, -20, -60});
  const auto elus = derivatives_at([](Var v) { return elu(v, 0.5); }, x), selus = derivatives_at(selu, x);
  const double scaled = 1.6732632423543772 * 1.0507009873554805;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(elus[k].at(i) / std::exp(x.at(i)), 0.5, 1e-6) << x.at(i) << " " << k;
      EXPECT_NEAR(selus[k].at(i) / std::exp(x.at(i)), scaled, 1e-6) << x.at(i) << " " << k;
    }
  }
}

TYPED_TEST(Extremes, SlopesThatFallAsPowersHoldForEverySize) {
  const Tensor x = Tensor::of<TypeParam>({-2, 3, 1e10, -1e12, TypeParam(1e18)});
  const auto wide = derivatives_at([](Var v) { return asinh(v); }, x), soft = derivatives_at(softsign, x);
  const auto above = derivatives_at([](Var v) { return acosh(abs(v)); }, x);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double at = x.at(i), size = std::abs(at), side = at < 0 ? -1 : 1;
    for (const std::size_t k : {0U, 2U}) {
      EXPECT_NEAR(wide[k].at(i) * std::hypot(size, 1), 1, 1e-6) << at;
      EXPECT_NEAR(above[k].at(i) * side * std::sqrt(size - 1) * std::sqrt(size + 1), 1, 1e-6) << at;
      EXPECT_NEAR(soft[k].at(i) * (1 + size) * (1 + size), 1, 1e-6) << at;
    }
    EXPECT_NEAR(wide[1].at(i) * std::pow(std::hypot(size, 1), 2) * std::hypot(size, 1) / at, -1, 1e-6) << at;
    if (size < 1e10) {
      EXPECT_NEAR(soft[1].at(i) * std::pow(1 + size, 3) * side, -2, 1e-5) << at;
    }
  }
  const TypeParam largest = std::numeric_limits<TypeParam>::max();
  for (const auto f : {+[](Var v) { return asinh(v); }, +[](Var v) { return acosh(v); }}) {
    const Tensor slope = derivatives_at(f, Tensor::of<TypeParam>({largest / 64}))[0];
    EXPECT_NEAR(slope.item() * static_cast<double>(largest / 64), 1, 1e-6);
  }
}

TYPED_TEST(Extremes, HardSwishAndSoftsignAreFlatOrLinearAtInfinity) {
  const TypeParam infinity = std::numeric_limits<TypeParam>::infinity();
  const Tensor x = Tensor::of<TypeParam>({infinity, -infinity});
  const auto values = evaluate([](const Vars& v) { return Vars{hard_swish(v[0]), softsign(v[0])}; }, {x});
  EXPECT_EQ(values[0].at(0), infinity);
  EXPECT_EQ(values[0].at(1), 0);
  EXPECT_EQ(values[1].at(0), 1);
  EXPECT_EQ(values[1].at(1), -1);
  const auto hard = derivatives_at(hard_swish, x), soft = derivatives_at(softsign, x);
  for (const std::size_t k : {0U, 2U}) {
    EXPECT_EQ(hard[k].at(0), 1) << k;
    EXPECT_EQ(hard[k].at(1), 0) << k;
    EXPECT_EQ(soft[k].at(0), 0) << k;
    EXPECT_EQ(soft[k].at(1), 0) << k;
  }
}

/// d atan2(y, x) / dy = x / (x^2 + y^2) for arguments of every size, and the second derivatives.
TYPED_TEST(Extremes, DerivativesOfAnglesAreRightForEverySize) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const TypeParam size : {TypeParam(1), std::sqrt(Limits::max()) * 1000, Limits::min() * 16}) {
    const auto both = [](const Vars& v) { return gradients(atan2(v[0], v[1]), {v[0], v[1]}); };
    const auto got =
        evaluate(both, {full({}, 3 * size, dtype_of<TypeParam>()), full({}, 4 * size, dtype_of<TypeParam>())});
    EXPECT_NEAR(got[0].item() * static_cast<double>(size), 0.16, 1e-6) << size;
    EXPECT_NEAR(got[1].item() * static_cast<double>(size), -0.12, 1e-6) << size;
  }
  const auto second = [](const Vars& v) {
    const Var by_y = gradients(atan2(v[0], v[1]), {v[0]})[0];
    return gradients(by_y, {v[0], v[1]});
  };
  const auto got = evaluate(second, {full({}, 3, dtype_of<TypeParam>()), full({}, 4, dtype_of<TypeParam>())});
  EXPECT_NEAR(got[0].item(), -2 * 12. / 625, 1e-6);   // -2 x y / (x^2 + y^2)^2
  EXPECT_NEAR(got[1].item(), (9. - 16) / 625, 1e-6);  // (y^2 - x^2) / (x^2 + y^2)^2
}

TYPED_TEST(Extremes, OpsThatKeepTheShapeAcceptEmptyTensors) {
  for (const Shape& shape : {Shape{0}, Shape{3, 0}, Shape{0, 3}}) {
    const auto all = [](const Vars& v) {
      const Var y = softmax(v[0]) + log_softmax(v[0]) + cumsum(v[0]);
      return Vars{y, gradients(sum(y), {v[0]})[0], cumsum(cast(v[0], i32))};
    };
    for (const Tensor& y : evaluate(all, {Tensor(shape, dtype_of<TypeParam>())})) EXPECT_EQ(y.shape(), shape);
  }
}

TYPED_TEST(Extremes, APlainNumberIsAnIndex) {
  const auto rows = [](const Vars& v) { return Vars{gather(v[0], 1), pick(gather(v[0], 0), 1)}; };
  const auto got = evaluate(rows, {Tensor::of<TypeParam>({1, 2, 3, 4}).reshape({2, 2})});
  EXPECT_EQ(got[0].at(0), 3);
  EXPECT_EQ(got[0].at(1), 4);
  EXPECT_EQ(got[1].item(), 2);
}

/// 0^b is 0 for b > 0, 1 for b = 0 and infinite for b < 0, with a negative slope; x^0 has slope 0, however small x is.
TYPED_TEST(Extremes, PowersOfZeroAndToTheZero) {
  const auto dtype = dtype_of<TypeParam>();
  const auto by_exponent = [&](double a, double b) {
    const auto slope = [](const Vars& v) { return Vars{gradients(pow(v[0], v[1]), {v[1]})[0]}; };
    return evaluate(slope, {full({}, a, dtype), full({}, b, dtype)})[0].item();
  };
  EXPECT_EQ(by_exponent(0, 2), 0);
  EXPECT_EQ(by_exponent(0, 0), 0);
  EXPECT_EQ(by_exponent(0, -1), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(by_exponent(0, this->nan)));
  const Tensor x = Tensor::of<TypeParam>({0, std::numeric_limits<TypeParam>::min() * 4, -1, this->nan});
  const auto orders = [](const Vars& v) {
    const Var y = pow(v[0], 0), first = gradients(sum(y), {v[0]})[0];
    return Vars{y, first, gradients(sum(first), {v[0]})[0]};
  };
  const auto got = evaluate(orders, {x});
  for (std::int64_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(got[0].at(i), 1) << x.at(i);
    EXPECT_EQ(got[1].at(i), 0) << x.at(i);
    EXPECT_EQ(got[2].at(i), 0) << x.at(i);
  }
}

}  // namespace
}  // namespace thalweg
