// Fitting formulas to tables: NIST's problems of nonlinear regression, weights, predictions and errors.

#include "thalweg/fit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "reference_file.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;
using nlohmann::json;

/// The number of correct digits of the worst number, from 0 to 11, as Ceres Solver counts them. The certified values
/// have eleven digits.
double digits(const std::vector<double>& found, const std::vector<double>& certified) {
  double fewest = 11;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = std::abs(found[i] - certified[i]) / std::abs(certified[i]);
    fewest = std::min(fewest, std::isfinite(error) ? -std::log10(std::max(error, 1e-11)) : 0);
  }
  return std::max(fewest, 0.0);
}

std::map<std::string, Tensor> columns_of(const json& problem) {
  std::map<std::string, Tensor> columns;
  for (const auto& [name, values] : problem["columns"].items()) {
    const auto numbers = values.get<std::vector<double>>();
    columns[name] = Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())});
  }
  return columns;
}

FormulaFit fit_of(const json& problem, const json& start) {
  FormulaFitOptions options;
  for (std::size_t i = 0; i < start.size(); ++i) options.x0["b" + std::to_string(i + 1)] = start[i];
  return fit_formula(problem["model"].get<std::string>(), columns_of(problem), options);
}

std::vector<double> standard_errors(const LeastSquaresResult& result) {
  std::vector<double> errors;
  for (std::int64_t i = 0; i < result.x.size(); ++i) errors.push_back(result.standard_error(i));
  return errors;
}

TEST(NistRegression, IsSolvedToManyDigitsFromBothStarts) {
  double total = 0, errors = 0;
  int runs = 0;
  for (const json& problem : reference("nist")) {
    for (const json& start : problem["starts"]) {
      const FormulaFit fit = fit_of(problem, start);
      const std::string name = problem["name"].get<std::string>();
      const auto x = fit.result.x.values<double>();
      const double right = digits({x.begin(), x.end()}, problem["parameters"]);
      const double errors_right = digits(standard_errors(fit.result), problem["standard_errors"]);
      EXPECT_GE(right, 6) << name << " from " << start << ": " << fit.result.summary();
      // Lanczos1's residuals of 1e-13 are only the rounding of its data around 1, so f64 has three digits of them
      EXPECT_GE(errors_right, name == "Lanczos1" ? 2 : 6) << name << " from " << start;
      EXPECT_TRUE(fit.result.converged()) << name;
      if (name != "Lanczos1") {
        EXPECT_NEAR(fit.result.deviation() / problem["residual_deviation"].get<double>(), 1, 1e-7) << name;
      }
      total += right;
      errors += errors_right;
      ++runs;
    }
  }
  EXPECT_EQ(runs, 54);
  EXPECT_GE(total / runs, 10);
  EXPECT_GE(errors / runs, 6);
  RecordProperty("digits", std::to_string(total / runs));
  RecordProperty("digits_of_standard_errors", std::to_string(errors / runs));
}

std::map<std::string, Tensor> line() {
  return {{"x", Tensor::of({0.0, 1.0, 2.0, 3.0})}, {"y", Tensor::of({1.0, 3.0, 5.0, 8.0})}};
}

/// y = a + b x has a closed form.
TEST(FormulaFit, AgreesWithTheClosedFormOfALine) {
  const FormulaFit fit = fit_formula("y = a + b*x", line());
  EXPECT_EQ(fit.model.parameters(), (std::vector<std::string>{"a", "b"}));
  EXPECT_NEAR(fit.result.x.at(0), 0.8, 1e-14);
  EXPECT_NEAR(fit.result.x.at(1), 2.3, 1e-14);
  EXPECT_NEAR(fit.result.sum_of_squares, 0.3, 1e-14);
  EXPECT_NEAR(fit.result.deviation(), std::sqrt(0.15), 1e-14);
  EXPECT_NEAR(fit.result.standard_error(1), std::sqrt(0.15 / 5), 1e-14);
  const auto [low, high] = fit.result.interval(1);  // t(0.975, 2) = 4.302652729749464
  EXPECT_NEAR(high - 2.3, 4.302652729749464 * std::sqrt(0.03), 1e-12);
  EXPECT_NEAR(2.3 - low, high - 2.3, 1e-12);
  EXPECT_NEAR(fit.r_squared, 1 - 0.3 / 26.75, 1e-14);
}

