#include "plot/drawing.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace thalweg {

constexpr double character = 6.6;  // approximate width in pixels at 12 px

double text_width(std::string_view text) {
  const auto glyphs = std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
  return character * static_cast<double>(glyphs);
}

namespace {

std::string svg_grid(const Theme& theme, const PlotAxes& axes, const Frame& f) {
  std::string out;
  for (const auto& [place, label] : axes.y.ticks()) {
    out += fmt::format(R"(<path {} d="M{:.1f} {:.1f}H{:.1f}"/>)", theme.grid(), f.left, f.y(place), f.right);
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)"
                       "\n",
                       f.left - 7, f.y(place) + 4, label);
  }
  double free = 0;
  for (const auto& [place, label] : axes.x.ticks()) {
    out += fmt::format(R"(<path {} d="M{:.1f} {:.1f}v4"/>)", theme.axis(), f.x(place), f.bottom);
    if (f.x(place) - text_width(label) / 2 < free) continue;  // it would touch the previous label
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)"
                       "\n",
                       f.x(place), f.bottom + 18, label);
    free = f.x(place) + text_width(label) / 2 + character;
  }
  return out + fmt::format(R"(<path {} d="M{:.1f} {:.1f}V{:.1f}H{:.1f}"/>)"
                           "\n",
                           theme.axis(), f.left, f.top, f.bottom, f.right);
}

/// A file specifies its own size, font and background; on a page, these come from the page.
std::string svg_opening(const Theme& theme, const std::string& title, int width, int height) {
  if (theme.page())
    return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", width, height, title);
  return fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" )"
      R"(aria-label="{2}" style="max-width:100%;height:auto" )"
      R"(font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="12" fill="#2b3137">)"
      "\n"
      R"(<rect width="{0}" height="{1}" fill="#ffffff"/>)"
      "\n",
      width, height, title);
}

}  // namespace

Frame frame_for(const PlotOptions& options, const PlotAxes& axes, int width, int height, double legend) {
  double label_width = 0;
  for (const auto& tick : axes.y.ticks()) label_width = std::max(label_width, text_width(tick.label));
  return {.left = 16 + label_width + (options.y_label.empty() ? 0 : 20),
          .top = 14.0 + (options.title.empty() ? 0 : 26) + legend,
          .right = width - 20.0,
          .bottom = height - 26.0 - (options.x_label.empty() ? 0 : 22)};
}

std::string svg_head(const Theme& theme, const PlotOptions& options, const PlotAxes& axes, const Frame& f, int width,
                     int height) {
  const std::string title = escape_xml(options.title);
  std::string out = svg_opening(theme, title, width, height);
  if (!title.empty() && !theme.page()) {
    out += fmt::format(R"(<text x="{:.1f}" y="22" font-size="15" font-weight="600">{}</text>)"
                       "\n",
                       f.left, title);
  }
  out += svg_grid(theme, axes, f);
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
  return out;
}

}  // namespace thalweg
