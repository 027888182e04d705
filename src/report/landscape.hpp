#pragma once
// The loss around a point on one page: slices, contours, and a surface that can be turned.

#include <string>
#include <vector>

#include "plot/contour.hpp"
#include "plot/plot.hpp"

namespace thalweg {

/// The loss along a line.
struct LandscapeSlice {
  PlotOptions options;
  std::vector<Series> series;
  std::string caption;  ///< what one sees, and what does not follow
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

/// One HTML document that needs nothing else. Texts are plain: they are escaped here.
[[nodiscard]] std::string landscape_html(const LandscapePage& page);

}  // namespace thalweg
