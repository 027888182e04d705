// Line plots as SVG.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/numbers.hpp"
#include "plot/drawing.hpp"

namespace thalweg {

bool wants_log(std::span<const Series> series) {
  double low = std::numeric_limits<double>::infinity(), high = 0;
  for (const Series& s : series) {
    for (const double value : s.y) {
      if (std::isfinite(value)) low = std::min(low, value), high = std::max(high, value);
    }
  }
  return low > 0 && high > 10 * low;
}

Series thinned(std::string name, std::string role, std::span<const double> x, std::span<const double> y,
               std::size_t points) {
  Series series{.name = std::move(name), .x = {}, .y = {}, .role = std::move(role)};
  const std::size_t n = std::min(x.size(), y.size()), bins = std::min(n, points);
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const std::size_t begin = bin * n / bins, count = (bin + 1) * n / bins - begin;
    const auto values = y.subspan(begin, count), places = x.subspan(begin, count);
    const auto total = static_cast<double>(count);
    series.x.push_back(std::accumulate(places.begin(), places.end(), 0.0) / total);
    series.y.push_back(std::accumulate(values.begin(), values.end(), 0.0) / total);
    if (bins == n) continue;
    const auto [low, high] = std::ranges::minmax(values);
    series.low.push_back(low);
    series.high.push_back(high);
  }
  return series;
}

namespace {

/// At most four points for each half pixel: the first, the lowest, the highest and the last, in their order.
std::vector<PlotPoint> visible(const std::vector<PlotPoint>& points, double pixels) {
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

/// A chart of some series with its axes, in the colours of its theme.
struct LineDrawing {
  Theme theme;
  const PlotAxes& axes;
  const Frame& f;

  [[nodiscard]] std::string circle(const PlotPoint& p, double radius, const std::string& look) const {
    return fmt::format(R"(<circle {} cx="{:.1f}" cy="{:.1f}" r="{}"/>)", look, f.x(p.x), f.y(p.y), radius);
  }

  /// The data for the page's script: the position of each point, and its values.
  [[nodiscard]] std::string read_outs(const Series& series) const {
    std::string out;
    for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
      const auto x = axes.x.place(series.x[i]), y = axes.y.place(series.y[i]);
      if (!x || !y) continue;
      out += fmt::format("{}{:.1f},{:.1f},{},{}", out.empty() ? "" : " ", f.x(*x), f.y(*y), std::llround(series.x[i]),
                         number_text(series.y[i], 4));
    }
    return fmt::format(R"( data-points="{}")", out);
  }

  [[nodiscard]] std::string curve(const Series& series, std::size_t place) const {
    std::string path, dots;
    for (const auto& segment : line_segments(axes, series)) {
      const bool alone = segment.size() == 1;  // a single point between gaps
      const bool dotted = alone || series.style == Series::Style::dotted_line;
      char command = 'M';
      for (const PlotPoint& p : visible(segment, f.right - f.left)) {
        if (!alone) path += fmt::format("{}{:.1f} {:.1f}", std::exchange(command, 'L'), f.x(p.x), f.y(p.y));
        if (dotted) dots += circle(p, alone ? 3 : 2.6, theme.dot(series, place));
      }
    }
    if (path.empty() && !theme.page()) return dots;
    return fmt::format("<path {} d=\"{}\"{}/>{}\n", theme.line(series, place), path,
                       theme.page() ? read_outs(series) : "", dots);
  }

  [[nodiscard]] std::string points(const Series& series, std::size_t place) const {
    std::string out;
    for (const auto& segment : line_segments(axes, series)) {
      for (const PlotPoint& p : segment) out += circle(p, 3.2, theme.point(series, place));
    }
    return out + "\n";
  }

  /// The area between `low` and `high`, for each unbroken sequence of both.
  [[nodiscard]] std::string band(const Series& series, std::size_t place) const {
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
      if (end > begin + 1) out += fmt::format("<path {} d=\"{}{}Z\"/>\n", theme.band(series, place), forth, back);
      begin = std::max(end, begin + 1);
    }
    return out;
  }

  [[nodiscard]] std::string marks(const PlotOptions& options) const {
    std::string out;
    double line = f.top + 12;  // one below the other, so that marks close to each other do not overlap
    for (const PlotMark& mark : options.marks) {
      const auto place = axes.x.place(mark.x);
      if (!place || *place < 0 || *place > 1) continue;
      const bool turned = f.x(*place) + 6 + text_width(mark.text) > f.right;
      out += fmt::format(R"(<path {} d="M{:.1f} {:.1f}V{:.1f}"/>)", theme.mark(), f.x(*place), f.top, f.bottom);
      out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" {}>{}</text>\n",
                         f.x(*place) + (turned ? -5 : 5), line, turned ? "end" : "start", theme.mark_text(),
                         escape_xml(mark.text));
      line += 15;
    }
    return out;
  }

  [[nodiscard]] std::string all(const PlotOptions& options, std::span<const Series> series) const {
    std::string out;
    for (std::size_t i = 0; i < series.size(); ++i) out += band(series[i], i);
    for (std::size_t i = 0; i < series.size(); ++i) {
      out += series[i].style == Series::Style::points ? points(series[i], i) : curve(series[i], i);
    }
    return out + marks(options);
  }
};

