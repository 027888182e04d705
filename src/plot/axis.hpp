#pragma once
// One axis of a plot: its range, its ticks, and where a value lies.

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

  /// Over the values that can be drawn; to whole ticks when `round`. About `ticks` of them.
  Axis(const std::vector<std::span<const double>>& values, bool log, bool round, int ticks);

  /// From 0 to 1 along the axis, or nothing for a value that cannot be drawn.
  [[nodiscard]] std::optional<double> place(double value) const;
  [[nodiscard]] const std::vector<Tick>& ticks() const { return ticks_; }

 private:
  void add_linear_ticks(bool round, int count);
  void add_log_ticks(int count);
  void add_tick(double value);
  [[nodiscard]] std::optional<double> transformed(double value) const;

  bool log_;
  double low_ = 0, high_ = 1;  // transformed: of the decimal logarithm where the axis is one
  std::vector<Tick> ticks_;
};

struct PlotAxes {
  Axis x, y;
  PlotAxes(Axis x_axis, Axis y_axis) : x(std::move(x_axis)), y(std::move(y_axis)) {}
  PlotAxes(const PlotOptions& options, std::span<const Series> series, int x_ticks, int y_ticks);
};

/// A place in the plot: both from 0 to 1, from the lower left.
struct PlotPoint {
  double x = 0, y = 0;
};
/// The unbroken runs of points of a series.
[[nodiscard]] std::vector<std::vector<PlotPoint>> line_segments(const PlotAxes& axes, const Series& series);

}  // namespace thalweg
