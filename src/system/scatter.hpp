#pragma once
// Draws points as a picture.

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "thalweg/medium.hpp"

namespace thalweg {

struct ScatterSeries {
  std::vector<std::pair<double, double>> points;
  std::array<double, 3> colour = {0, 0, 0};  ///< red, green and blue in [0, 1]
};
struct Scatter {
  Medium picture;
  double left = 0, right = 1, low = 0, high = 1;  ///< the borders of the plane, which are whole numbers
};
/// Draws points (x, y) on a plane with five lines across each axis, and a cross at the mean of each series. Points that
/// are not finite are left out.
[[nodiscard]] Scatter scatter(std::span<const ScatterSeries> series);

}  // namespace thalweg
