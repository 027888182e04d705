#pragma once
// The function that `minimize` and `compare` work on: a problem of the table, or a formula.

#include "cli/command.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::cli {

struct TargetArguments {
  std::string function;  ///< the name of a problem, or a formula
  std::string x0;        ///< numbers between commas; one stands for all
  std::string dtype = "f64";
  std::int64_t dim = 0;  ///< 0: the default of the problem, or as many as x0 has
};
void add_target_arguments(CLI::App& command, TargetArguments& arguments);
/// The same without the function.
void add_start_arguments(CLI::App& command, TargetArguments& arguments);

struct Target {
  std::string name;     ///< of the problem, or the formula
  std::string formula;  ///< as it is shown
  Problem problem;
  Tensor x0;
  std::vector<std::string> variables;  ///< what the coordinates are called
};
/// Throws UsageError.
[[nodiscard]] Target make_target(const TargetArguments& arguments, const OptionMap& problem_options);

/// Whether the text is the name of a problem, or a word that is no formula and so may be a mistyped name.
[[nodiscard]] bool names_problem(const std::string& text);

/// "(1, -1.5)", the first few of many.
[[nodiscard]] std::string point_text(const Tensor& x);
/// Numbers between commas, as `--x0` has them. Throws UsageError.
[[nodiscard]] std::vector<double> numbers_in(const std::string& text, const char* option);
/// One value for each coordinate: as many as there are, or one for all. Throws UsageError.
[[nodiscard]] Tensor coordinates(const std::vector<double>& values, std::int64_t dim, DType dtype, const char* option);

}  // namespace thalweg::cli
