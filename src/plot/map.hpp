#pragma once
// A map: points on a plane, each with its name.

#include <span>
#include <string>

namespace thalweg {

struct MapOptions {
  std::string title = {}, x_label = {}, y_label = {};
  int width = 960, height = 720;
};

/// One `<svg>` element, light, without references to anything outside it: a dot for each point, and beside it its name
/// where there is still room, the first points first. One scale for both axes. Points that are not finite are left out.
[[nodiscard]] std::string map_svg(const MapOptions& options, std::span<const double> x, std::span<const double> y,
                                  std::span<const std::string> names);

}  // namespace thalweg
