// Methods that own their steps (L-BFGS, Newton-CG, Levenberg-Marquardt, ...): the same checks for each row, and their
// parts.

#include "thalweg/methods.hpp"

#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include "allocations.hpp"
#include "optim/bounded.hpp"
#include "optim/elements.hpp"
#include "optim/line_search.hpp"
#include "optim/oracles.hpp"
#include "reference_file.hpp"
#include "thalweg/error.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/problem.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

Var rosenbrock(Var x) {
  const Var head = slice(x, 0, -1), tail = slice(x, 1);
  return sum(square(1 - head) + 100 * square(tail - square(head)));
}
Var rosenbrock_residuals(Var x) {
  const Var head = slice(x, 0, -1), tail = slice(x, 1);
  return concat({1 - head, 10 * (tail - square(head))});
}

Tensor far_start() { return Tensor::of({-1.2, 1.0}); }

/// Solves Rosenbrock's problem, as residuals if the method is for least squares.
MinimizeResult solve(const OptimizerRow& row, const MinimizeOptions& options = {}) {
  return minimize_squares(rosenbrock_residuals, far_start(), row.make({}), options);
}

class EveryMethod : public ::testing::TestWithParam<std::string_view> {
 protected:
  [[nodiscard]] const OptimizerRow& row() const { return optimizer_named(std::string(GetParam())); }
};

TEST_P(EveryMethod, IsDocumentedAndSaysWhatItNeeds) {
  for (const std::string_view text : {row().summary, row().formula, row().when, row().source}) {
    EXPECT_FALSE(text.empty());
  }
  for (const OptionDoc& option : row().options) EXPECT_FALSE(option.doc.empty()) << option.name;
  const Optimizer optimizer = row().make({});
  EXPECT_EQ(optimizer.name, row().name);
  EXPECT_EQ(optimizer.options.size(), row().options.size());
  EXPECT_EQ(optimizer.method->needs(), row().needs);
  EXPECT_EQ(optimizer.method->keeps_bounds(), row().keeps_bounds);
  EXPECT_THROW(row().make({{"no_such_option", {1.0}}}), UsageError);
  EXPECT_THROW(row().make({{"lr", {1.0}}}), UsageError);
}

