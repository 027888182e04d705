// The arguments of ops (a Var, a number, a constant, also i32 for ops that support it) and of derivatives.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "thalweg/derivatives.hpp"
#include "thalweg/error.hpp"
#include "thalweg/estimators.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {
namespace {

Tensor numbers(const std::vector<double>& values, Shape shape = {}) {
  return Tensor::from(values, shape.rank() ? shape : Shape{static_cast<std::int64_t>(values.size())});
}

void expect_values(const Tensor& got, const std::vector<double>& wanted, double tolerance = 1e-14) {
  ASSERT_EQ(got.size(), static_cast<std::int64_t>(wanted.size()));
  for (std::int64_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got.at(i), wanted[static_cast<std::size_t>(i)], tolerance) << "element " << i;
  }
}

TEST(Arguments, ANumberOrAConstantMayReplaceAVar) {
  const Constant c = constant(numbers({.25, .75}));
  const Tensor x = numbers({.5, 1.5});
  const auto value = [&](auto f) { return Function(f)(x); };
  const auto log_sum = std::log(std::exp(.25) + std::exp(.75));
  expect_values(value([&](Var v) { return sum(c) * v; }), {.5, 1.5});
  expect_values(value([&](Var v) { return sum(2.0) * v; }), {1, 3});
  expect_values(value([&](Var v) { return v + logsumexp(c); }), {.5 + log_sum, 1.5 + log_sum});
  expect_values(value([&](Var v) { return prelu(c, v); }), {.25, .75});
  expect_values(value([&](Var v) { return v * reshape(c, {2, 1}) * transpose(c); }), {.03125, .28125, .09375, .84375});
  expect_values(value([&](Var v) { return cross_entropy_with_probabilities(c, v); }),
                {.5 * (log_sum - .25) + 1.5 * (log_sum - .75)});
  expect_values(value([](Var v) { return binary_cross_entropy_with_logits(v, 1.0); }),
                {std::log1p(std::exp(-.5)), std::log1p(std::exp(-1.5))});
  expect_values(value([](Var v) { return binary_cross_entropy_with_logits(0.0, v); }), {std::log(2), std::log(2)});
  expect_values(value([](Var v) { return straight_through(1.0, v); }), {1, 1});
  expect_values(value([](Var v) { return score_function(v, 3.0, 1); }), {1, 3});
  expect_values(value([&](Var v) { return sum(gumbel_softmax(v, c)); }), {1});
  expect_values(value([](Var v) {
                  return conv1d(constant(numbers({1, 2, 3}, {1, 3, 1})), reshape(v, {2, 1, 1}));
                }),
                {3.5, 5.5});
  expect_values(
      value([](Var v) {
        return gather(constant(numbers({4, 5, 6})), constant(Tensor::from(std::vector<std::int32_t>{2, 0}, {2}))) * v;
      }),
      {3, 6});
}

TEST(Arguments, TheDerivativeIsByTheVarOnly) {
  const Constant c = constant(numbers({.25, .75}));
  expect_values(grad(Function([&](Var v) { return sum(sum(c) * v); }))(numbers({.5, 1.5})), {1, 1});
  expect_values(grad(Function([](Var v) { return sum(straight_through(1.0, 3 * v)); }))(numbers({.5, 1.5})), {3, 3});
}

TEST(Arguments, OpsNeedATrace) {
  EXPECT_THROW(sum(constant(numbers({1, 2}))), UsageError);
  EXPECT_THROW(exp(1.0), UsageError);
}

