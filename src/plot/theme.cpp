// The colours of charts: by role, for a page that may be dark and for a file that is light.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "plot/drawing.hpp"

namespace thalweg {

namespace {

// The colours of the series can be distinguished with red-green colour blindness.
constexpr PlotRole roles[] = {
    {"training", "#1f6feb", "#6ea8ff"}, {"validation", "#d4640c", "#ff9d57"}, {"lr", "#1a8a5f", "#4fc997"},
    {"gradient", "#8250c8", "#bb97f0"}, {"series1", "#0b62c4", "#6ea8ff"},    {"series2", "#d9570b", "#ff9d57"},
    {"series3", "#2f8f6b", "#5fc9a0"},  {"series4", "#8a3ea8", "#c98be6"},    {"series5", "#c22f52", "#ff7a9a"},
    {"series6", "#5c6670", "#a9b3bd"},  {"series7", "#b07d00", "#e8b04a"},    {"series8", "#0f8a9c", "#5cc8d8"}};
constexpr std::size_t first_series = 4;
constexpr std::size_t colours = std::size(roles) - first_series;

constexpr std::array dashes = {"", R"( stroke-dasharray="7 3")", R"( stroke-dasharray="2 3")",
                               R"( stroke-dasharray="9 3 2 3")", R"( stroke-dasharray="14 4")"};

}  // namespace

std::span<const PlotRole> plot_roles() { return roles; }

std::string plot_role_style() {
  std::string light, dark, classes;
  for (const PlotRole& role : roles) {
    light += fmt::format("--{}: {}; ", role.name, role.light);
    dark += fmt::format("--{}: {}; ", role.name, role.dark);
    classes += fmt::format(".{0} {{ --role: var(--{0}); }}\n", role.name);
  }
  return fmt::format(":root {{ {}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {}}} }}\n{}", light, dark,
                     classes);
}

const PlotRole& role_of(const Series& series, std::size_t place) {
  const auto own = std::ranges::find(roles, series.role, &PlotRole::name);
  return own != std::end(roles) ? *own : roles[first_series + place % colours];
}

std::string file_stroke(const Series& series, std::size_t place) {
  return fmt::format(R"(stroke="{}"{})", role_of(series, place).light, dashes[place / colours % dashes.size()]);
}

std::string_view Theme::grid() const { return page_ ? R"(class="grid")" : R"(stroke="#e3e6e9" fill="none")"; }
std::string_view Theme::axis() const { return page_ ? R"(class="axis")" : R"(stroke="#8b939b" fill="none")"; }
std::string_view Theme::mark() const {
  return page_ ? R"(class="best")" : R"(stroke="#5c6670" stroke-dasharray="4 3" fill="none")";
}
std::string_view Theme::mark_text() const {
  return page_ ? R"(class="halo")" : R"(stroke="#ffffff" stroke-width="3" paint-order="stroke")";
}

std::string Theme::line(const Series& series, std::size_t place) const {
  if (page_) return fmt::format(R"(class="line {}")", role_of(series, place).name);
  return fmt::format(R"(fill="none" {} stroke-width="1.8" stroke-linejoin="round")", file_stroke(series, place));
}

std::string Theme::band(const Series& series, std::size_t place) const {
  if (page_) return fmt::format(R"(class="band {}")", role_of(series, place).name);
  return fmt::format(R"(fill="{}" fill-opacity="0.13")", role_of(series, place).light);
}

std::string Theme::dot(const Series& series, std::size_t place) const {
  if (page_) return fmt::format(R"(class="dot {}")", role_of(series, place).name);
  return fmt::format(R"(fill="{}")", role_of(series, place).light);
}

std::string Theme::point(const Series& series, std::size_t place) const {
  if (page_) return fmt::format(R"(class="point {}")", role_of(series, place).name);
  return fmt::format(R"(fill="{}" fill-opacity="0.5")", role_of(series, place).light);
}

}  // namespace thalweg
