#pragma once
// Line plots, for a terminal and as a self-contained SVG.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/escape.hpp"

namespace thalweg {

/// A named line through the points (x, y), x ascending. A value that cannot be drawn (not finite; not positive on a
/// logarithmic axis) breaks the line.
struct Series {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< a band around it, where they are given
};

/// A vertical line with a text: "suggested 3e-3".
struct PlotMark {
  double x = 0;
  std::string text = {};
};

struct PlotOptions {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  std::vector<PlotMark> marks = {};
};

/// Braille dots with axes, `width` columns by about `height` rows of UTF-8, each ended by a newline. All series share
/// the one colour, so this is for one, or for a few that need no telling apart.
[[nodiscard]] std::string line_plot_text(const PlotOptions& options, std::span<const Series> series, int width = 72,
                                         int height = 18);

/// One `<svg>` element, light, without references to anything outside it; of a size in pixels that scales with its
/// place. Long series are thinned to what can be seen.
[[nodiscard]] std::string line_plot_svg(const PlotOptions& options, std::span<const Series> series, int width = 720,
                                        int height = 360);

}  // namespace thalweg
