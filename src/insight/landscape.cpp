#include "insight/landscape.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg {

std::vector<double> filter_normalised_direction(const State& at, std::uint64_t seed) {
  std::vector<double> direction(static_cast<std::size_t>(at.layout->trained_size), 0);
  const RandomKey key = RandomKey{seed}.fold("landscape");
  for (const ParameterEntry& entry : at.layout->entries) {
    if (entry.frozen || entry.shape.rank() < 2) continue;
    const std::int64_t filters = entry.shape[entry.shape.rank() - 1], inputs = entry.shape.size() / filters;
    for (std::int64_t f = 0; f < filters; ++f) {
      double squares = 0, drawn = 0;
      for (std::int64_t i = 0; i < inputs; ++i) {
        const std::int64_t place = entry.offset + i * filters + f;
        double& d = direction[static_cast<std::size_t>(place)];
        d = random_gauss(key, static_cast<std::uint64_t>(place));
        drawn += d * d;
        squares += at.parameters.at(place) * at.parameters.at(place);
      }
      for (std::int64_t i = 0; i < inputs; ++i)
        direction[static_cast<std::size_t>(entry.offset + i * filters + f)] *= std::sqrt(squares / drawn);
    }
  }
  return direction;
}

PathPlane plane_of_path(const std::vector<std::vector<double>>& points) {
  const auto n = static_cast<Eigen::Index>(points.size());
  if (n < 3) fail<UsageError>("[landscape] a path of {} points. Wanted: at least 3", n);
  // there are few differences from the last point, so the matrix of their scalar products is small
  const auto size = static_cast<Eigen::Index>(points.front().size());
  Eigen::MatrixXd moves(size, n);
  const Eigen::Map<const Eigen::VectorXd> last(points.back().data(), size);
  for (Eigen::Index i = 0; i < n; ++i)
    moves.col(i) = Eigen::Map<const Eigen::VectorXd>(points[static_cast<std::size_t>(i)].data(), size) - last;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(moves.transpose() * moves);
  const auto values = solved.eigenvalues();
  if (!(values(n - 2) > 1e-12 * values(n - 1)))
    fail<UsageError>("[landscape] the points of the path lie on one line, so they span no plane");
  const double total = values.cwiseMax(0.0).sum();
  PathPlane plane{.first_part = values(n - 1) / total, .second_part = values(n - 2) / total};
  const auto component = [&](Eigen::Index which, std::vector<double>& direction, std::vector<double>& places) {
    Eigen::VectorXd unit = moves * solved.eigenvectors().col(which);
    unit.normalize();
    const Eigen::VectorXd along = moves.transpose() * unit;
    const double sign = along(0) < 0 ? -1 : 1;  // the start lies on the right, or at the top
    for (Eigen::Index i = 0; i < size; ++i) direction.push_back(sign * unit(i));
    for (Eigen::Index i = 0; i < n; ++i) places.push_back(sign * along(i));
  };
  component(n - 1, plane.first, plane.along);
  component(n - 2, plane.second, plane.across);
  return plane;
}

std::vector<double> losses_along(const Surface& surface, std::span<const double> origin,
                                 std::span<const double> direction, std::span<const double> places) {
  const double none[] = {0};
  return losses_over(surface, origin, direction, {}, places, none);
}

namespace {

std::vector<double> on_grid(std::span<const double> x, std::span<const double> y, const GridProgress& progress,
                            const std::function<double(double a, double b)>& loss) {
  std::vector<double> losses;
  const auto total = static_cast<std::int64_t>(x.size() * y.size());
  for (const double b : y) {
    for (const double a : x) {
      losses.push_back(loss(a, b));
      if (progress) progress(static_cast<std::int64_t>(losses.size()), total);
    }
  }
  return losses;
}

}  // namespace

std::vector<double> losses_over(const Surface& surface, std::span<const double> origin, std::span<const double> first,
                                std::span<const double> second, std::span<const double> x, std::span<const double> y,
                                const GridProgress& progress) {
  std::vector<double> point(origin.size());
  return on_grid(x, y, progress, [&](double a, double b) {
    for (std::size_t i = 0; i < point.size(); ++i)
      point[i] = origin[i] + a * first[i] + (second.empty() ? 0 : b * second[i]);
    return surface.value(point);
  });
}

std::vector<double> losses_over(PlaneLoss& plane, std::span<const double> x, std::span<const double> y,
                                const GridProgress& progress) {
  return on_grid(x, y, progress, std::ref(plane));
}

Barrier barrier_of(std::span<const double> places, std::span<const double> losses) {
  const auto at_place = [&](double wanted) {
    const auto nearest = std::ranges::min_element(places, {}, [&](double p) { return std::abs(p - wanted); });
    return losses[static_cast<std::size_t>(nearest - places.begin())];
  };
  const double from = at_place(0), to = at_place(1);
  Barrier barrier;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (places[i] < 0 || places[i] > 1) continue;
    const double above = losses[i] - ((1 - places[i]) * from + places[i] * to);
    if (above > barrier.height || std::isnan(above)) barrier = {above, places[i]};
  }
  return barrier;
}

std::vector<double> evenly_spaced(double low, double high, int count) {
  std::vector<double> places;
  for (int i = 0; i < count; ++i) places.push_back(low + (high - low) * i / (count - 1));
  return places;
}

}  // namespace thalweg
