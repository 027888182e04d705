#pragma once
// Classic problems of minimisation: functions whose minima are known, to test and compare methods.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/derivatives.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

/// The part of the plane that a picture of a problem of two dimensions shows.
struct ProblemWindow {
  double x_low = -2, x_high = 2, y_low = -2, y_high = 2;
};

/// A problem with its options and its dimensions fixed.
struct Problem {
  Function function = Function(Function::Body{});    ///< x (n) -> scalar
  std::vector<double> start;                         ///< the default start of a minimisation
  std::optional<double> minimum = {};                ///< the lowest value; none where the function has no lower bound
  std::vector<std::vector<double>> minimizers = {};  ///< all points with the lowest value
  ProblemWindow window = {};
  std::optional<Function> residuals = {};  ///< x (n) -> (m), if the function is the sum of their squares
  std::string formula = {};                ///< for a Formula; empty if there are too many dimensions to write it out
};

/// A row of the table of problems.
struct ProblemRow {
  std::string_view name, summary, formula, when, source;
  std::int64_t fewest = 2, most = 2;  ///< dimensions; 0 is no limit
  std::vector<OptionDoc> options = {};
  /// Throws UsageError for invalid options and dimensions.
  std::function<Problem(const OptionMap& options, std::int64_t dim)> make = {};
};
[[nodiscard]] const std::vector<ProblemRow>& problems();
/// Throws UsageError for an unknown name, naming the nearest.
[[nodiscard]] const ProblemRow& problem_named(std::string_view name);

}  // namespace thalweg
