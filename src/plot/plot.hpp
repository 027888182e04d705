#pragma once
// One chart, for page, file and terminal: lines, bands, dots and points over two axes.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// A named line through the points (x, y), x ascending. A value that cannot be drawn (not finite; not positive on a
/// logarithmic axis) breaks the line.
struct Series {
  enum class Style { line, dotted_line, points };  ///< a dotted line has a dot at each of its points
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};  ///< a band around it, where they are given
  std::string role = {};                    ///< of the table of roles, which gives the colour; else its place does
  Style style = Style::line;
};

/// What a line means decides its colour.
struct PlotRole {
  std::string_view name;
  std::string_view light, dark;  ///< on a light and on a dark page; files are light
};
/// Of meanings ("training", "validation", "lr", "gradient"), and of series by their place ("series1", ...).
[[nodiscard]] std::span<const PlotRole> plot_roles();
/// The style of a page: a variable of each role's name, and a class that sets `--role` to it.
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
  std::vector<double> x_shown = {}, y_shown = {};  ///< the axes reach these too
};

/// Whether values are easier to see on a logarithmic axis: all positive, over more than a decade.
[[nodiscard]] bool wants_log(std::span<const Series> series);

/// The mean of every so many values with the lowest and the highest of each as a band, so that there are no more than
/// `points`; the values themselves where they are no more.
[[nodiscard]] Series thinned(std::string name, std::string role, std::span<const double> x, std::span<const double> y,
                             std::size_t points = 240);

/// Braille dots with axes, `width` columns by about `height` rows of UTF-8, each ended by a newline. All series share
/// the one colour, so this is for one, or for a few that need no telling apart.
[[nodiscard]] std::string line_plot_text(const PlotOptions& options, std::span<const Series> series, int width = 72,
                                         int height = 18);

/// One `<svg>` element, light, without references to anything outside it; of a size in pixels that scales with its
/// place. Long series are thinned to what can be seen.
[[nodiscard]] std::string line_plot_svg(const PlotOptions& options, std::span<const Series> series, int width = 720,
                                        int height = 360);

/// A figure for a report's page, whose style gives the colours and whose script reads out values: the title, a legend
/// of the last values, the chart. Empty where there is nothing to draw.
[[nodiscard]] std::string line_plot_html(const PlotOptions& options, std::span<const Series> series);
/// Points for a page, and the line where predicted is true.
[[nodiscard]] std::string scatter_html(std::string_view target, std::span<const double> truth,
                                       std::span<const double> predicted);

/// The text with what XML gives a meaning escaped.
[[nodiscard]] std::string escape_xml(std::string_view text);

}  // namespace thalweg
