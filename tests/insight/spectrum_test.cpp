#include "insight/spectrum.hpp"

#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <cmath>
#include <numbers>

#include "engine/engine.hpp"
#include "insight/surface.hpp"
#include "moons.hpp"

namespace thalweg {
namespace {

/// A network after some steps on two_moons, its dense Hessian, and the eigenvalues of that matrix from Eigen.
struct Trained {
  Dataset data = two_moons(200);
  Workers workers{2};
  EvaluationFunction function;
  Products products;
  State state;
  Dataset seen = data;
  Surface surface;
  std::vector<double> point;
  Eigen::MatrixXd hessian;
  Eigen::VectorXd eigenvalues;

  /// The Hessian is of the first `rows` rows, or of all rows if that is 0.
  Trained(const std::vector<std::int64_t>& hidden, int steps, std::int64_t rows = 0)
      : function(evaluation_of(nn::mlp(2, {.hidden = hidden, .activation = "tanh"}), loss::cross_entropy)),
        products(function, workers) {
    Engine engine(function, optim::adam({.lr = 0.01}), 2);
    State trained = engine.init(data, 1, f32);
    for (int i = 0; i < steps; ++i) engine.step(trained, {data}, {}, 0);
    state = state_in(f64, trained);
    if (rows > 0) seen = data.slice(0, rows);
    surface = surface_of(products, state, seen);
    point = point_of(state);
    const auto n = static_cast<std::size_t>(surface.size);
    hessian.resize(surface.size, surface.size);
    std::vector<double> unit(n, 0), column(n);
    for (std::size_t i = 0; i < n; ++i) {
      unit[i] = 1;
      surface.hessian_times(point, unit, column);
      hessian.col(static_cast<Eigen::Index>(i)) = Eigen::Map<Eigen::VectorXd>(column.data(), surface.size);
      unit[i] = 0;
    }
    eigenvalues = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(hessian, Eigen::EigenvaluesOnly).eigenvalues();
  }

