#pragma once
// The function that `minimize` and `compare` work on: a problem of the table, or a formula.

#include "cli/command.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::cli {

struct TargetArguments {
  std::string function;  ///< the name of a problem, or a formula
  std::string x0;        ///< numbers with commas between them; a single number is used for every coordinate
  std::string dtype = "f64";
  std::int64_t dim = 0;  ///< 0: the problem's default, or the length of x0
};
void add_target_arguments(CLI::App& command, TargetArguments& arguments);
/// Adds the same options without the function.
void add_start_arguments(CLI::App& command, TargetArguments& arguments);

struct Target {
  std::string name;     ///< the name of the problem, or the formula
  std::string formula;  ///< the form in which it is shown
  Problem problem;
  Tensor x0;
  std::vector<std::string> variables;  ///< the names of the coordinates
};
/// Throws UsageError.
[[nodiscard]] Target make_target(const TargetArguments& arguments, const OptionMap& problem_options);

/// Whether the text is the name of a problem, or a word that is not a formula and thus may be a mistyped name.
[[nodiscard]] bool names_problem(const std::string& text);

/// "(1, -1.5)"; only the first few numbers of a long vector.
[[nodiscard]] std::string point_text(const Tensor& x);
/// Numbers with commas between them, as in `--x0`. Throws UsageError.
[[nodiscard]] std::vector<double> numbers_in(const std::string& text, const char* option);
/// One value for each coordinate, from as many values or from a single one. Throws UsageError.
[[nodiscard]] Tensor coordinates(const std::vector<double>& values, std::int64_t dim, DType dtype, const char* option);

}  // namespace thalweg::cli