TEST(Arguments, WholeNumbersAreExact) {
  constexpr std::int32_t large = (1 << 24) + 1;  // not exact in f32
  const auto whole = [](std::vector<std::int32_t> v) { return Tensor::from(v, {static_cast<std::int64_t>(v.size())}); };
  const Tensor x = whole({large, 3, -2});
  const auto check = [&](auto f, const std::vector<double>& wanted) {
    const Tensor y = Function(f)(x);
    EXPECT_EQ(y.dtype(), i32);
    expect_values(y, wanted, 0);
  };
  check([](Var v) { return v < large + 1; }, {1, 1, 1});
  check([](Var v) { return equal(v, 3); }, {0, 1, 0});
  check([](Var v) { return not_equal(v, large - 1); }, {1, 1, 1});
  check([](Var v) { return v >= 2.5; }, {1, 1, 0});
  check([&](Var v) { return v > constant(whole({0, 3, -3})); }, {1, 0, 1});
  check([](Var v) { return where(v > 0, v, -1); }, {large, 3, -1});
  check([](Var v) { return sum(v); }, {large + 1});
  check([](Var v) { return max(v); }, {large});
  check([](Var v) { return cumsum(v); }, {large, large + 3, large + 1});
  check([](Var v) { return pad(v, {{1, 2}}, 9); }, {9, large, 3, -2, 9, 9});
}

TEST(Arguments, WholeNumbersArePlainArithmetic) {
  const auto whole = [](std::vector<std::int32_t> v) { return Tensor::from(v, {static_cast<std::int64_t>(v.size())}); };
  constexpr std::int32_t most = std::numeric_limits<std::int32_t>::max(), large = (1 << 24) + 1;
  const Tensor x = whole({large, 3, -2});
  const auto check = [&](auto f, const std::vector<double>& wanted) {
    const Tensor y = Function(f)(x);
    EXPECT_EQ(y.dtype(), i32);
    expect_values(y, wanted, 0);
  };
  check([](Var v) { return v + 1; }, {large + 1, 4, -1});
  check([](Var v) { return 10 - v; }, {10 - large, 7, 12});
  check([](Var v) { return 2 * v * v - v; }, {most - large, 15, 10});  // the product is clamped to the largest i32
  check([](Var v) { return -v; }, {-large, -3, 2});
  check([](Var v) { return square(clamp(v, -2, 5)); }, {25, 9, 4});
  check([](Var v) { return abs(v) - sign(v); }, {large - 1, 2, 3});
  check([](Var v) { return minimum(v, 2) + maximum(v, 0); }, {large + 2, 5, -2});
  check([&](Var v) { return v * constant(whole({2, -1, most})); }, {2.0 * large, -3, std::numeric_limits<int>::min()});
  check([](Var v) { return prod(clamp(v, -4, 4)); }, {-24});
  check([](Var v) { return where(v > 0, v + 1, v - 1); }, {large + 1, 4, -3});
  EXPECT_THROW(Function([](Var v) { return v + 0.5; })(x), UsageError);
  EXPECT_THROW(Function([](Var v) { return v / 2; })(x), UsageError) << "the quotient may not be a whole number";
  EXPECT_THROW(Function([](Var v) { return exp(v); })(x), UsageError);
}

TEST(Arguments, AConstantConvertsToAVar) {
  const Tensor x = Tensor::of({0.5, 1.5});
  const auto f = Function([](Var v) {
    const Loss loss = loss::mse(v, constant(Tensor::of({1.0, 1.0})));
    return loss.sum / loss.weight;
  });
  expect_values(f(x), {.25});
  expect_values(Function([](Var v) { return concat({v, constant(Tensor::of({7.0}))}); })(x), {.5, 1.5, 7});
  expect_values(Function([](Var) { return Var(constant(Tensor::of({7.0}))); })(x), {7});
  EXPECT_THROW(Var(constant(x)), UsageError) << "there is no trace";
}

TEST(Reshape, MinusOneIsComputedFromTheOtherSizes) {
  const auto shape = [](std::initializer_list<std::int64_t> sizes) {
    return Function([=](Var x) { return reshape(x, sizes); })(zeros({4, 6})).shape();
  };
  EXPECT_EQ(shape({3, -1}), (Shape{3, 8}));
  EXPECT_EQ(shape({-1}), Shape{24});
  EXPECT_EQ(shape({2, -1, 2}), (Shape{2, 6, 2}));
  EXPECT_EQ(shape({8, 3}), (Shape{8, 3}));
  EXPECT_THROW(shape({5, -1}), UsageError);
  EXPECT_THROW(shape({-1, -1}), UsageError);
  EXPECT_THROW(shape({0, -1}), UsageError);
  EXPECT_THROW(shape({-2, -1}), UsageError);
}

