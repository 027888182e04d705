#pragma once
// One axis of a plot: its range, its ticks, and the position of a value.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plot/plot.hpp"

namespace thalweg {

class Axis {
 public:
  struct Tick {
    double place;  // from 0 to 1
    std::string label;
  };

  /// The range covers the values that can be drawn; it is extended to whole ticks if `round` is set. There are about
  /// `ticks` of them.
  Axis(const std::vector<std::span<const double>>& values, bool log, bool round, int ticks);

  /// Position from 0 to 1 along the axis, or nothing for a value that cannot be drawn.
  [[nodiscard]] std::optional<double> place(double value) const;
  [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void add_linear_ticks(bool round, int count);
  void add_log_ticks(int count);
  void add_tick(double value);
  [[nodiscard]] std::optional<double> transformed(double value) const;

  bool log_;
  double low_ = 0, high_ = 1;  // transformed values: decimal logarithms on a logarithmic axis
  std::vector<Tick> ticks_;
};

struct PlotAxes {
  Axis x, y;
  PlotAxes(Axis x_axis, Axis y_axis) : x(std::move(x_axis)), y(std::move(y_axis)) {}
  PlotAxes(const PlotOptions& options, std::span<const Series> series, int x_ticks, int y_ticks);
};

/// A position in the plot: both coordinates from 0 to 1, from the lower left.
struct PlotPoint {
  double x = 0, y = 0;
};
/// The unbroken sequences of points of a series.
[[nodiscard]] std::vector<std::vector<PlotPoint>> line_segments(const PlotAxes& axes, const Series& series);

}  // namespace thalweg
