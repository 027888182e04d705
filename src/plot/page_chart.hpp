#pragma once
// The charts of a report: inline SVG whose colours follow the page, with the values at hand for its read-outs.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace thalweg {

/// 54,000.
[[nodiscard]] std::string grouped(std::int64_t number);
/// Four digits, as short as they go: 0.3127, 12.4, 54,000, 3e-4.
[[nodiscard]] std::string short_number(double value);

/// A line of a chart. Where `low` and `high` are given, what lies between them is shaded.
struct ChartLine {
  std::string name;
  std::string role;  ///< its colour: "training", "validation", "lr", "gradient"
  std::vector<double> x = {}, y = {}, low = {}, high = {};
  bool dots = false;
};

struct Chart {
  std::string title;
  std::vector<ChartLine> lines;
  double first_x = 0, last_x = 0;  ///< at least from here to there
  double best_x = -1;              ///< marked as the best, where not negative
  bool from_zero = false;
};

/// The mean of every so many values, with the lowest and the highest of each, so that no line has more than `points`.
[[nodiscard]] ChartLine thinned(std::string name, std::string role, std::span<const double> x,
                                std::span<const double> y, std::size_t points = 240);

/// A figure with a legend of the last values and the lines over their steps. The vertical axis is logarithmic where
/// the values are positive and span more than a decade. Empty where there is nothing to draw.
[[nodiscard]] std::string chart_html(const Chart& chart);

/// Points and the line where predicted is true.
[[nodiscard]] std::string scatter_html(std::string_view target, std::span<const double> truth,
                                       std::span<const double> predicted);

}  // namespace thalweg