TEST(Sizes, MayBeOfAnyIntegerType) {
  const long long three = 3;
  const std::size_t two = 2;
  EXPECT_EQ(Extent(three), Extent(3, 3));
  EXPECT_EQ(Extent(three, two), Extent(3, 2));
  EXPECT_EQ(Padding(three).before(5), Extent(3));
  const ConvolutionOptions options{.stride = three, .padding = two, .dilation = {two, 1}};
  EXPECT_EQ(options.dilation, Extent(2, 1));
}

TEST(Sgd, NeedsNoOptions) { EXPECT_EQ(optim::sgd().lr, 1e-3); }

TEST(Arguments, AnIntegerConditionSelectsFloats) {
  const Tensor labels = Tensor::from(std::vector<std::int32_t>{0, 2}, {2});
  const Function f = [](Var x, Var l) { return where(equal(l, 2), x, 0); };
  expect_values(f(Tensor::of({5.0, 6.0}), labels), {0, 6});
  expect_values(Function([](Var l) { return where(l, 1, 0.5); })(labels), {.5, 1});
}

TEST(Derivatives, InADirectionTakeTheOtherArgumentsLast) {
  const Function f = [](Var w, Var x, Var y) { return sum(w * w * x) + sum(w * y); };
  const Tensor w = Tensor::of({1.0, 2.0}), v = Tensor::of({3.0, 5.0}), x = Tensor::of({7.0, 11.0}),
               y = Tensor::of({13.0, 17.0});
  expect_values(hvp(f)(w, v, x, y), {2 * 7 * 3, 2 * 11 * 5});
  expect_values(jvp(f)(w, v, x, y), {3 * (2 * 7 + 13) + 5 * (2 * 2 * 11 + 17)});
  expect_values(vjp(f)(w, Tensor::of({2.0}).reshape({}), x, y), {2 * (2 * 7 + 13), 2 * (4 * 11 + 17)});
  EXPECT_THROW((void)hvp(f)(w), UsageError);
}

TEST(Derivatives, OfPowersAtZeroAreNotNan) {
  const auto power = [](double exponent) { return Function([=](Var x) { return sum(pow(x, exponent)); }); };
  const Tensor zero = Tensor::of({0.0});
  expect_values(grad(power(0))(zero), {0});
  for (const auto& [exponent, second, third] :
       {std::tuple{0.0, 0.0, 0.0}, {1.0, 0.0, 0.0}, {2.0, 2.0, 0.0}, {3.0, 0.0, 6.0}, {4.0, 0.0, 0.0}}) {
    // the exponent is an input, because constant exponents have simpler formulas
    const Function f = [](Var x, Var b) { return sum(pow(x, b)); };
    const Tensor b = Tensor::of({exponent});
    const Function once = grad(f), twice = grad(Function([once](Var x, Var e) { return sum(once(x, e)); }));
    const Function thrice = grad(Function([twice](Var x, Var e) { return sum(twice(x, e)); }));
    expect_values(twice(zero, b), {second});
    expect_values(thrice(zero, b), {third});
    expect_values(grad(Function([g = grad(power(exponent))](Var x) { return sum(g(x)); }))(zero), {second});
  }
  // d/db d/dx x^b = x^(b-1) (1 + b ln x), which is 1/x where b is 0
  const Function by_base = grad(Function([](Var x, Var b) { return sum(pow(x, b)); }));
  const Function mixed = grad(Function([by_base](Var b, Var x) { return sum(by_base(x, b)); }));
  expect_values(mixed(zero, Tensor::of({4.0})), {.25});
}

}  // namespace
}  // namespace thalweg