TEST_P(EveryMethod, ReachesTheMinimumOfRosenbrock) {
  const auto result = solve(row(), {.max_steps = 20'000});
  EXPECT_LE(result.value, 1e-14) << result.summary();
  EXPECT_NEAR(result.x.at(0), 1, 1e-6);
}

/// A new memory with copies of the saved slots continues with the same bits.
TEST_P(EveryMethod, ResumesFromItsSlotsWithTheSameBits) {
  const MinimizeOptions options;
  const auto method = row().make({}).method;
  const Tensor start = Tensor::of({-1.2, 1.0, -0.5, 0.7});
  SquaresOracle oracle(rosenbrock_residuals, start, options), other(rosenbrock_residuals, start, options);
  MethodPoint at{start, Tensor({4}, f64)};
  at.value = oracle.gradient(at.x, at.gradient);
  MethodMemory memory(method->slots(start)), resumed(method->slots(start));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(method->step(at, memory, oracle).moved);
  MethodPoint again = at;
  resumed.kept() = memory.kept();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(method->step(at, memory, oracle).moved, method->step(again, resumed, other).moved);
  }
  EXPECT_TRUE(identical(at.x, again.x));
  EXPECT_TRUE(identical(at.gradient, again.gradient));
  EXPECT_EQ(at.value, again.value);
}

TEST_P(EveryMethod, KeepsBoundsOrRefusesThem) {
  const MinimizeOptions bounded{.upper = Tensor::of({0.5, 10.0})};
  if (!row().keeps_bounds) {
    EXPECT_THROW((void)solve(row(), bounded), UsageError);
    return;
  }
  const auto result = solve(row(), bounded);
  EXPECT_TRUE(result.converged()) << result.summary();
  EXPECT_EQ(result.x.at(0), 0.5);
  EXPECT_NEAR(result.x.at(1), 0.25, 1e-9);
}

TEST_P(EveryMethod, TakesABlackBoxOrRefusesIt) {
  const BlackBox bowl = [](std::span<const double> x, std::span<double> g) {
    g[0] = 2 * (x[0] - 3);
    g[1] = 20 * (x[1] + 1);
    return (x[0] - 3) * (x[0] - 3) + 10 * (x[1] + 1) * (x[1] + 1);
  };
  const double start[] = {0, 10};
  if (row().needs != std::vector<Need>{Need::gradient}) {
    EXPECT_THROW((void)minimize_black_box(bowl, start, row().make({})), UsageError);
    return;
  }
  const auto result = minimize_black_box(bowl, start, row().make({}));
  EXPECT_TRUE(result.converged()) << result.summary();
  EXPECT_NEAR(result.x.at(0), 3, 1e-7);
  EXPECT_NEAR(result.x.at(1), -1, 1e-7);
}

TEST_P(EveryMethod, StopsAtOnceIfTheStartIsAMinimumOrNotFinite) {
  const Optimizer optimizer = row().make({});
  const auto floor = minimize_squares(rosenbrock_residuals, Tensor::of({1.0, 1.0}), optimizer);
  EXPECT_EQ(floor.steps, 0);
  EXPECT_EQ(floor.reason, MinimizeReason::gradient);
  const auto nowhere = minimize_squares([](Var x) { return log(x); }, Tensor::of({-1.0}), optimizer);
  EXPECT_EQ(nowhere.reason, MinimizeReason::not_finite);
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const OptimizerRow& row : optimizers()) {
    if (row.owns_steps) all.push_back(row.name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMethod, ::testing::ValuesIn(names()),
                         [](const auto& test) { return std::string(test.param); });

/// The number of solved problems, and the cost of those that both solve: evaluations plus products with the Hessian.
struct Effort {
  int solved = 0;
  std::int64_t asked = 0, asked_by_scipy = 0;
};

/// Solves the table of problems to the targets of tests/reference/minimizers.py, which also has SciPy's counts.
Effort beside_scipy(const Optimizer& optimizer, const char* scipys, int& solved_by_scipy) {
  Effort effort;
  solved_by_scipy = 0;
  for (const nlohmann::json& row : reference("minimizers")) {
    const auto dim = row["dim"].get<std::int64_t>();
    const Problem problem = problem_named(row["problem"].get<std::string>()).make({}, dim);
    const Tensor x0 = Tensor::from(problem.start, {dim});
    const double target = row["target"];
    EXPECT_NEAR(problem.function(x0).item(), row["start"].get<double>(), 1e-9 * std::abs(row["start"].get<double>()));
    const auto ours =
        minimize(problem.function, x0, optimizer, {.max_steps = 10'000, .gradient_norm = 1e-10, .value = target});
    const nlohmann::json& theirs = row[scipys];
    const bool solved = ours.value <= target;
    effort.solved += solved;
    solved_by_scipy += theirs["solved"].get<bool>();
    if (!solved || !theirs["solved"].get<bool>()) continue;
    effort.asked += ours.evaluations + ours.products;
    effort.asked_by_scipy += theirs["evaluations"].get<std::int64_t>() + theirs["products"].get<std::int64_t>();
  }
  return effort;
}

TEST(Methods, SolveNoFewerProblemsThanSciPyAndInNoMoreEvaluations) {
  for (const auto& [optimizer, scipys] :
       {std::pair{optim::lbfgs(), "L-BFGS-B"}, std::pair{optim::newton_cg(), "trust-ncg"}}) {
    int solved_by_scipy = 0;
    const Effort effort = beside_scipy(optimizer, scipys, solved_by_scipy);
    EXPECT_GE(effort.solved, solved_by_scipy) << optimizer.name;
    EXPECT_LE(effort.asked, effort.asked_by_scipy) << optimizer.name;
    RecordProperty(optimizer.name, std::to_string(effort.solved) + " solved, " + std::to_string(effort.asked) +
                                       " beside " + std::to_string(effort.asked_by_scipy));
  }
}

/// PyTorch's L-BFGS needs 45 evaluations here.
TEST(Lbfgs, TakesAtMost45EvaluationsOnRosenbrock) {
  const auto result = minimize(rosenbrock, far_start(), optim::lbfgs(), {.value = 1e-15});
  EXPECT_LE(result.value, 1e-15) << result.summary();
  EXPECT_LE(result.evaluations, 45) << result.summary();
}

TEST(Lbfgs, WorksInF32) {
  const auto result = minimize(rosenbrock, far_start().to(f32), optim::lbfgs(), {.gradient_norm = 1e-4});
  EXPECT_EQ(result.x.dtype(), f32);
  EXPECT_LE(result.value, 1e-8) << result.summary();
}

TEST(Lbfgs, AllocatesNothingInAStep) {
  for (const Optimizer& optimizer : {optim::lbfgs(), optim::nonlinear_cg(), optim::gradient_descent()}) {
    const MinimizeOptions options;
    const Tensor start = full({50}, -1.2, f64);
    FunctionOracle oracle(rosenbrock, start, options);
    MethodPoint at{start, Tensor({50}, f64)};
    at.value = oracle.gradient(at.x, at.gradient);
    MethodMemory memory(optimizer.method->slots(start));
    for (int i = 0; i < 3; ++i) (void)optimizer.method->step(at, memory, oracle);
    const long before = allocations();
    for (int i = 0; i < 10; ++i) (void)optimizer.method->step(at, memory, oracle);
    EXPECT_EQ(allocations(), before) << optimizer.name;
  }
}

/// The reference is the minimum of the same model within bounds, found by projected gradients on the dense matrix.
TEST(Lbfgsb, FindsTheMinimumOfItsModelBetweenBounds) {
  using Vector = CompactMatrix::Vector;
  using Matrix = CompactMatrix::Matrix;
  constexpr Eigen::Index n = 6, k = 3;
  const auto drawn = [](Eigen::Index rows, Eigen::Index columns, std::uint64_t seed) {
    const Tensor t = random_normal({rows * columns}, seed, f64);
    return Matrix(Eigen::Map<const Matrix>(t.values<double>().data(), rows, columns));
  };
  const Matrix root = drawn(n, n, 1), hessian = root * root.transpose() + Matrix::Identity(n, n);
  const Matrix s = drawn(n, k, 2), y = hessian * s;
  const CompactMatrix model(s, y);
  Matrix b = Matrix::Identity(n, n) * model.theta();
  for (Eigen::Index i = 0; i < n; ++i) {
    b.col(i) -= model.w() * model.times_m(model.w().row(i).transpose());
  }
  EXPECT_LE((b * s.col(k - 1) - y.col(k - 1)).norm(), 1e-10 * y.norm());  // the secant equation
  EXPECT_LE((b - b.transpose()).norm(), 1e-10 * b.norm());
  const Vector x = Vector::Zero(n), g = drawn(n, 1, 3);
  const Vector wide = Vector::Constant(n, 1e6);
  EXPECT_LE((model.minimum(x, g, -wide, wide) + b.ldlt().solve(g)).norm(), 1e-8);
  const Vector narrow = Vector::Constant(n, 0.05), found = model.minimum(x, g, -narrow, narrow);
  EXPECT_LE(found.cwiseAbs().maxCoeff(), 0.05);
  const auto value = [&](const Vector& v) { return g.dot(v) + v.dot(b * v) / 2; };
  Vector best = x;
  const double step = 1 / b.norm();
  for (int i = 0; i < 20000; ++i) best = (best - step * (g + b * best)).cwiseMax(-narrow).cwiseMin(narrow);
  EXPECT_LE(
      value(found),
      0.5 * value(best));  // at least half of the possible decrease, because L-BFGS-B's step is not the exact minimum
  EXPECT_LT(value(found), 0);
}

/// x^2 - y^2 + y^4: from points with y = 0, gradient descent ends at the saddle point 0.
Var saddle(Var x) {
  const Var a = slice(x, 0, 1), b = slice(x, 1, 2);
  return sum(square(a) - square(b) + square(square(b)));
}

TEST(NewtonCg, LeavesTheSaddleWhereGradientDescentStays) {
  const Tensor start = Tensor::of({1.0, 0.0});
  const auto descent = minimize(saddle, start, optim::sgd({.lr = 0.1}), {.max_steps = 10'000});
  EXPECT_EQ(descent.x.at(1), 0);
  EXPECT_NEAR(descent.value, 0, 1e-12);
  const auto newton = minimize(saddle, start, optim::newton_cg());
  EXPECT_TRUE(newton.converged()) << newton.summary();
  EXPECT_NEAR(std::abs(newton.x.at(1)), std::sqrt(0.5), 1e-8);
  EXPECT_NEAR(newton.value, -0.25, 1e-14);
}

TEST(NewtonCg, SolvesAQuadraticInOneStepPerRegion) {
  const auto result = minimize([](Var x) { return sum(square(x - 0.5) * 3); }, zeros({20}, f64), optim::newton_cg(),
                               {.gradient_norm = 1e-10});
  EXPECT_TRUE(result.converged());
  EXPECT_LE(result.steps, 4) << result.summary();
}

TEST(LevenbergMarquardt, WithProductsReachesTheResultOfTheDenseForm) {
  for (const char* kind : {"dense", "products"}) {
    for (const Optimizer& optimizer : {optim::levenberg_marquardt({.solver = kind}), optim::gauss_newton({kind})}) {
      const auto result = minimize_squares(rosenbrock_residuals, Tensor::of({-1.2, 1.0, 0.8}), optimizer);
      EXPECT_LE(result.value, 1e-15) << optimizer.name << ' ' << kind << ": " << result.summary();
      EXPECT_EQ(result.products > 0, std::string(kind) == "products");
    }
  }
}

/// The returned step satisfies the conditions, whether the first trial is far too short or far too long.
TEST(LineSearch, EndsWithTheWolfeConditionsStrongOrApproximate) {
  const MinimizeOptions none;
  for (const double first : {1e-6, 1e-3, 1.0, 1e3}) {
    MethodPoint at{far_start(), Tensor({2}, f64)};
    FunctionOracle oracle(rosenbrock, at.x, none);
    at.value = oracle.gradient(at.x, at.gradient);
    Tensor d = at.gradient, x({2}, f64), g({2}, f64);
    scale(d, -1 / norm(d));
    const double slope = dot(at.gradient, d);
    const LineOptions options{.decrease = 1e-4, .curvature = 0.1, .most = 60};
    const LineStep found = search_wolfe(oracle, at, d, slope, first, {x, g}, options);
    ASSERT_TRUE(found.found) << first;
    const double left = dot(g, d);
    const bool strong = found.value <= at.value + 1e-4 * found.step * slope && std::abs(left) <= -0.1 * slope;
    const bool approximate = found.value <= at.value && left >= 0.1 * slope && left <= (2e-4 - 1) * slope;
    EXPECT_TRUE(strong || approximate) << first << ": " << found.value << ' ' << left;
    EXPECT_EQ(oracle.value(x), found.value);
  }
}

TEST(LineSearch, RecoversFromStepsWhereTheFunctionIsNotDefined) {
  const MinimizeOptions none;
  MethodPoint at{Tensor::of({1.0}), Tensor({1}, f64)};
  FunctionOracle oracle([](Var x) { return sum(x - log(2 - x) * 0.1 - 3 * x); }, at.x, none);
  at.value = oracle.gradient(at.x, at.gradient);
  Tensor d = Tensor::of({1.0}), x({1}, f64), g({1}, f64);
  const LineStep found = search_wolfe(oracle, at, d, dot(at.gradient, d), 100, {x, g});
  ASSERT_TRUE(found.found);
  EXPECT_LT(x.at(0), 2);
  EXPECT_LT(found.value, at.value);
}

TEST(Methods, HaveSlotsButNoUpdateProgram) {
  const UpdateProgram update = make_update(optim::lbfgs(), layout_of_one(far_start()));
  EXPECT_FALSE(update.program);
  EXPECT_EQ(update.slots.front().name, "lbfgs.point");
  EXPECT_GT(update.slots.size(), 3U);  // the state of the method follows
}

}  // namespace
}  // namespace thalweg
