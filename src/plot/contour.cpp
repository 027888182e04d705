#include "plot/contour.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "core/numbers.hpp"
#include "plot/drawing.hpp"

namespace thalweg {

std::vector<double> contour_levels(const ContourField& field, int count) {
  std::vector<double> sorted;
  std::ranges::copy_if(field.values, std::back_inserter(sorted), [](double v) { return std::isfinite(v); });
  std::ranges::sort(sorted);
  std::vector<double> levels;
  for (int i = 1; i <= count && !sorted.empty(); ++i) {
    const double part = std::pow(static_cast<double>(i) / (count + 1), 1.7);
    const double level = sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
    if (level > sorted.front() && (levels.empty() || level > levels.back())) levels.push_back(level);
  }
  return levels;
}

namespace {

/// An edge of the grid: from a point to the next one in its row (across) or in its column.
using Edge = std::int64_t;

class Contour {
 public:
  Contour(const ContourField& field, double level) : field_(field), level_(level) {}

  std::vector<std::vector<ContourPoint>> lines() {
    for (int r = 0; r + 1 < field_.rows; ++r) {
      for (int c = 0; c + 1 < field_.columns; ++c) cut_cell(c, r);
    }
    std::vector<std::vector<ContourPoint>> lines;
    for (const bool closed : {false, true}) {  // open lines, which start at one of their ends, before closed ones
      for (auto& [edge, ends] : next_) {
        if (!ends.empty() && (closed || ends.size() == 1)) lines.push_back(follow(edge));
      }
    }
    return lines;
  }

 private:
  [[nodiscard]] double value(int c, int r) const {
    return field_
        .values[static_cast<std::size_t>(r) * static_cast<std::size_t>(field_.columns) + static_cast<std::size_t>(c)];
  }
  [[nodiscard]] Edge edge(int c, int r, bool across) const {
    return 2 * (static_cast<Edge>(r) * field_.columns + c) + (across ? 0 : 1);
  }

  /// The points at which the level crosses the sides of a cell, joined in pairs. If it crosses all four, the mean of
  /// the corners decides which corners are connected.
  void cut_cell(int c, int r) {
    const std::array corner = {value(c, r), value(c + 1, r), value(c + 1, r + 1), value(c, r + 1)};
    if (!std::ranges::all_of(corner, [](double v) { return std::isfinite(v); })) return;
    const std::array side = {edge(c, r, true), edge(c + 1, r, false), edge(c, r + 1, true), edge(c, r, false)};
    std::vector<Edge> crossed;
    for (std::size_t i = 0; i < 4; ++i) {
      if ((corner[i] < level_) != (corner[(i + 1) % 4] < level_)) crossed.push_back(side[i]);
    }
    if (crossed.size() == 4) {
      const bool middle = (corner[0] + corner[1] + corner[2] + corner[3]) / 4 < level_;
      if ((corner[0] < level_) != middle) std::ranges::rotate(crossed, crossed.begin() + 1);
    }
    for (std::size_t i = 0; i + 1 < crossed.size(); i += 2) {
      next_[crossed[i]].push_back(crossed[i + 1]);
      next_[crossed[i + 1]].push_back(crossed[i]);
    }
  }

  [[nodiscard]] ContourPoint point(Edge edge) const {
    const int c = static_cast<int>(edge / 2 % field_.columns), r = static_cast<int>(edge / 2 / field_.columns);
    const bool across = edge % 2 == 0;
    const double from = value(c, r), to = across ? value(c + 1, r) : value(c, r + 1);
    const double part = (level_ - from) / (to - from);
    return {field_.x(c) + (across ? part * (field_.x(c + 1) - field_.x(c)) : 0),
            field_.y(r) + (across ? 0 : part * (field_.y(r + 1) - field_.y(r)))};
  }

  /// Follows a line from an edge as far as it goes, and removes what it has visited.
  std::vector<ContourPoint> follow(Edge edge) {
    std::vector<ContourPoint> line = {point(edge)};
    while (!next_[edge].empty()) {
      const Edge to = next_[edge].back();
      next_[edge].pop_back();
      auto& back = next_[to];
      back.erase(std::ranges::find(back, edge));
      line.push_back(point(to));
      edge = to;
    }
    return line;
  }

  const ContourField& field_;
  double level_;
  std::map<Edge, std::vector<Edge>> next_;
};

}  // namespace

std::vector<std::vector<ContourPoint>> contour_lines(const ContourField& field, double level) {
  return Contour(field, level).lines();
}

namespace {

constexpr std::string_view path_colour = "#d9570b";

std::string colour_between(double part) {  // from low to high
  const auto mix = [&](int low, int high) { return static_cast<int>(std::lround(low + (high - low) * part)); };
  return fmt::format("#{:02x}{:02x}{:02x}", mix(0x0b, 0xb9), mix(0x3c, 0xd3), mix(0x7d, 0xea));
}

class ContourDrawing {
 public:
  ContourDrawing(const ContourPlot& plot, int width, int height)
      : plot_(plot),
        width_(width),
        height_(height),
        axes_(axes_of(plot, width, height)),
        frame_(frame_for(plot.options, axes_, width, height, 26)) {}

  std::string text() {
    out_ = svg_head(Theme(Theme::Place::file), plot_.options, axes_, frame_, width_, height_);
    out_ +=
        fmt::format(R"(<clipPath id="inside"><rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/></clipPath>)"
                    "\n<g clip-path=\"url(#inside)\">\n",
                    frame_.left, frame_.top, frame_.right - frame_.left, frame_.bottom - frame_.top);
    levels();
    path();
    out_ += "</g>\n";
    legend();
    return out_ + "</svg>\n";
  }

