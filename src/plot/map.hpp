#pragma once
// A map: labelled points on a plane.

#include <span>
#include <string>

namespace thalweg {

struct MapOptions {
  std::string title = {}, x_label = {}, y_label = {};
  int width = 960, height = 720;
};

/// One light `<svg>` element without references to anything outside: a dot for each point, with its name if there is
/// space, in the order of the points. Both axes have the same scale. Points that are not finite are left out.
[[nodiscard]] std::string map_svg(const MapOptions& options, std::span<const double> x, std::span<const double> y,
                                  std::span<const std::string> names);

}  // namespace thalweg
