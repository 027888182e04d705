#include "plot/map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/escape.hpp"
#include "plot/drawing.hpp"

namespace thalweg {

namespace {

constexpr double margin = 28, line = 13;  // pixels around the points; height of a name

struct Box {
  double left, top, right, bottom;
  [[nodiscard]] bool meets(const Box& b) const {
    return left < b.right && b.left < right && top < b.bottom && b.top < bottom;
  }
};

struct Dot {
  double x, y;
  const std::string* name;
};

/// The positions of the points in the drawing, with the same scale on both axes.
std::vector<Dot> dots_of(const MapOptions& options, std::span<const double> x, std::span<const double> y,
                         std::span<const std::string> names) {
  std::vector<Dot> dots;
  for (std::size_t i = 0; i < std::min({x.size(), y.size(), names.size()}); ++i) {
    if (std::isfinite(x[i]) && std::isfinite(y[i])) dots.push_back({x[i], y[i], &names[i]});
  }
  if (dots.empty()) return dots;
  const auto [left, right] = std::ranges::minmax_element(dots, {}, &Dot::x);
  const auto [low, high] = std::ranges::minmax_element(dots, {}, &Dot::y);
  const double x_middle = (left->x + right->x) / 2, y_middle = (low->y + high->y) / 2;
  const double wide = options.width - 5 * margin, tall = options.height - 4 * margin;
  const double across = right->x - left->x, up = high->y - low->y;
  const double scale = std::min(across > 0 ? wide / across : 1e9, up > 0 ? tall / up : 1e9);
  for (Dot& dot : dots) {
    dot.x = options.width / 2.0 - margin / 2 + (dot.x - x_middle) * scale;
    dot.y = options.height / 2.0 - (dot.y - y_middle) * scale;
  }
  return dots;
}

/// The name beside its dot, on a free side; nothing if no side is free.
std::string named(const Dot& dot, const MapOptions& options, std::vector<Box>& taken) {
  const double width = 0.92 * text_width(*dot.name);
  struct Side {
    double x, y;
    const char* anchor;
  };
  for (const Side& side : {Side{dot.x + 4, dot.y + 4, "start"},
                           {dot.x - 4, dot.y + 4, "end"},
                           {dot.x, dot.y - 5, "middle"},
                           {dot.x, dot.y + line, "middle"}}) {
    const double left = side.anchor[0] == 's' ? side.x : side.anchor[0] == 'e' ? side.x - width : side.x - width / 2;
    const Box box{left, side.y - line + 3, left + width, side.y + 2};
    const bool inside = box.left > 0 && box.right < options.width && box.top > margin;
    if (!inside || std::ranges::any_of(taken, [&](const Box& other) { return box.meets(other); })) continue;
    taken.push_back(box);
    return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", side.x, side.y, side.anchor,
                       escape_xml(*dot.name));
  }
  return {};
}

}  // namespace

std::string map_svg(const MapOptions& options, std::span<const double> x, std::span<const double> y,
                    std::span<const std::string> names) {
  const std::vector<Dot> dots = dots_of(options, x, y, names);
  std::string circles, texts;
  std::vector<Box> taken;
  for (const Dot& dot : dots) {
    circles += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2\"/>\n", dot.x, dot.y);
    taken.push_back({dot.x - 2.5, dot.y - 2.5, dot.x + 2.5, dot.y + 2.5});
  }
  for (const Dot& dot : dots) texts += named(dot, options, taken);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "style=\"max-width:100%;height:auto\" font-family=\"system-ui,sans-serif\" font-size=\"11\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
      "<text x=\"12\" y=\"18\" font-size=\"14\" fill=\"#222222\">{2}</text>\n",
      options.width, options.height, escape_xml(options.title));
  out += "<g fill=\"#2a78d6\">\n" + circles + "</g>\n<g fill=\"#222222\">\n" + texts + "</g>\n";
  out += fmt::format(
      "<g fill=\"#666666\"><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>"
      "<text x=\"{}\" y=\"14\" text-anchor=\"end\" transform=\"rotate(-90)\">{}</text></g>\n</svg>\n",
      options.width - 12, options.height - 10, escape_xml(options.x_label), -margin - 6, escape_xml(options.y_label));
  return out;
}

}  // namespace thalweg
