#include "insight/landscape.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/engine.hpp"
#include "moons.hpp"

namespace thalweg {
namespace {

double norm_of(const std::vector<double>& v, std::int64_t begin, std::int64_t count, std::int64_t stride) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += std::pow(v[static_cast<std::size_t>(begin + i * stride)], 2);
  return std::sqrt(sum);
}

TEST(Landscape, EveryFilterOfADirectionHasTheNormOfTheWeightsFilter) {
  Engine engine(evaluation_of(nn::mlp(2, {.hidden = {5, 3}}), loss::cross_entropy), optim::sgd({.lr = 1}), 1);
  State state = engine.init(two_moons(10), 1, f64);
  state.set_parameter("layer1/bias", ones({5}, f64));
  const std::vector<double> x = point_of(state), d = filter_normalised_direction(state, 7);
  for (const ParameterEntry& entry : state.layout->entries) {
    if (entry.shape.rank() == 1) {
      EXPECT_EQ(norm_of(d, entry.offset, entry.shape.size(), 1), 0) << entry.name;
      continue;
    }
    const std::int64_t units = entry.shape[1];
    for (std::int64_t f = 0; f < units; ++f) {
      EXPECT_NEAR(norm_of(d, entry.offset + f, entry.shape[0], units),
                  norm_of(x, entry.offset + f, entry.shape[0], units), 1e-12)
          << entry.name;
    }
  }
  EXPECT_EQ(d, filter_normalised_direction(state, 7));
  EXPECT_NE(d, filter_normalised_direction(state, 8));
}

TEST(Landscape, ThePlaneOfAPathIsSpannedByItsPrincipalComponents) {
  // points in a plane of the 5-dimensional space, spanned by the orthonormal vectors a and b
  const std::vector<double> a = {0.6, 0, 0.8, 0, 0}, b = {0, 1, 0, 0, 0};
  std::vector<std::vector<double>> points;
  for (const auto& [s, t] : {std::pair{4.0, 1.0}, {3.0, -1.0}, {1.5, 0.5}, {0.0, 0.0}}) {
    std::vector<double> point(5, 0.1);
    for (std::size_t i = 0; i < 5; ++i) point[i] += s * a[i] + t * b[i];
    points.push_back(point);
  }
  const PathPlane plane = plane_of_path(points);
  EXPECT_NEAR(plane.first_part + plane.second_part, 1, 1e-12);
  EXPECT_GT(plane.along.front(), 0);
  EXPECT_NEAR(plane.along.back(), 0, 1e-12);
  for (std::size_t i = 0; i < points.size(); ++i) {  // the coordinates reproduce the points
    for (std::size_t k = 0; k < 5; ++k)
      EXPECT_NEAR(points.back()[k] + plane.along[i] * plane.first[k] + plane.across[i] * plane.second[k], points[i][k],
                  1e-12);
  }
  // the first component is the eigenvector of the larger eigenvalue of [[27.25, 1.75], [1.75, 2.25]]
  const double larger = 14.75 + std::sqrt(12.5 * 12.5 + 1.75 * 1.75);
  EXPECT_NEAR(plane.first_part, larger / 29.5, 1e-12);
  EXPECT_THROW((void)plane_of_path({{0, 0}, {1, 1}, {2, 2}}), UsageError);
  EXPECT_THROW((void)plane_of_path({{0, 0}, {1, 1}}), UsageError);
}

TEST(Landscape, LossesAreThoseOfTheFunction) {
  const Function f([](Var x) { return sum(square(x) * constant(Tensor::of({1.0, 3.0}))); });
  const Surface surface = surface_of(f, {2});
  const std::vector<double> origin = {1, 0}, first = {1, 0}, second = {0, 2}, x = {-1, 0, 1}, y = {0, 1};
  std::int64_t points = 0;
  const auto losses =
      losses_over(surface, origin, first, second, x, y, [&](std::int64_t done, std::int64_t) { points = done; });
  EXPECT_EQ(losses, (std::vector<double>{0, 1, 4, 12, 13, 16}));
  EXPECT_EQ(points, 6);
  EXPECT_EQ(losses_along(surface, origin, first, x), (std::vector<double>{0, 1, 4}));
}

TEST(Landscape, ABarrierIsTheLossAboveTheLineBetweenTheEnds) {
  const std::vector<double> places = {-0.5, 0, 0.5, 0.75, 1, 1.5};
  const Barrier over = barrier_of(places, std::vector<double>{9, 1, 3, 2.9, 2, 9});
  EXPECT_NEAR(over.height, 1.5, 1e-12);
  EXPECT_EQ(over.place, 0.5);
  EXPECT_EQ(barrier_of(places, std::vector<double>{9, 1, 1.2, 1.5, 2, 9}).height, 0);
}

}  // namespace
}  // namespace thalweg
