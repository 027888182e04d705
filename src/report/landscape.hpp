#pragma once
// A page with the loss around a point: slices, contours, and a surface that can be turned.

#include <string>
#include <vector>

#include "plot/contour.hpp"
#include "plot/plot.hpp"

namespace thalweg {

/// The loss along a line.
struct LandscapeSlice {
  PlotOptions options;
  std::vector<Series> series;
  std::string caption;  ///< what the picture shows, and what cannot be concluded from it
};

/// The loss over a plane.
struct LandscapePlane {
  ContourPlot plot;
  std::string caption;
};

struct LandscapePage {
  std::string title, subtitle;
  std::vector<LandscapePlane> planes;
  std::vector<LandscapeSlice> slices;
};

/// One HTML document without references to others. Texts are plain text: they are escaped here.
[[nodiscard]] std::string landscape_html(const LandscapePage& page);

}  // namespace thalweg
