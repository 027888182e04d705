// Line plots in Braille dots, for a terminal.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "plot/axis.hpp"

namespace thalweg {

namespace {

/// A canvas on which a character has 2 x 4 dots.
class BrailleCanvas {
 public:
  BrailleCanvas(int columns, int rows)
      : columns_(columns), rows_(rows), cells_(static_cast<std::size_t>(columns * rows)) {}

  void line(PlotPoint from, PlotPoint to) {
    const double x0 = from.x * (2 * columns_ - 1), y0 = (1 - from.y) * (4 * rows_ - 1);
    const double x1 = to.x * (2 * columns_ - 1), y1 = (1 - to.y) * (4 * rows_ - 1);
    const int steps = std::max(1, static_cast<int>(std::ceil(std::max(std::abs(x1 - x0), std::abs(y1 - y0)))));
    for (int i = 0; i <= steps; ++i) {
      const double part = static_cast<double>(i) / steps;
      dot(static_cast<int>(std::lround(x0 + (x1 - x0) * part)), static_cast<int>(std::lround(y0 + (y1 - y0) * part)));
    }
  }

  /// Draws a small cross.
  void mark(PlotPoint at) {
    const int x = static_cast<int>(std::lround(at.x * (2 * columns_ - 1)));
    const int y = static_cast<int>(std::lround((1 - at.y) * (4 * rows_ - 1)));
    for (int i = -1; i <= 1; ++i) {
      dot(x + i, y);
      dot(x, y + i);
    }
  }

  [[nodiscard]] std::string row(int r) const {
    std::string text;
    for (int c = 0; c < columns_; ++c) {
      const unsigned bits = cells_[static_cast<std::size_t>(r * columns_ + c)];
      if (bits == 0) {
        text += ' ';
      } else {  // U+2800 plus the bits, in UTF-8
        text += '\xe2';
        text += static_cast<char>(0xa0 | (bits >> 6));
        text += static_cast<char>(0x80 | (bits & 0x3f));
      }
    }
    return text;
  }

 private:
  void dot(int x, int y) {
    if (x < 0 || y < 0 || x >= 2 * columns_ || y >= 4 * rows_) return;
    constexpr std::uint8_t bit[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    cells_[static_cast<std::size_t>(y / 4 * columns_ + x / 2)] |= bit[y % 4][x % 2];
  }

  int columns_, rows_;
  std::vector<std::uint8_t> cells_;
};

std::string repeat(std::string_view text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

/// The axis below the plot with its ticks, and the line with their labels.
std::string bottom_axis(const Axis& axis, int columns, int margin) {
  std::vector<bool> tick(static_cast<std::size_t>(columns), false);
  std::string labels(static_cast<std::size_t>(margin + 1 + columns), ' ');
  int free = 0;
  for (const auto& [place, label] : axis.ticks()) {
    const int at = static_cast<int>(std::lround(place * (columns - 1))), width = static_cast<int>(label.size());
    const int begin = std::clamp(margin + 1 + at - width / 2, 0, std::max(0, static_cast<int>(labels.size()) - width));
    tick[static_cast<std::size_t>(at)] = true;
    if (begin < free) continue;  // it would touch the previous label
    labels.replace(static_cast<std::size_t>(begin), label.size(), label);
    free = begin + width + 1;
  }
  std::string line = repeat(" ", margin) + "└";
  for (const bool t : tick) line += t ? "┬" : "─";
  labels.erase(labels.find_last_not_of(' ') + 1);
  return line + "\n" + labels + "\n";
}

std::string trimmed(std::string text) {
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

}  // namespace

std::string line_plot_text(const PlotOptions& options, std::span<const Series> series, int width, int height) {
  const int frame = 2 + (options.title.empty() && options.y_label.empty() ? 0 : 1) + (options.x_label.empty() ? 0 : 1);
  const int rows = std::max(3, height - frame);
  const PlotAxes axes(options, series, std::max(2, width / 12), std::max(2, rows / 3));

  std::size_t label_width = 1;
  for (const auto& tick : axes.y.ticks()) label_width = std::max(label_width, tick.label.size());
  const int margin = static_cast<int>(label_width) + 1;
  const int columns = std::max(10, width - margin - 1);

  BrailleCanvas canvas(columns, rows);
  for (const Series& s : series) {
    for (const auto& segment : line_segments(axes, s)) {
      for (std::size_t i = 0; i < segment.size(); ++i) {
        if (s.style == Series::Style::points) {
          canvas.mark(segment[i]);
        } else {
          canvas.line(segment[i ? i - 1 : 0], segment[i]);
        }
      }
    }
  }
  for (const PlotMark& mark : options.marks) {
    const auto x = axes.x.place(mark.x);
    for (double y = 0; x && y <= 1; y += 1.0 / rows) canvas.line({*x, y}, {*x, y});
  }

  std::vector<std::string> labels(static_cast<std::size_t>(rows));
  for (const auto& [place, label] : axes.y.ticks()) {
    labels[static_cast<std::size_t>((1 - place) * (4 * rows - 1) / 4)] = label;
  }
  std::string text;
  if (frame > 2 && !(options.title.empty() && options.y_label.empty())) {
    text += trimmed(options.y_label + (options.title.empty() || options.y_label.empty() ? "" : "   ") + options.title);
  }
  for (int r = 0; r < rows; ++r) {
    const std::string& label = labels[static_cast<std::size_t>(r)];
    text += trimmed(fmt::format("{:>{}} {}{}", label, label_width, label.empty() ? "│" : "┤", canvas.row(r)));
  }
  text += bottom_axis(axes.x, columns, margin);
  if (!options.x_label.empty()) {
    const int indent = margin + 1 + (columns - static_cast<int>(options.x_label.size())) / 2;
    text += repeat(" ", std::max(0, indent)) + options.x_label + "\n";
  }
  for (const PlotMark& mark : options.marks) {
    if (!mark.text.empty()) text += fmt::format("{} at {:.4g}\n", mark.text, mark.x);
  }
  return text;
}

}  // namespace thalweg
