#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/plot_frame.hpp"

namespace thalweg {

namespace {

// told apart by those who do not tell red from green, too
constexpr std::array colours = {"#0b62c4", "#d9570b", "#2f8f6b", "#8a3ea8", "#c22f52", "#5c6670"};

/// At most four points for each half pixel: the first, the lowest, the highest and the last, in their order.
std::vector<PlotPoint> thinned(const std::vector<PlotPoint>& points, double pixels) {
  const double columns = 2 * pixels;
  if (static_cast<double>(points.size()) <= 4 * columns) return points;
  std::vector<PlotPoint> kept;
  for (std::size_t begin = 0; begin < points.size();) {
    std::size_t end = begin, low = begin, high = begin;
    const double column = std::floor(points[begin].x * columns);
    for (; end < points.size() && std::floor(points[end].x * columns) == column; ++end) {
      if (points[end].y < points[low].y) low = end;
      if (points[end].y > points[high].y) high = end;
    }
    std::array keep = {begin, std::min(low, high), std::max(low, high), end - 1};
    for (std::size_t i = 0; i < keep.size(); ++i) {
      if (i == 0 || keep[i] != keep[i - 1]) kept.push_back(points[keep[i]]);
    }
    begin = end;
  }
  return kept;
}

std::string curve(const PlotAxes& axes, const Frame& f, const Series& series, std::string_view colour) {
  std::string out;
  for (const auto& segment : line_segments(axes, series)) {
    if (segment.size() == 1) {  // alone between gaps: a dot
      out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)"
                         "\n",
                         f.x(segment[0].x), f.y(segment[0].y), colour);
      continue;
    }
    out += R"(<path d=")";
    char command = 'M';
    for (const PlotPoint& p : thinned(segment, f.right - f.left)) {
      out += fmt::format("{}{:.1f} {:.1f}", command, f.x(p.x), f.y(p.y));
      command = 'L';
    }
    out += fmt::format(R"(" fill="none" stroke="{}" stroke-width="1.8" stroke-linejoin="round"/>)"
                       "\n",
                       colour);
  }
  return out;
}

std::string legend(std::span<const Series> series, const Frame& f) {
  double x = f.left;
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}" stroke-width="3"/>)", x,
                       f.top - 14, x + 18, f.top - 14, colours[i % colours.size()]);
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)"
                       "\n",
                       x + 23, f.top - 10, escape_xml(series[i].name));
    x += 23 + text_width(series[i].name) + 18;
  }
  return out;
}

std::string marks(const PlotOptions& options, const PlotAxes& axes, const Frame& f) {
  std::string out;
  double line = f.top + 12;  // one under the other, so that near marks do not write over each other
  for (const PlotMark& mark : options.marks) {
    const auto place = axes.x.place(mark.x);
    if (!place || *place < 0 || *place > 1) continue;
    const bool turned = f.x(*place) + 6 + text_width(mark.text) > f.right;
    out += fmt::format(
        R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#5c6670" stroke-dasharray="4 3"/>)",
        f.x(*place), f.top, f.x(*place), f.bottom);
    out += fmt::format(
        R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}" stroke="#ffffff" stroke-width="3" paint-order="stroke">{}</text>)"
        "\n",
        f.x(*place) + (turned ? -5 : 5), line, turned ? "end" : "start", escape_xml(mark.text));
    line += 15;
  }
  return out;
}

}  // namespace

std::string line_plot_svg(const PlotOptions& options, std::span<const Series> series, int width, int height) {
  const PlotAxes axes(options, series, std::max(2, width / 90), std::max(2, height / 55));
  const bool named = series.size() > 1;
  const Frame f = frame_for(options, axes, width, height, named ? 24 : 0);
  std::string out = svg_head(options, axes, f, width, height);
  for (std::size_t i = 0; i < series.size(); ++i) out += curve(axes, f, series[i], colours[i % colours.size()]);
  out += marks(options, axes, f);
  if (named) out += legend(series, f);
  return out + "</svg>\n";
}

}  // namespace thalweg
