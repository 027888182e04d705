#pragma once
// A chart for a page, a file or the terminal: lines, bands, dots and points over two axes.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/escape.hpp"

namespace thalweg {

/// A named line through the points (x, y), x ascending. A value that cannot be drawn (not finite; not positive on a
/// logarithmic axis) breaks the line.
struct Series {
  enum class Style { line, dotted_line, points };  ///< a dotted line has a dot at each of its points
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< a band around the line, if given
  /// a role in the table of roles, which determines the colour; empty: by the index of the series
  std::string role = {};
  Style style = Style::line;
};

/// The colours for a role, that is, for the meaning of a line.
struct PlotRole {
  std::string_view name;
  std::string_view light, dark;  ///< on a light and on a dark page; files use the light one
};
/// The roles for meanings ("training", "validation", "lr", "gradient"), and for series by index ("series1", ...).
[[nodiscard]] std::span<const PlotRole> plot_roles();
/// The style sheet of a page: a variable named after each role, and a class that sets `--role` to it.
[[nodiscard]] std::string plot_role_style();

/// A vertical line with a text: "suggested 3e-3".
struct PlotMark {
  double x = 0;
  std::string text = {};
};

struct PlotOptions {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  std::vector<PlotMark> marks = {};
  std::vector<double> x_shown = {}, y_shown = {};  ///< values that the axes must include, too
};

/// Whether a logarithmic axis suits the values: all positive, over more than a decade.
[[nodiscard]] bool wants_log(std::span<const Series> series);

/// Replaces groups of consecutive values by their mean, with their lowest and highest values as a band, so that there
/// are at most `points`; unchanged if there are not more.
[[nodiscard]] Series thinned(std::string name, std::string role, std::span<const double> x, std::span<const double> y,
                             std::size_t points = 240);

/// Braille dots with axes, `width` columns by about `height` rows of UTF-8, each ended by a newline. All series have
/// the same colour, so it suits one series, or a few that need not be distinguished.
[[nodiscard]] std::string line_plot_text(const PlotOptions& options, std::span<const Series> series, int width = 72,
                                         int height = 18);

/// One light `<svg>` element without references to anything outside; its size in pixels scales with its container. Long
/// series are thinned to the visible resolution.
[[nodiscard]] std::string line_plot_svg(const PlotOptions& options, std::span<const Series> series, int width = 720,
                                        int height = 360);

/// A figure for the page of a report, whose style determines the colours and whose script shows values: the title, a
/// legend with the last values, the chart. Empty if there is nothing to draw.
[[nodiscard]] std::string line_plot_html(const PlotOptions& options, std::span<const Series> series);
/// A scatter plot for a page, with the line where predicted equals true.
[[nodiscard]] std::string scatter_html(std::string_view target, std::span<const double> truth,
                                       std::span<const double> predicted);

}  // namespace thalweg
