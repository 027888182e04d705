#pragma once
// What a fit of a formula looks like: the curve through the points, and what is left.

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
  /// A page with the parameters beside both.
  [[nodiscard]] std::string html(double confidence) const;

 private:
  const FormulaFit& fit_;
  PlotOptions fit_options_, residual_options_;
  std::vector<Series> fit_series_, residual_series_;
};

/// "0.02 (sum of squares)": the root where no number has the sum.
[[nodiscard]] std::string squares_text(const LeastSquaresResult& result);

}  // namespace thalweg::cli
