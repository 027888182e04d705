#pragma once
// What every SVG plot has: its frame, its axes, its titles.

#include <string>
#include <string_view>

#include "plot/axis.hpp"

namespace thalweg {

/// The plotting area, in pixels.
struct Frame {
  double left = 0, top = 0, right = 0, bottom = 0;
  [[nodiscard]] double x(double place) const { return left + place * (right - left); }
  [[nodiscard]] double y(double place) const { return bottom - place * (bottom - top); }
};

/// About how many pixels a text takes, at 12 px.
[[nodiscard]] double text_width(std::string_view text);

/// A frame of a plot of that size: room for the titles, the labels of the axes, and `legend` pixels above it.
[[nodiscard]] Frame frame_for(const PlotOptions& options, const PlotAxes& axes, int width, int height, double legend);
/// The element's beginning, with background, titles, grid and the labels of the axes.
[[nodiscard]] std::string svg_head(const PlotOptions& options, const PlotAxes& axes, const Frame& frame, int width,
                                   int height);

}  // namespace thalweg