constexpr double legend_line = 18;

/// The positions of the names in the legend: left edge, and distance from the top.
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

/// The legend in a file's drawing, above the frame.
std::string file_legend(std::span<const Series> series, const Frame& f) {
  const LegendPlaces places = legend_places(series, f.left, f.right);
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto [x, number] = places.names[i];
    const double line = f.top - 14 - legend_line * (places.lines - 1 - number);
    out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" {} stroke-width="3"/>)", x, line,
                       x + 18, line, file_stroke(series[i], i));
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)"
                       "\n",
                       x + 23, line + 4, escape_xml(series[i].name));
  }
  return out;
}

/// The legend beside a page's drawing: each line's last value, which the script replaces by the value under the
/// pointer.
std::string page_legend(std::span<const Series> series) {
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    out += fmt::format(R"(<span class="key {}">{} <b>{}</b></span>)", role_of(series[i], i).name,
                       escape_xml(series[i].name), figure(series[i].y.back()));
  }
  return out;
}

constexpr int page_width = 480, page_height = 234, square_height = 466;

}  // namespace

std::string line_plot_svg(const PlotOptions& options, std::span<const Series> series, int width, int height) {
  const PlotAxes axes(options, series, std::max(2, width / 90), std::max(2, height / 55));
  const bool named = series.size() > 1;
  const Frame bare = frame_for(options, axes, width, height, 0);
  const int lines = named ? legend_places(series, bare.left, bare.right).lines : 0;
  const Frame f = frame_for(options, axes, width, height, named ? 6 + legend_line * lines : 0);
  const Theme theme(Theme::Place::file);
  return svg_head(theme, options, axes, f, width, height) + LineDrawing{theme, axes, f}.all(options, series) +
         (named ? file_legend(series, f) : "") + "</svg>\n";
}

std::string line_plot_html(const PlotOptions& options, std::span<const Series> series) {
  std::vector<Series> drawn;
  std::ranges::copy_if(series, std::back_inserter(drawn), [](const Series& s) {
    return std::ranges::any_of(s.y, [](double value) { return std::isfinite(value); });
  });
  if (drawn.empty()) return {};
  const PlotAxes axes(options, drawn, 5, 4);
  const Theme theme(Theme::Place::page);
  PlotOptions inside = options;  // the title is above the drawing
  inside.title.clear();
  const Frame f = frame_for(inside, axes, page_width, page_height, 0);
  return fmt::format(
             "<figure class=\"chart\"><figcaption><h3>{}{}</h3><span class=\"at\">last step</span>"
             "<div class=\"keys\">{}</div></figcaption>\n",
             escape_xml(options.title), options.log_y ? " <small>logarithmic</small>" : "", page_legend(drawn)) +
         svg_head(theme, options, axes, f, page_width, page_height) + LineDrawing{theme, axes, f}.all(options, drawn) +
         fmt::format(R"(<path class="cross" d="M0 {:.1f}V{:.1f}"/>)", f.top, f.bottom) + "</svg></figure>\n";
}

std::string scatter_html(std::string_view target, std::span<const double> truth, std::span<const double> predicted) {
  constexpr std::size_t most = 2000;  // more would hide each other
  Series points{.name = "predicted", .x = {}, .y = {}, .role = "training", .style = Series::Style::points};
  const std::size_t n = std::min(truth.size(), predicted.size()), shown = std::min(n, most);
  for (std::size_t i = 0; i < shown; ++i) {
    points.x.push_back(truth[i * n / shown]);
    points.y.push_back(predicted[i * n / shown]);
  }
  const Axis both({truth, predicted}, false, true, 5);
  const PlotAxes axes(both, both);
  const Theme theme(Theme::Place::page);
  const PlotOptions options{.title = "predicted against true",
                            .x_label = fmt::format("true {}", target),
                            .y_label = fmt::format("predicted {}", target)};
  PlotOptions inside = options;
  inside.title.clear();
  const Frame f = frame_for(inside, axes, page_width, square_height, 0);
  std::string head = svg_head(theme, options, axes, f, page_width, square_height);
  head.insert(std::string_view("<svg ").size(), "class=\"scatter\" ");
  return head +
         fmt::format("<path {} d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n", theme.mark(), f.left, f.bottom, f.right,
                     f.top) +
         LineDrawing{theme, axes, f}.points(points, 0) + "</svg>\n";
}

}  // namespace thalweg
