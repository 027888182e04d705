#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/plot_axis.hpp"

namespace thalweg {

std::string escape_xml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

namespace {

// told apart by those who do not tell red from green, too
constexpr std::array colours = {"#0b62c4", "#d9570b", "#2f8f6b", "#8a3ea8", "#c22f52", "#5c6670"};
constexpr double character = 6.6;  // width in pixels, about, at 12 px

struct Frame {
  double left = 0, top = 0, right = 0, bottom = 0;
  [[nodiscard]] double x(double place) const { return left + place * (right - left); }
  [[nodiscard]] double y(double place) const { return bottom - place * (bottom - top); }
};

double text_width(std::string_view text) {
  const auto glyphs = std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
  return character * static_cast<double>(glyphs);
}

std::string grid(const PlotAxes& axes, const Frame& f) {
  std::string out;
  for (const auto& [place, label] : axes.y.ticks()) {
    out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#e3e6e9"/>)", f.left,
                       f.y(place), f.right, f.y(place));
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)"
                       "\n",
                       f.left - 7, f.y(place) + 4, label);
  }
  double free = 0;
  for (const auto& [place, label] : axes.x.ticks()) {
    out += fmt::format(R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#8b939b"/>)", f.x(place),
                       f.bottom, f.x(place), f.bottom + 4);
    if (f.x(place) - text_width(label) / 2 < free) continue;  // it would touch the label before
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)"
                       "\n",
                       f.x(place), f.bottom + 18, label);
    free = f.x(place) + text_width(label) / 2 + character;
  }
  return out + fmt::format(R"(<path d="M{:.1f} {:.1f}V{:.1f}H{:.1f}" fill="none" stroke="#8b939b"/>)"
                           "\n",
                           f.left, f.top, f.bottom, f.right);
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
  double label_width = 0;
  for (const auto& tick : axes.y.ticks()) label_width = std::max(label_width, text_width(tick.label));
  const bool named = series.size() > 1;
  const Frame f{.left = 16 + label_width + (options.y_label.empty() ? 0 : 20),
                .top = 14.0 + (options.title.empty() ? 0 : 26) + (named ? 24 : 0),
                .right = width - 20.0,
                .bottom = height - 26.0 - (options.x_label.empty() ? 0 : 22)};
  const std::string title = escape_xml(options.title);

  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" )"
      R"(aria-label="{2}" style="max-width:100%;height:auto" )"
      R"(font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="#2b3137">)"
      "\n"
      R"(<rect width="{0}" height="{1}" fill="#ffffff"/>)"
      "\n",
      width, height, title);
  if (!title.empty()) {
    out += fmt::format(R"(<text x="{:.1f}" y="22" font-size="15" font-weight="600">{}</text>)"
                       "\n",
                       f.left, title);
  }
  out += grid(axes, f);
  if (!options.x_label.empty()) {
    out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)"
                       "\n",
                       (f.left + f.right) / 2, height - 8, escape_xml(options.x_label));
  }
  if (!options.y_label.empty()) {
    out += fmt::format(R"svg(<text transform="translate(16 {:.1f}) rotate(-90)" text-anchor="middle">{}</text>)svg"
                       "\n",
                       (f.top + f.bottom) / 2, escape_xml(options.y_label));
  }
  for (std::size_t i = 0; i < series.size(); ++i) out += curve(axes, f, series[i], colours[i % colours.size()]);
  out += marks(options, axes, f);
  if (named) out += legend(series, f);
  return out + "</svg>\n";
}

}  // namespace thalweg
