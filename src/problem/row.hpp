#pragma once
// Rows of the table of problems, each made from its options struct.

#include "options/rows.hpp"
#include "thalweg/formula.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::problem {

struct Plain {};
inline Fields fields(Plain&) { return {}; }

/// A row: its texts, and the function that makes the problem from options and a number of dimensions.
template <class Options>
ProblemRow row(Problem (*make)(const Options&, std::int64_t), ProblemRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name, fewest = texts.fewest, most = texts.most](const OptionMap& values,
                                                                                   std::int64_t dim) {
    if (dim < fewest || (most > 0 && dim > most)) {
      fail<UsageError>("[{}] dim = {}. Wanted: {}{}", name, dim, fewest == most ? "" : ">= ", fewest);
    }
    return make(options_from<Options>(values, name), dim);
  };
  return texts;
}

/// A problem of two dimensions, written as a formula of x and y.
Problem plane(const std::string& formula, Problem rest);

/// Residuals written as formulas of x and y.
[[nodiscard]] Function plane_residuals(const std::vector<std::string>& formulas);

/// "x0", "x1", ...
[[nodiscard]] std::string coordinate(std::int64_t i);
/// The terms for i = 0 ... count-1 with plus signs between them.
[[nodiscard]] std::string sum_of(std::int64_t count, const std::function<std::string(std::int64_t)>& term);
/// "x0^2 + x1^2 + ..."
[[nodiscard]] inline std::string squares(std::int64_t n) {
  return sum_of(n, [](std::int64_t i) { return coordinate(i) + "^2"; });
}
/// A formula of n dimensions; empty where it would be too long to read.
[[nodiscard]] std::string written_out(std::int64_t n, const std::function<std::string()>& formula);
[[nodiscard]] std::vector<double> repeated(std::int64_t n, double value);

/// The rows, in families.
[[nodiscard]] std::vector<ProblemRow> bowls();
[[nodiscard]] std::vector<ProblemRow> valleys();
[[nodiscard]] std::vector<ProblemRow> many_minima();
[[nodiscard]] std::vector<ProblemRow> shapes();

}  // namespace thalweg::problem
