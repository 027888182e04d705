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
  std::map<std::string, double> x0 = {};  ///< initial values of parameters; 1 for parameters that are not named
  std::string weight = {};                ///< a column of weights w >= 0: minimises sum w (observed - fitted)^2
  LeastSquaresOptions solver = {};
};

/// An equation for the columns of a table, such as "y = b1*(1 - exp(-b2*x))" with columns y and x. The left side is a
/// formula of columns, the right side one of columns and parameters.
class FormulaModel {
 public:
  /// Names that are not columns are parameters. Throws UsageError if there is no '=' or no parameter, if the left side
  /// has a parameter, or if a side is not a formula.
  FormulaModel(std::string_view equation, const std::vector<std::string>& columns);

  [[nodiscard]] const std::vector<std::string>& parameters() const { return parameters_; }
  /// The columns that the right side reads, and those that the left side reads.
  [[nodiscard]] const std::vector<std::string>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<std::string>& observed() const { return left_.variables(); }
  [[nodiscard]] const Formula& left() const { return left_; }
  [[nodiscard]] const Formula& right() const { return right_; }

  /// The right side for each row. The columns are f64 (rows); x has the values of the parameters in the order of
  /// parameters().
  [[nodiscard]] Tensor predict(const Tensor& x, const std::map<std::string, Tensor>& columns) const;
  /// (observed - fitted), multiplied by the square root of the weights if there are any, as a function of x
  /// (parameters). Rows of weight 0 are left out, so they do not change the degrees of freedom either.
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
