#include "report/heat.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/pictures.hpp"
#include "plot/axis.hpp"
#include "plot/plot.hpp"
#include "report/tables.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

namespace {

struct Stop {
  double at;  // values of the decimal logarithm
  std::array<double, 3> colour;
};
constexpr Stop stops[] = {{-8, {38, 12, 70}},   {-5, {44, 76, 160}}, {-2, {64, 165, 150}},
                          {0, {244, 238, 176}}, {2, {240, 132, 44}}, {4, {150, 8, 32}}};
constexpr double lowest = stops[0].at, highest = stops[std::size(stops) - 1].at;
constexpr std::array<double, 3> nothing = {0, 0, 0};        // for a gradient that is 0
constexpr std::array<double, 3> no_turn = {196, 196, 196};  // for a layer that was not trained in these steps

/// Interpolates the colour between the two stops around a logarithm.
std::array<double, 3> colour_of(double log) {
  if (log == -INFINITY) return nothing;
  if (std::isnan(log)) return no_turn;
  log = std::clamp(log, lowest, highest);
  std::size_t i = 1;
  while (log > stops[i].at) ++i;
  const Stop &below = stops[i - 1], &above = stops[i];
  const double part = (log - below.at) / (above.at - below.at);
  std::array<double, 3> mixed{};
  for (std::size_t c = 0; c < 3; ++c) mixed[c] = below.colour[c] + part * (above.colour[c] - below.colour[c]);
  return mixed;
}

/// A picture of logarithms (rows, columns) as colours, in the form of a data address.
template <class Log>
std::string picture_of(std::int64_t rows, std::int64_t columns, const Log& log) {
  Tensor pixels({rows, columns, 3}, u8);
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      const auto colour = colour_of(log(row, column));
      for (std::int64_t c = 0; c < 3; ++c) {
        pixels.set((row * columns + column) * 3 + c, std::round(colour[static_cast<std::size_t>(c)]));
      }
    }
  }
  return data_address("image/png", data::png_of(pixels));
}

/// The steps with recorded norms, in at most `most` portions of adjacent steps.
struct Columns {
  std::vector<const StepReport*> steps;
  std::size_t count;

  explicit Columns(const History& history, std::size_t most = 160) {
    for (const StepReport& step : history.steps) {
      if (step.layer_norms.size() == history.layers.size() && !history.layers.empty()) steps.push_back(&step);
    }
    count = std::min(most, steps.size());
  }
  /// The mean of the logarithms of a layer's norms in a portion, over the steps in which its objective had its turn.
  /// NaN if there is no such step.
  [[nodiscard]] double log(std::size_t layer, std::size_t column) const {
    const std::size_t begin = column * steps.size() / count, end = (column + 1) * steps.size() / count;
    double least = INFINITY, most = -INFINITY, total = 0, had_turn = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const double log = std::log10(steps[i]->layer_norms[layer]);
      if (std::isnan(log)) continue;
      least = std::min(least, log);
      most = std::max(most, log);
      total += log;
      ++had_turn;
    }
    if (had_turn == 0) return std::nan("");
    return most == INFINITY ? most : least == -INFINITY ? least : total / had_turn;
  }
};

/// A picture that is stretched to a box.
std::string stretched(double x, double y, double width, double height, const std::string& address) {
  return fmt::format(R"(<image x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" preserveAspectRatio="none" )"
                     "style=\"image-rendering:pixelated\" href=\"{}\"/>\n",
                     x, y, width, height, address);
}

constexpr double left = 78, top = 8, right = 472, bottom = 246, width = 480, height = 300;

/// The names of about eight layers, including the first and the last.
std::string layer_names(const std::vector<std::string>& layers) {
  const std::size_t every = (layers.size() + 7) / 8;
  const double row = (bottom - top) / static_cast<double>(layers.size());
  std::string out;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool last = i + 1 == layers.size();
    if (!last && (i % every != 0 || layers.size() - 1 - i < (every + 1) / 2)) continue;
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 6,
                       top + row * (static_cast<double>(i) + 0.5) + 4, escape_xml(layers[i]));
  }
  return out + "\n";
}

std::string step_names(const Columns& columns) {
  const std::vector<double> ends = {static_cast<double>(columns.steps.front()->step),
                                    static_cast<double>(columns.steps.back()->step)};
  const Axis axis(std::vector<std::span<const double>>{ends}, false, false, 5);
  std::string out;
  for (const auto& [place, label] : axis.ticks()) {
    const char* anchor = place < 0.03 ? "start" : place > 0.97 ? "end" : "middle";
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", left + place * (right - left),
                       bottom + 17, anchor, label);
  }
  return out + "\n";
}

/// Whether a layer is grey in at least one portion.
bool has_gaps(const Columns& columns, std::size_t layers) {
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (std::size_t column = 0; column < columns.count; ++column) {
      if (std::isnan(columns.log(layer, column))) return true;
    }
  }
  return false;
}

/// The legend of the colours.
std::string scale(bool gaps) {
  constexpr std::int64_t steps = 96;
  const double from = left + 60, to = right - 60, at = bottom + 30;
  std::string out = stretched(from, at, to - from, 9, picture_of(1, steps, [](std::int64_t, std::int64_t column) {
                                return lowest + (highest - lowest) * static_cast<double>(column) / (steps - 1);
                              }));
  for (const double log : {-8.0, -4.0, 0.0, 4.0}) {
    const double place = from + (to - from) * (log - lowest) / (highest - lowest);
    const std::string text = log == 0 ? "1" : fmt::format("1e{:.0f}", log);
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>)", place, at + 21, text);
  }
  if (gaps) {
    out += fmt::format(R"(<rect x="{:.1f}" y="{:.1f}" width="9" height="9" fill="#{:02x}{:02x}{:02x}"/>)", right - 46,
                       at, static_cast<int>(no_turn[0]), static_cast<int>(no_turn[1]), static_cast<int>(no_turn[2]));
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">no turn</text>)", right - 34, at + 9);
  }
  return out + "\n";
}

}  // namespace

std::string heat_html(const History& history, std::string_view title) {
  const Columns columns(history);
  if (columns.count == 0) return {};
  const auto log = [&](std::int64_t layer, std::int64_t column) {
    return columns.log(static_cast<std::size_t>(layer), static_cast<std::size_t>(column));
  };
  const auto layers = static_cast<std::int64_t>(history.layers.size());
  const std::string name = escape_xml(title);
  std::string out = fmt::format(
      "<figure><figcaption><h3>{}</h3></figcaption>\n<svg viewBox=\"0 0 {:.0f} {:.0f}\" role=\"img\" "
      "aria-label=\"{}\">\n",
      name, width, height, name);
  out += stretched(left, top, right - left, bottom - top,
                   picture_of(layers, static_cast<std::int64_t>(columns.count), log));
  return out + layer_names(history.layers) + step_names(columns) + scale(has_gaps(columns, history.layers.size())) +
         "</svg></figure>\n";
}

}  // namespace thalweg
