#pragma once
// The common parts of SVG drawings: frame, axes, titles, and the style of their parts.

#include <string>
#include <string_view>

#include "plot/axis.hpp"

namespace thalweg {

/// The style of the parts of a drawing, as attributes of their elements. In a file, the parts have colours, because it
/// stands alone; on a page they have classes, whose colours follow the light or dark style.
class Theme {
 public:
  enum class Place { file, page };
  explicit Theme(Place place) : page_(place == Place::page) {}

  [[nodiscard]] bool page() const { return page_; }
  [[nodiscard]] std::string_view grid() const;
  [[nodiscard]] std::string_view axis() const;
  [[nodiscard]] std::string_view mark() const;
  [[nodiscard]] std::string_view mark_text() const;
  /// For the series with this index.
  [[nodiscard]] std::string line(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string band(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string dot(const Series& series, std::size_t place) const;
  [[nodiscard]] std::string point(const Series& series, std::size_t place) const;

 private:
  bool page_;
};
/// The series' own role, or the one for its index; if there are more series than colours, the colours repeat.
[[nodiscard]] const PlotRole& role_of(const Series& series, std::size_t place);
/// The stroke of a series in a file: its colour, and dashes if the colours have repeated.
[[nodiscard]] std::string file_stroke(const Series& series, std::size_t place);

/// The plotting area, in pixels.
struct Frame {
  double left = 0, top = 0, right = 0, bottom = 0;
  [[nodiscard]] double x(double place) const { return left + place * (right - left); }
  [[nodiscard]] double y(double place) const { return bottom - place * (bottom - top); }
};

/// The approximate width of a text in pixels, at 12 px.
[[nodiscard]] double text_width(std::string_view text);

/// The frame of a drawing of this size, with space for the titles, the labels of the axes, and `legend` pixels above.
[[nodiscard]] Frame frame_for(const PlotOptions& options, const PlotAxes& axes, int width, int height, double legend);
/// The beginning of the element, with background, titles, grid and the labels of the axes.
[[nodiscard]] std::string svg_head(const Theme& theme, const PlotOptions& options, const PlotAxes& axes,
                                   const Frame& frame, int width, int height);

}  // namespace thalweg
