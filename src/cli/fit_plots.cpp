#include "cli/fit_plots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/numbers.hpp"
#include "report/page.hpp"
#include "report/tables.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t curve_points = 240;

std::vector<std::int64_t> order_of(const Tensor& x) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(x.size()));
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, {}, [&](std::int64_t i) { return x.at(i); });
  return order;
}

Series points(std::string name, const Tensor& x, const Tensor& y) {
  Series series{.name = std::move(name), .x = {}, .y = {}, .style = Series::Style::points};
  for (const std::int64_t i : order_of(x)) {
    series.x.push_back(x.at(i));
    series.y.push_back(y.at(i));
  }
  return series;
}

/// The formula over the range of its one column.
Series curve(const FormulaFit& fit, const std::string& column, const Tensor& x) {
  double low = x.at(0), high = x.at(0);
  for (std::int64_t i = 0; i < x.size(); ++i) low = std::min(low, x.at(i)), high = std::max(high, x.at(i));
  Tensor places({curve_points}, f64);
  for (std::int64_t i = 0; i < curve_points; ++i) {
    places.set(i, low + (high - low) * static_cast<double>(i) / (curve_points - 1));
  }
  const Tensor values = fit.model.predict(fit.result.x, {{column, places}});
  const auto at = places.values<double>(), fitted = values.values<double>();
  return {.name = "fit", .x = {at.begin(), at.end()}, .y = {fitted.begin(), fitted.end()}};
}

Series level(double value, const Tensor& x) {
  const std::vector<std::int64_t> order = order_of(x);
  return {.name = "0", .x = {x.at(order.front()), x.at(order.back())}, .y = {value, value}};
}

Tensor residuals_of(const FormulaFit& fit) {
  Tensor left = fit.observed;
  for (std::int64_t i = 0; i < left.size(); ++i) left.set(i, fit.observed.at(i) - fit.fitted.at(i));
  return left;
}

constexpr std::string_view scaling = "style=\"max-width:100%;height:auto\"";

/// An `<svg>` element to be placed inside another, `pixels` below its top.
std::string nested(std::string svg, int pixels) {
  const auto style = svg.find(scaling);
  if (style != std::string::npos) svg.erase(style, scaling.size());
  svg.insert(std::string_view("<svg ").size(), fmt::format("y=\"{}\" ", pixels));
  return svg;
}

}  // namespace

std::string squares_text(const LeastSquaresResult& result) {
  const double sum = result.sum_of_squares;
  const bool is_a_number = std::isfinite(sum) && (sum > 0 || result.residual_norm == 0);
  return is_a_number ? fmt::format("{:.10g} (sum of squares)", sum)
                     : fmt::format("{:.10g} (root of the sum of squares)", result.residual_norm);
}

FitPlots::FitPlots(const FormulaFit& fit, const std::map<std::string, Tensor>& columns) : fit_(fit) {
  const std::string& observed = fit.model.left().text();
  const bool plane = fit.model.inputs().size() == 1;
  const std::string across = plane ? fit.model.inputs().front() : "fitted";
  const Tensor& x = plane ? columns.at(across) : fit.fitted;
  fit_options_ = {.title = "fit", .x_label = across, .y_label = observed};
  residual_options_ = {.title = "residuals", .x_label = across, .y_label = "observed - fitted"};
  fit_series_ = {points("observed", x, fit.observed)};
  fit_series_.push_back(plane ? curve(fit, across, x) : Series{.name = "fit", .x = {}, .y = {}});
  if (!plane) {
    const Series line = points("", x, x);
    fit_series_.back().x = {line.x.front(), line.x.back()};
    fit_series_.back().y = fit_series_.back().x;
  }
  residual_series_ = {points("residual", x, residuals_of(fit)), level(0, x)};
}

std::string FitPlots::fit_text() const { return line_plot_text(fit_options_, fit_series_, 72, 14); }
std::string FitPlots::residuals_text() const { return line_plot_text(residual_options_, residual_series_, 72, 7); }

std::string FitPlots::svg() const {
  constexpr int width = 720, upper = 360, lower = 220;
  const std::string size = fmt::format("viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\"", width, upper + lower);
  return fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" {} {}>\n", size, scaling) +
         nested(line_plot_svg(fit_options_, fit_series_, width, upper), 0) +
         nested(line_plot_svg(residual_options_, residual_series_, width, lower), upper) + "</svg>\n";
}

std::string FitPlots::html(double confidence) const {
  const LeastSquaresResult& result = fit_.result;
  std::vector<std::pair<std::string, std::string>> rows;
  for (std::int64_t i = 0; i < result.x.size(); ++i) {
    const auto [low, high] = result.interval(i, confidence);
    rows.emplace_back(fit_.model.parameters()[static_cast<std::size_t>(i)],
                      fmt::format("{:.9g}, standard error {:.6g}, {} interval {:.7g} to {:.7g}", result.x.at(i),
                                  result.standard_error(i), fmt::format("{:.12g} %", 100 * confidence), low, high));
  }
  rows.emplace_back("residual standard deviation",
                    fmt::format("{:.7g}, with {} degrees of freedom", result.deviation(), result.degrees_of_freedom()));
  rows.emplace_back("residuals", squares_text(result));
  rows.emplace_back("R^2", std::isfinite(fit_.r_squared) ? fmt::format("{:.6f}", fit_.r_squared) : "-");
  rows.emplace_back("ended", std::string(name(result.reason)));
  const std::string title = fit_.model.left().text() + " = " + fit_.model.right().text();
  const auto card = [](const std::string& inside) { return "<div class=\"card\">" + inside + "</div>\n"; };
  return html_page("Fit – Thalweg", header_html(title, fmt::format("{} rows", with_commas(result.residuals))) +
                                        card(line_plot_html(fit_options_, fit_series_)) +
                                        card(line_plot_html(residual_options_, residual_series_)) +
                                        card(pairs_html(rows)));
}

}  // namespace thalweg::cli
