#pragma once
// Level lines of a function of two variables, with a path over them.

#include <string>
#include <vector>

#include "plot/plot.hpp"

namespace thalweg {

/// Values on a grid, row by row from the lowest y, over a rectangle.
struct ContourField {
  double x_low = 0, x_high = 1, y_low = 0, y_high = 1;
  int columns = 2, rows = 2;
  std::vector<double> values;
  [[nodiscard]] double x(int column) const { return x_low + (x_high - x_low) * column / (columns - 1); }
  [[nodiscard]] double y(int row) const { return y_low + (y_high - y_low) * row / (rows - 1); }
};

struct ContourPoint {
  double x = 0, y = 0;
};

struct ContourPlot {
  PlotOptions options;
  ContourField field;
  std::vector<ContourPoint> path = {};        ///< from the start to the end
  std::vector<ContourPoint> minimizers = {};  ///< known minimizers
  bool labels = false;                        ///< whether every other level has its value on its line
};

/// Levels at quantiles of the values, closer to each other near the lowest.
[[nodiscard]] std::vector<double> contour_levels(const ContourField& field, int count);
/// The lines on which the field has this level, joined to long lines; cells with a value that is not finite have none.
/// (Marching squares; Lorensen and Cline 1987 in two dimensions)
[[nodiscard]] std::vector<std::vector<ContourPoint>> contour_lines(const ContourField& field, double level);

[[nodiscard]] std::string contour_plot_svg(const ContourPlot& plot, int width = 720, int height = 560);

}  // namespace thalweg
