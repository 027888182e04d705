#include "cli/landscape.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "optim/descent.hpp"
#include "plot/contour.hpp"

namespace thalweg::cli {

namespace {

std::vector<ContourPoint> points_of(const std::vector<double>& path) {
  std::vector<ContourPoint> points;
  for (std::size_t i = 0; i + 1 < path.size(); i += 2) {
    if (std::isfinite(path[i]) && std::isfinite(path[i + 1])) points.push_back({path[i], path[i + 1]});
  }
  return points;
}

/// The range of one coordinate that the picture shows.
struct Interval {
  double low, high;
  [[nodiscard]] double width() const { return high - low; }
};

/// Widens the interval to include the points, up to three times its width.
Interval widened(Interval usual, std::span<const double> values) {
  const double limit = usual.width();
  Interval wide = usual;
  for (const double v : values) {
    if (v < usual.low) wide.low = std::min(wide.low, std::max(v - 0.05 * limit, usual.low - limit));
    if (v > usual.high) wide.high = std::max(wide.high, std::min(v + 0.05 * limit, usual.high + limit));
  }
  return wide;
}

/// A formula has no default window: it shows the start and the end, with a margin.
Interval around(double start, double end) {
  const double half = std::max(0.6 * std::abs(end - start), 1e-3 * std::max({1.0, std::abs(start), std::abs(end)}));
  return {(start + end) / 2 - 2 * half, (start + end) / 2 + 2 * half};
}

ContourField field_over(const Function& f, DType dtype, Interval x, Interval y) {
  ContourField field{x.low, x.high, y.low, y.high, 181, 141, {}};
  Tensor at({2}, dtype), gradient({2}, dtype);
  const Slope slope(f, at);
  for (int r = 0; r < field.rows; ++r) {
    for (int c = 0; c < field.columns; ++c) {
      at.set(0, field.x(c));
      at.set(1, field.y(r));
      field.values.push_back(slope(at, gradient));
    }
  }
  return field;
}

}  // namespace

void expect_plane(const Target& target) {
  if (target.x0.size() != 2) {
    fail<UsageError>("[minimize] a picture of {} dimension{}. Wanted: 2. Hint: --trace has every coordinate.",
                     target.x0.size(), target.x0.size() == 1 ? "" : "s");
  }
}

std::string landscape_svg(const Target& target, const std::vector<double>& path, const std::string& method) {
  ContourPlot plot;
  plot.path = points_of(path);
  std::vector<double> xs, ys;
  for (const ContourPoint& p : plot.path) xs.push_back(p.x), ys.push_back(p.y);
  const ProblemWindow window = target.problem.window;
  Interval x{window.x_low, window.x_high}, y{window.y_low, window.y_high};
  if (!target.problem.minimum && !plot.path.empty()) {
    x = around(xs.front(), xs.back()), y = around(ys.front(), ys.back());
    const double side = std::max(x.width(), y.width());  // neither much narrower than the other
    if (x.width() < side / 2) x = {(x.low + x.high - side / 2) / 2, (x.low + x.high + side / 2) / 2};
    if (y.width() < side / 2) y = {(y.low + y.high - side / 2) / 2, (y.low + y.high + side / 2) / 2};
  }
  plot.field = field_over(target.problem.function, target.x0.dtype(), widened(x, xs), widened(y, ys));
  for (const auto& point : target.problem.minimizers) plot.minimizers.push_back({point[0], point[1]});
  plot.options = {
      .title = target.name + " by " + method, .x_label = target.variables[0], .y_label = target.variables[1]};
  return contour_plot_svg(plot);
}

}  // namespace thalweg::cli
