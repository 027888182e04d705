#pragma once
// Formulas fitted to the columns of a table by least squares.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/formula.hpp"
#include "thalweg/least_squares.hpp"

namespace thalweg {

struct FormulaFitOptions {
  std::map<std::string, double> x0 = {};  ///< where parameters start; 1 for those that are not named
  std::string weight = {};                ///< a column: minimise sum w (observed - fitted)^2, w > 0 or 0
  LeastSquaresOptions solver = {};
};

/// "y = b1*(1 - exp(-b2*x))" beside columns y and x: left a formula of columns, right one of columns and parameters.
class FormulaModel {
 public:
  /// Names that are not columns are parameters. Throws UsageError where there is no '=', no parameter, a parameter on
  /// the left, or where a side is not a formula.
  FormulaModel(std::string_view equation, const std::vector<std::string>& columns);

  [[nodiscard]] const std::vector<std::string>& parameters() const { return parameters_; }
  /// The columns that the right side reads, and those that the left side reads.
  [[nodiscard]] const std::vector<std::string>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<std::string>& observed() const { return left_.variables(); }
  [[nodiscard]] const Formula& left() const { return left_; }
  [[nodiscard]] const Formula& right() const { return right_; }

  /// The right side for each row. The columns are f64 (rows); x has the parameters in their order.
  [[nodiscard]] Tensor predict(const Tensor& x, const std::map<std::string, Tensor>& columns) const;
  /// (observed - fitted), times the square root of the weights where there are any: a function of x (parameters). A
  /// row of weight 0 is none: as many rows with it as without say as much of the parameters.
  [[nodiscard]] Function residuals(const std::map<std::string, Tensor>& columns, const std::string& weight = {}) const;
  /// The left side for each row.
  [[nodiscard]] Tensor observed_values(const std::map<std::string, Tensor>& columns) const;

 private:
  Formula left_, right_;
  std::vector<std::string> parameters_, inputs_;
};

struct FormulaFit {
  FormulaModel model;
  LeastSquaresResult result;
  Tensor observed, fitted;  ///< f64 (rows)
  /// 1 - (sum of squares) / (that of the best constant), with the weights of the fit.
  double r_squared = 0;
};
/// Throws UsageError for a column that does not exist, DataError for weights below 0.
[[nodiscard]] FormulaFit fit_formula(std::string_view equation, const std::map<std::string, Tensor>& columns,
                                     const FormulaFitOptions& options = {});

}  // namespace thalweg