 private:
  static PlotAxes axes_of(const ContourPlot& plot, int width, int height) {
    const std::array x = {plot.field.x_low, plot.field.x_high}, y = {plot.field.y_low, plot.field.y_high};
    return {Axis({x}, false, false, std::max(2, width / 90)), Axis({y}, false, false, std::max(2, height / 55))};
  }

  [[nodiscard]] double x(double value) const { return frame_.x(axes_.x.place(value).value_or(0)); }
  [[nodiscard]] double y(double value) const { return frame_.y(axes_.y.place(value).value_or(0)); }

  void levels() {
    const std::vector<double> values = contour_levels(plot_.field, level_count);
    for (std::size_t i = 0; i < values.size(); ++i) {
      std::string shape;
      const auto lines = contour_lines(plot_.field, values[i]);
      for (const auto& line : lines) shape += line_text(line, 0.4);
      out_ += fmt::format(R"(<path d="{}" fill="none" stroke="{}"><title>{:.4g}</title></path>)"
                          "\n",
                          shape, colour_between(static_cast<double>(i) / level_count), values[i]);
      if (plot_.labels && i % 2 == 0) label(lines, values[i]);
    }
    for (const std::string& text : labels_) out_ += text;  // above all lines
  }

  /// Writes the value of a level at the first position on its longest line, searched from the middle on, that has
  /// enough space.
  void label(const std::vector<std::vector<ContourPoint>>& lines, double value) {
    if (lines.empty()) return;
    const auto& longest = *std::ranges::max_element(lines, {}, [](const auto& line) { return line.size(); });
    const std::string text = number_text(value, 3);
    const double half = text_width(text) / 2 + 3;
    for (std::size_t i = 0; i < longest.size(); ++i) {
      const ContourPoint& p = longest[(longest.size() / 2 + i) % longest.size()];
      const double px = x(p.x), py = y(p.y);
      const bool inside =
          px > frame_.left + half && px < frame_.right - half && py > frame_.top + 12 && py < frame_.bottom - 12;
      const bool free = std::ranges::none_of(labelled_, [&](const ContourPoint& other) {
        return std::abs(px - other.x) < 2 * half + 4 && std::abs(py - other.y) < 16;
      });
      if (!inside || !free) continue;
      labelled_.push_back({px, py});
      labels_.push_back(
          fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle" font-size="11" stroke="#ffffff" )"
                      R"(stroke-width="3" paint-order="stroke">{}</text>)"
                      "\n",
                      px, py + 4, text));
      return;
    }
  }

  /// Points closer than `pixels` to the previous one are left out.
  [[nodiscard]] std::string line_text(const std::vector<ContourPoint>& line, double pixels) const {
    std::string text;
    double last_x = 0, last_y = 0;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const double px = x(line[i].x), py = y(line[i].y);
      const bool near = std::hypot(px - last_x, py - last_y) < pixels;
      if (!std::isfinite(px) || !std::isfinite(py) || (near && i > 0 && i + 1 < line.size())) continue;
      text += fmt::format("{}{:.1f} {:.1f}", text.empty() ? 'M' : 'L', px, py);
      last_x = px, last_y = py;
    }
    return text;
  }

  void path() {
    const std::vector<ContourPoint>& path = plot_.path;
    out_ += fmt::format(R"(<path d="{}" fill="none" stroke="{}" stroke-width="1.6" stroke-linejoin="round"/>)"
                        "\n",
                        line_text(path, 0.3), path_colour);
    const std::size_t dots = std::min(path.size(), most_dots);  // the first steps, as long as they can be distinguished
    for (std::size_t i = 1; i < dots; ++i) {
      out_ +=
          fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="2" fill="{}"/>)", x(path[i].x), y(path[i].y), path_colour);
    }
    if (path.size() > 1) out_ += start_sign(x(path.front().x), y(path.front().y));
    if (!path.empty()) out_ += end_sign(x(path.back().x), y(path.back().y));
    for (const ContourPoint& p : plot_.minimizers) out_ += minimum_sign(x(p.x), y(p.y));
  }

  static std::string start_sign(double px, double py) {
    return fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="5" fill="#ffffff" stroke="{}" stroke-width="2"/>)", px, py,
                       path_colour);
  }
  static std::string end_sign(double px, double py) {
    return fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="5" fill="{}"/>)", px, py, path_colour);
  }
  static std::string minimum_sign(double px, double py) {
    return fmt::format(R"(<path d="M{0:.1f} {1:.1f}h16m-8 -8v16" stroke="#2b3137" stroke-width="2"/>)", px - 8, py);
  }

  void legend() {
    double left = frame_.left + 6;
    const double line = frame_.top - 14;
    const auto entry = [&](const std::string& sign, std::string_view label) {
      out_ += sign + fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)"
                                 "\n",
                                 left + 14, line + 4, label);
      left += 14 + text_width(label) + 26;
    };
    if (plot_.path.size() > 1) entry(start_sign(left, line), "start");
    if (!plot_.path.empty()) entry(end_sign(left, line), "end");
    if (!plot_.minimizers.empty()) entry(minimum_sign(left, line), "known minimum");
  }

  static constexpr int level_count = 16;
  static constexpr std::size_t most_dots = 200;

  const ContourPlot& plot_;
  int width_, height_;
  PlotAxes axes_;
  Frame frame_;
  std::string out_;
  std::vector<ContourPoint> labelled_;  // in pixels
  std::vector<std::string> labels_;
};

}  // namespace

std::string contour_plot_svg(const ContourPlot& plot, int width, int height) {
  return ContourDrawing(plot, width, height).text();
}

}  // namespace thalweg
