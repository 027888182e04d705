#pragma once
// What every SVG drawing has: its frame, its axes, its titles, and how its parts look.

#include <string>
#include <string_view>

#include "plot/axis.hpp"

namespace thalweg {

/// How the parts of a drawing look, as attributes of their elements. A file stands alone, so its parts have colours; on
/// a page they have classes, since its style follows light and dark.
class Theme {
 public:
  enum class Place { file, page };
  explicit Theme(Place place) : page_(place == Place::page) {}

  [[nodiscard]] bool page() const { return page_; }
  [[nodiscard]] std::string_view grid() const;
  [[nodiscard]] std::string_view axis() const;
  [[nodiscard]] std::string_view mark() const;
  [[nodiscard]] std::string_view mark_text() const;
  /// Of the series at a place.
  [[nodiscard]] std::string line(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string band(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string dot(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string point(const Series& series, std::size_t place) const;

 private:
  bool page_;
};
/// Its own role, or that of its place: where there are more series than colours, they begin again.
[[nodiscard]] const PlotRole& role_of(const Series& series, std::size_t place);
/// The stroke of a series in a file: its colour, and dashes where the colours have begun again.
[[nodiscard]] std::string file_stroke(const Series& series, std::size_t place);

/// The plotting area, in pixels.
struct Frame {
  double left = 0, top = 0, right = 0, bottom = 0;
  [[nodiscard]] double x(double place) const { return left + place * (right - left); }
  [[nodiscard]] double y(double place) const { return bottom - place * (bottom - top); }
};

/// About how many pixels a text takes, at 12 px.
[[nodiscard]] double text_width(std::string_view text);

/// A frame of a drawing of that size: room for the titles, the labels of the axes, and `legend` pixels above it.
[[nodiscard]] Frame frame_for(const PlotOptions& options, const PlotAxes& axes, int width, int height, double legend);
/// The element's beginning, with background, titles, grid and the labels of the axes.
[[nodiscard]] std::string svg_head(const Theme& theme, const PlotOptions& options, const PlotAxes& axes,
                                   const Frame& frame, int width, int height);

}  // namespace thalweg
