// The same checks for every row of the table of problems: values against plain code, minima, gradients.

#include "thalweg/problem.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numbers>

#include "thalweg/error.hpp"
#include "thalweg/formula.hpp"

namespace thalweg {
namespace {

using Point = std::vector<double>;
using std::cos, std::exp, std::pow, std::sin, std::sqrt;

double sum_over(const Point& x, const std::function<double(double)>& term) {
  double total = 0;
  for (const double v : x) total += term(v);
  return total;
}

double quadratic(const Point& x, double condition) {
  double total = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(x.size() - 1);
    total += pow(condition, part) * x[i] * x[i] / 2;
  }
  return total;
}

double rosenbrock(const Point& x) {
  double total = 0;
  for (std::size_t i = 0; i + 1 < x.size(); ++i) total += pow(1 - x[i], 2) + 100 * pow(x[i + 1] - x[i] * x[i], 2);
  return total;
}

double goldstein_price(double x, double y) {
  const double a = 19 - 14 * x + 3 * x * x - 14 * y + 6 * x * y + 3 * y * y;
  const double b = 18 - 32 * x + 12 * x * x + 48 * y - 36 * x * y + 27 * y * y;
  return (1 + pow(x + y + 1, 2) * a) * (30 + pow(2 * x - 3 * y, 2) * b);
}

double levy(const Point& x) {
  Point w;
  for (const double v : x) w.push_back(1 + (v - 1) / 4);
  double total = pow(sin(std::numbers::pi * w[0]), 2);
  for (std::size_t i = 0; i + 1 < w.size(); ++i) {
    total += pow(w[i] - 1, 2) * (1 + 10 * pow(sin(std::numbers::pi * w[i] + 1), 2));
  }
  return total + pow(w.back() - 1, 2) * (1 + pow(sin(2 * std::numbers::pi * w.back()), 2));
}

double ackley(const Point& x) {
  const auto n = static_cast<double>(x.size());
  const double squares = sum_over(x, [](double v) { return v * v; });
  const double waves = sum_over(x, [](double v) { return cos(2 * std::numbers::pi * v); });
  return 20 + std::numbers::e - 20 * exp(-0.2 * sqrt(squares / n)) - exp(waves / n);
}

double sharp_and_flat(double x, double y) {
  const double sharp = 100 * (pow(x - 1, 2) + y * y), flat = pow(x + 1, 2) + y * y;
  return sharp * flat / (sharp + flat);
}

/// The value of a problem with default options, in plain code.
double expected(std::string_view name, const Point& p) {
  const double x = p[0], y = p[1], r2 = x * x + y * y;
  if (name == "sphere") return sum_over(p, [](double v) { return v * v; });
  if (name == "quadratic") return quadratic(p, 100);
  if (name == "rosenbrock") return rosenbrock(p);
  if (name == "beale") {
    return pow(1.5 - x + x * y, 2) + pow(2.25 - x + x * y * y, 2) + pow(2.625 - x + x * y * y * y, 2);
  }
  if (name == "booth") return pow(x + 2 * y - 7, 2) + pow(2 * x + y - 5, 2);
  if (name == "matyas") return 0.26 * r2 - 0.48 * x * y;
  if (name == "himmelblau") return pow(x * x + y - 11, 2) + pow(x + y * y - 7, 2);
  if (name == "goldstein_price") return goldstein_price(x, y);
  if (name == "three_hump_camel") return 2 * x * x - 1.05 * pow(x, 4) + pow(x, 6) / 6 + x * y + y * y;
  if (name == "styblinski_tang") return sum_over(p, [](double v) { return (pow(v, 4) - 16 * v * v + 5 * v) / 2; });
  if (name == "ackley") return ackley(p);
  if (name == "rastrigin") {
    return sum_over(p, [](double v) { return 10 + v * v - 10 * cos(2 * std::numbers::pi * v); });
  }
  if (name == "levy") return levy(p);
  if (name == "saddle") return x * x - y * y + pow(y, 4) / 2;
  if (name == "monkey_saddle") return x * x * x - 3 * x * y * y + 0.75 * r2 * r2;
  if (name == "plateau")
    return sum_over(p, [](double v) { return v * v; }) / (1 + sum_over(p, [](double v) { return v * v; }));
  if (name == "sharp_and_flat") return sharp_and_flat(x, y);
  ADD_FAILURE() << name << " has no plain code in this test";
  return 0;
}

Tensor tensor(const Point& x) { return Tensor::from(x, {static_cast<std::int64_t>(x.size())}); }

/// The dimensions in which a row is tested.
std::vector<std::int64_t> dimensions(const ProblemRow& row) {
  return row.most == 2 ? std::vector<std::int64_t>{2} : std::vector<std::int64_t>{2, 3, 7};
}

class Problems : public ::testing::TestWithParam<std::size_t> {
 protected:
  const ProblemRow& row = problems()[GetParam()];
};

TEST_P(Problems, AreDocumented) {
  EXPECT_FALSE(row.name.empty());
  EXPECT_FALSE(row.summary.empty());
  EXPECT_FALSE(row.formula.empty());
  EXPECT_FALSE(row.when.empty());
  EXPECT_FALSE(row.source.empty());
}

TEST_P(Problems, HaveTheValueOfThePlainCode) {
  for (const std::int64_t n : dimensions(row)) {
    const Problem problem = row.make({}, n);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const Tensor x = random_uniform({n}, -2, 2, seed, f64);
      const Point at(x.values<double>().begin(), x.values<double>().end());
      const double want = expected(row.name, at);
      EXPECT_NEAR(problem.function(x).item(), want, 1e-12 * std::max(1.0, std::abs(want))) << n;
      EXPECT_NEAR(problem.function(x.to(f32)).item(), want, 1e-4 * std::max(1.0, std::abs(want))) << n;
    }
  }
}

