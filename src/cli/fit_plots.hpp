#pragma once
// Drawings of a fit: the curve through the points, and the residuals.

#include <map>
#include <string>

#include "plot/plot.hpp"
#include "thalweg/fit.hpp"

namespace thalweg::cli {

class FitPlots {
 public:
  FitPlots(const FormulaFit& fit, const std::map<std::string, Tensor>& columns);

  [[nodiscard]] std::string fit_text() const;
  [[nodiscard]] std::string residuals_text() const;
  /// Both, one below the other.
  [[nodiscard]] std::string svg() const;
  /// A page with the parameters and both drawings.
  [[nodiscard]] std::string html(double confidence) const;

 private:
  const FormulaFit& fit_;
  PlotOptions fit_options_, residual_options_;
  std::vector<Series> fit_series_, residual_series_;
};

/// "0.02 (sum of squares)"; the root of the sum if the sum itself is out of the range of f64.
[[nodiscard]] std::string squares_text(const LeastSquaresResult& result);

}  // namespace thalweg::cli
