#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "plot/frame.hpp"

namespace thalweg {

namespace {

// told apart by those who do not tell red from green, too
constexpr std::array colours = {"#0b62c4", "#d9570b", "#2f8f6b", "#8a3ea8", "#c22f52", "#5c6670"};
// the same colours again, for more series than there are colours
constexpr std::array dashes = {"", R"( stroke-dasharray="7 3")", R"( stroke-dasharray="2 3")",
                               R"( stroke-dasharray="9 3 2 3")", R"( stroke-dasharray="14 4")"};

std::string stroke_of(std::size_t series) {
  return fmt::format(R"(stroke="{}"{})", colours[series % colours.size()],
                     dashes[series / colours.size() % dashes.size()]);
}

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

std::string curve(const PlotAxes& axes, const Frame& f, const Series& series, std::size_t place) {
  std::string out;
  for (const auto& segment : line_segments(axes, series)) {
    if (segment.size() == 1) {  // alone between gaps: a dot
      out += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)"
                         "\n",
                         f.x(segment[0].x), f.y(segment[0].y), colours[place % colours.size()]);
      continue;
    }
    out += R"(<path d=")";
    char command = 'M';
    for (const PlotPoint& p : thinned(segment, f.right - f.left)) {
      out += fmt::format("{}{:.1f} {:.1f}", command, f.x(p.x), f.y(p.y));
      command = 'L';
    }
    out += fmt::format(R"(" fill="none" {} stroke-width="1.8" stroke-linejoin="round"/>)"
                       "\n",
                       stroke_of(place));
  }
  return out;
}

/// The area between `low` and `high`, along each unbroken run of both.
std::string band(const PlotAxes& axes, const Frame& f, const Series& series, std::size_t place) {
  std::string out;
  const std::size_t count = std::min({series.x.size(), series.low.size(), series.high.size()});
  for (std::size_t begin = 0; begin < count;) {
    std::string forth, back;
    std::size_t end = begin;
    for (; end < count; ++end) {
      const auto x = axes.x.place(series.x[end]), low = axes.y.place(series.low[end]);
      const auto high = axes.y.place(series.high[end]);
      if (!x || !low || !high) break;
      forth += fmt::format("{}{:.1f} {:.1f}", forth.empty() ? 'M' : 'L', f.x(*x), f.y(*low));
      back.insert(0, fmt::format("L{:.1f} {:.1f}", f.x(*x), f.y(*high)));
    }
    if (end > begin + 1) {
      out += fmt::format(R"(<path d="{}{}Z" fill="{}" fill-opacity="0.13"/>)"
                         "\n",
                         forth, back, colours[place % colours.size()]);
    }
    begin = std::max(end, begin + 1);
  }
  return out;
}

constexpr double legend_line = 18;

/// Where each name of the legend stands: its left edge, and its line from the top.
struct LegendPlaces {
  std::vector<std::pair<double, int>> names;
  int lines = 0;
};

LegendPlaces legend_places(std::span<const Series> series, double left, double right) {
  LegendPlaces places;
  double x = left;
  for (const Series& s : series) {
    const double width = 23 + text_width(s.name);
    if (places.lines == 0 || x + width > right) x = left, ++places.lines;
    places.names.emplace_back(x, places.lines - 1);
    x += width + 18;
  }
  return places;
}

std::string legend(std::span<const Series> series, const Frame& f) {
  const LegendPlaces places = legend_places(series, f.left, f.right);
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto [x, number] = places.names[i];
    const double line = f.top - 14 - legend_line * (places.lines - 1 - number);
    out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" {} stroke-width="3"/>)", x, line,
                       x + 18, line, stroke_of(i));
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)"
                       "\n",
                       x + 23, line + 4, escape_xml(series[i].name));
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
  const Frame bare = frame_for(options, axes, width, height, 0);
  const int lines = named ? legend_places(series, bare.left, bare.right).lines : 0;
  const Frame f = frame_for(options, axes, width, height, named ? 6 + legend_line * lines : 0);
  std::string out = svg_head(options, axes, f, width, height);
  for (std::size_t i = 0; i < series.size(); ++i) out += band(axes, f, series[i], i);
  for (std::size_t i = 0; i < series.size(); ++i) out += curve(axes, f, series[i], i);
  out += marks(options, axes, f);
  if (named) out += legend(series, f);
  return out + "</svg>\n";
}

}  // namespace thalweg