TEST(FormulaFit, WeightsCountAsRepeatedRows) {
  auto columns = line();
  columns["n"] = Tensor::of({1.0, 0.0, 2.0, 1.0});
  FormulaFitOptions weighted;
  weighted.weight = "n";
  const FormulaFit fit = fit_formula("y = a + b*x", columns, weighted);
  const FormulaFit repeated =
      fit_formula("y = a + b*x", {{"x", Tensor::of({0.0, 2.0, 2.0, 3.0})}, {"y", Tensor::of({1.0, 5.0, 5.0, 8.0})}});
  EXPECT_NEAR(fit.result.x.at(0), repeated.result.x.at(0), 1e-13);
  EXPECT_NEAR(fit.result.x.at(1), repeated.result.x.at(1), 1e-13);
  EXPECT_NEAR(fit.result.sum_of_squares, repeated.result.sum_of_squares, 1e-13);
  EXPECT_NEAR(fit.r_squared, repeated.r_squared, 1e-13);
}

/// A sum of four such weights is not finite in f64.
TEST(FormulaFit, OnlyTheRatiosOfWeightsCountForR2) {
  auto columns = line();
  FormulaFitOptions weighted;
  weighted.weight = "w";
  const auto r_squared = [&](double weight) {
    columns["w"] = Tensor::of({weight, 0.5 * weight, weight, weight});
    return fit_formula("y = a + b*x", columns, weighted).r_squared;
  };
  EXPECT_NEAR(r_squared(1e308), r_squared(1), 1e-12);
  EXPECT_NEAR(r_squared(1e-200), r_squared(1), 1e-12);
  columns["w"] = Tensor::of({1.0, -1.0, 1.0, 1.0});
  EXPECT_THROW((void)fit_formula("y = a + b*x", columns, weighted), DataError);
}

/// Only the product of a and b occurs, so the data determine c but neither a nor b.
TEST(FormulaFit, NamesWhatTheDataDoNotDetermine) {
  const FormulaFit fit = fit_formula("y = a*b*x + c", line());
  EXPECT_EQ(fit.result.undetermined, (std::vector<std::int64_t>{0, 1}));
  EXPECT_TRUE(std::isinf(fit.result.standard_error(0)));
  EXPECT_NEAR(fit.result.x.at(2), 0.8, 1e-9);
  EXPECT_NEAR(fit.result.x.at(0) * fit.result.x.at(1), 2.3, 1e-9);
}

TEST(FormulaFit, PredictsOtherRows) {
  const FormulaFit fit = fit_formula("y = a + b*x", line());
  const Tensor more = fit.model.predict(fit.result.x, {{"x", Tensor::of({10.0, 20.0})}});
  EXPECT_NEAR(more.at(0), 23.8, 1e-12);
  EXPECT_NEAR(more.at(1), 46.8, 1e-12);
}

TEST(FormulaFit, RefusesInvalidModels) {
  EXPECT_THROW((void)fit_formula("a + b*x", line()), UsageError);
  EXPECT_THROW((void)fit_formula("z = a + b*x", line()), UsageError);
  EXPECT_THROW((void)fit_formula("1 = a + b*x", line()), UsageError);
  EXPECT_THROW((void)fit_formula("y = 2*x", line()), UsageError);
  EXPECT_THROW((void)fit_formula("y = a + b*x + c*x^2 + d*x^3 + e0*x^4", line()), UsageError);
  EXPECT_THROW((void)fit_formula("y = a + b*x", line(), {.x0 = {{"c", 1.0}}}), UsageError);
  EXPECT_THROW((void)fit_formula("y = a + b*x", line(), {.weight = "w"}), UsageError);
}

}  // namespace
}  // namespace thalweg