  [[nodiscard]] double lowest() const { return eigenvalues(0); }
  [[nodiscard]] double highest() const { return eigenvalues(eigenvalues.size() - 1); }
};

struct Network {
  std::vector<std::int64_t> hidden;
  int steps;
  std::int64_t rows = 0;
};
class SpectrumOf : public testing::TestWithParam<Network> {};
INSTANTIATE_TEST_SUITE_P(Networks, SpectrumOf,
                         testing::Values(Network{{8}, 0}, Network{{16, 16}, 200}, Network{{40, 40}, 300},
                                         Network{{16, 16}, 200, 32}),
                         [](const auto& test) {
                           return "trained" + std::to_string(test.param.steps) + (test.param.rows > 0 ? "_batch" : "");
                         });

TEST_P(SpectrumOf, LanczosFindsBothEndsOfTheDenseHessian) {
  const Trained net(GetParam().hidden, GetParam().steps, GetParam().rows);
  ASSERT_LE(net.surface.size, 2000);
  const Extremes found = extreme_eigenvalues(net.surface.hessian_at(net.point), {.steps = 400, .tolerance = 1e-7});
  EXPECT_TRUE(found.converged);
  EXPECT_NEAR(found.largest.value, net.highest(), 1e-6 * net.highest());
  EXPECT_NEAR(found.smallest.value, net.lowest(), 1e-6 * net.highest());
  for (const Eigenvalue& pair : {found.largest, found.smallest}) {
    const Eigen::Map<const Eigen::VectorXd> x(pair.vector.data(), net.surface.size);
    EXPECT_NEAR(x.norm(), 1, 1e-12);
    // the reported error is the residual of the eigenpair
    EXPECT_NEAR((net.hessian * x - pair.value * x).norm(), pair.error, 1e-9 * net.highest());
  }
}

TEST_P(SpectrumOf, AfterFewStepsTheReportedErrorIsRight) {
  const Trained net(GetParam().hidden, GetParam().steps, GetParam().rows);
  const Extremes found = extreme_eigenvalues(net.surface.hessian_at(net.point), {.steps = 8});
  for (const Eigenvalue& pair : {found.largest, found.smallest}) {
    const double nearest = (net.eigenvalues.array() - pair.value).abs().minCoeff();
    EXPECT_LE(nearest, pair.error + 1e-12);
  }
}

TEST_P(SpectrumOf, TraceAndDiagonalAreWithinTheirErrors) {
  const Trained net(GetParam().hidden, GetParam().steps, GetParam().rows);
  const Diagonal found = estimate_diagonal(net.surface.hessian_at(net.point), {.probes = 200});
  EXPECT_NEAR(found.trace.value, net.hessian.trace(), 4 * found.trace.error);
  int within = 0;
  for (Eigen::Index i = 0; i < net.hessian.rows(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    within += std::abs(found.values[k] - net.hessian(i, i)) <= 2 * found.errors[k];
  }
  EXPECT_GE(within, 0.9 * static_cast<double>(net.surface.size));  // 95 % are expected for normally distributed errors
  // the variance of one probe is the sum of H_ij^2 over j != i, and there are 200 probes
  const double variance = net.hessian.row(0).squaredNorm() - std::pow(net.hessian(0, 0), 2);
  EXPECT_NEAR(found.errors[0], std::sqrt(variance / 200), 0.2 * std::sqrt(variance / 200));
}

TEST_P(SpectrumOf, DensityIsThatOfTheDenseEigenvalues) {
  const Trained net(GetParam().hidden, GetParam().steps, GetParam().rows);
  const Density found = eigenvalue_density(net.surface.hessian_at(net.point), {.probes = 30, .steps = 60});
  const double width = 0.03 * (net.highest() - net.lowest());
  const auto n = static_cast<double>(net.eigenvalues.size());
  for (int i = 0; i <= 20; ++i) {
    const double t = net.lowest() + (net.highest() - net.lowest()) * i / 20;
    double density = 0, below = 0;
    for (const double value : net.eigenvalues) {
      const double z = (t - value) / width;
      density += std::exp(-z * z / 2) / (width * std::sqrt(2 * std::numbers::pi)) / n;
      below += std::erfc(-z / std::numbers::sqrt2) / 2 / n;
    }
    EXPECT_NEAR(found.at(t, width).value, density, 4 * found.at(t, width).error + 1e-6 / width) << t;
    EXPECT_NEAR(found.below(t, width).value, below, 4 * found.below(t, width).error + 1e-6) << t;
  }
  EXPECT_NEAR(found.trace().value, net.hessian.trace(), 4 * found.trace().error);
}

TEST(Spectrum, IsExactIfTheKrylovSpaceIsInvariant) {
  // with two distinct eigenvalues, Lanczos ends after two steps
  const SymmetricMatrix matrix{10, [](std::span<const double> v, std::span<double> product) {
                                 for (std::size_t i = 0; i < 10; ++i) product[i] = (i < 9 ? 2.0 : -1.0) * v[i];
                               }};
  const Extremes found = extreme_eigenvalues(matrix);
  EXPECT_EQ(found.products, 2);
  EXPECT_NEAR(found.largest.value, 2, 1e-14);
  EXPECT_NEAR(found.smallest.value, -1, 1e-14);
  EXPECT_LE(found.largest.error, 1e-12);
}

TEST(Spectrum, OfOneNumberIsThatNumber) {
  const SymmetricMatrix matrix{1, [](std::span<const double> v, std::span<double> product) { product[0] = -3 * v[0]; }};
  const Extremes found = extreme_eigenvalues(matrix);
  EXPECT_EQ(found.largest.value, -3);
  EXPECT_EQ(found.smallest.value, -3);
  EXPECT_EQ(estimate_diagonal(matrix, {.probes = 2}).trace.value, -3);
}

TEST(Spectrum, OfAProductThatIsNotFiniteIsRefused) {
  const SymmetricMatrix matrix{3, [](std::span<const double>, std::span<double> product) { product[0] = NAN; }};
  EXPECT_THROW((void)extreme_eigenvalues(matrix), NumericError);
}

TEST(Surface, OfAFunctionHasItsDerivatives) {
  const Function f([](Var x) { return sum(x * x * x); });
  const Surface surface = surface_of(f, {2});
  const std::vector<double> x = {1, -2}, v = {3, 5};
  std::vector<double> out(2);
  EXPECT_EQ(surface.gradient(x, out), 1 - 8);
  EXPECT_EQ(out, (std::vector<double>{3, 12}));
  surface.hessian_times(x, v, out);
  EXPECT_EQ(out, (std::vector<double>{6 * 1 * 3, 6 * -2 * 5}));
}

}  // namespace
}  // namespace thalweg