TEST_P(Problems, HaveGradientsThatAgreeWithDifferences) {
  for (const std::int64_t n : dimensions(row)) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const GradientReport report =
          check_gradient(row.make({}, n).function, random_uniform({n}, -1.5, 1.5, seed, f64), 1e-6);
      EXPECT_TRUE(report.ok) << report.str();
    }
  }
}

TEST_P(Problems, AreFlatAndLowestAtTheKnownMinima) {
  for (const std::int64_t n : dimensions(row)) {
    const Problem problem = row.make({}, n);
    ASSERT_TRUE(problem.minimum);
    ASSERT_FALSE(problem.minimizers.empty());
    for (const Point& point : problem.minimizers) {
      ASSERT_EQ(std::ssize(point), n);
      const auto [value, gradient] = value_and_grad(problem.function)(tensor(point));
      EXPECT_NEAR(value.item(), *problem.minimum, 1e-12 * std::max(1.0, std::abs(*problem.minimum)));
      for (std::int64_t i = 0; i < n; ++i) EXPECT_NEAR(gradient.at(i), 0, 1e-9) << row.name << " " << i;
    }
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      EXPECT_GE(problem.function(random_uniform({n}, -5, 5, seed, f64)).item(), *problem.minimum - 1e-12);
    }
  }
}

TEST_P(Problems, AgreeWithTheirWrittenFormula) {
  for (const std::int64_t n : dimensions(row)) {
    const Problem problem = row.make({}, n);
    ASSERT_EQ(problem.formula.empty(), n > 4) << n;
    for (std::uint64_t seed = 0; seed < 10 && n <= 4; ++seed) {
      const Tensor x = random_uniform({n}, -2, 2, seed, f64);
      const double want = problem.function(x).item();
      EXPECT_NEAR(Function(Formula(problem.formula))(x).item(), want, 1e-12 * std::max(1.0, std::abs(want)));
    }
  }
}

TEST_P(Problems, StartInsideTheirPicture) {
  const Problem problem = row.make({}, 2);
  const ProblemWindow& w = problem.window;
  std::vector<Point> points = problem.minimizers;
  points.push_back(problem.start);
  for (const Point& p : points) {
    EXPECT_TRUE(w.x_low < p[0] && p[0] < w.x_high && w.y_low < p[1] && p[1] < w.y_high) << p[0] << " " << p[1];
  }
}

TEST_P(Problems, RefuseInvalidDimensions) {
  if (row.most == 2) {
    EXPECT_THROW((void)row.make({}, 3), UsageError);
  }
  EXPECT_THROW((void)row.make({}, row.fewest - 1), UsageError);
  EXPECT_THROW((void)row.make({{"no_such_option", {1.0}}}, 2), UsageError);
}

INSTANTIATE_TEST_SUITE_P(Rows, Problems, ::testing::Range<std::size_t>(0, problems().size()),
                         [](const auto& row) { return std::string(problems()[row.param].name); });

TEST(ProblemOptions, TheConditionNumberIsThatOfTheHessian) {
  const Function f = problem_named("quadratic").make({{"condition", {1e6}}}, 5).function;
  const Tensor x = zeros({5}, f64);
  for (std::int64_t i = 0; i < 5; ++i) {
    Tensor e = zeros({5}, f64);
    e.set(i, 1);
    EXPECT_NEAR(hvp(f)(x, e).at(i) / pow(1e6, static_cast<double>(i) / 4), 1, 1e-12);
  }
}

TEST(ProblemOptions, TheTwoMinimaHaveTheRequestedCurvatures) {
  const Function f = problem_named("sharp_and_flat").make({{"sharpness", {400.0}}}, 2).function;
  const auto curvature = [&](double x) { return hvp(f)(Tensor::of({x, 0.}), Tensor::of({1., 0.})).at(0); };
  EXPECT_NEAR(curvature(1) / curvature(-1), 400, 1e-6);
}

TEST(ProblemOptions, SaddlesAreFlatInTheMiddleAndUnboundedWithoutABowl) {
  for (const char* name : {"saddle", "monkey_saddle"}) {
    for (const double bowl : {0.0, 1.0, 2.5}) {
      const Problem problem = problem_named(name).make({{"bowl", {bowl}}}, 2);
      const auto [value, gradient] = value_and_grad(problem.function)(zeros({2}, f64));
      EXPECT_EQ(value.item(), 0);
      EXPECT_EQ(gradient.at(0), 0);
      EXPECT_EQ(gradient.at(1), 0);
      EXPECT_EQ(problem.minimum.has_value(), bowl > 0);
      for (const Point& point : problem.minimizers) {
        EXPECT_NEAR(problem.function(tensor(point)).item(), *problem.minimum, 1e-12);
      }
      const auto at = [&](double x, double y) { return problem.function(Tensor::of({x, y})).item(); };
      const double far = std::min(at(0, 100), at(-100, 0));
      EXPECT_EQ(far < 0, bowl == 0) << name << " " << bowl;
    }
  }
}

TEST(ProblemOptions, TheErrorForAnUnknownNameNamesTheNearest) {
  try {
    (void)problem_named("rosenbrok");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("'rosenbrock'"), std::string::npos);
  }
}

}  // namespace
}  // namespace thalweg
