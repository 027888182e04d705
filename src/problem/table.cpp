// The table of problems.

#include "problem/row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace problem {

Problem plane(const std::string& formula, Problem rest) {
  rest.function = Function(Formula(formula));
  rest.formula = formula;
  return rest;
}

Function plane_residuals(const std::vector<std::string>& formulas) {
  std::vector<Formula> each(formulas.begin(), formulas.end());
  return Function([each = std::move(each)](Var x) {
    std::vector<Var> all;
    for (const Formula& formula : each) all.push_back(reshape(formula(x), {1}));
    return concat(all);
  });
}

std::string coordinate(std::int64_t i) { return fmt::format("x{}", i); }

std::string sum_of(std::int64_t count, const std::function<std::string(std::int64_t)>& term) {
  std::string text;
  for (std::int64_t i = 0; i < count; ++i) text += (i ? " + " : "") + term(i);
  return text;
}

std::string written_out(std::int64_t n, const std::function<std::string()>& formula) { return n > 4 ? "" : formula(); }

std::vector<double> repeated(std::int64_t n, double value) {
  return std::vector<double>(static_cast<std::size_t>(n), value);
}

}  // namespace problem

const std::vector<ProblemRow>& problems() {
  static const std::vector<ProblemRow> rows = [] {
    std::vector<ProblemRow> all;
    for (auto* family : {problem::bowls, problem::valleys, problem::many_minima, problem::shapes}) {
      for (ProblemRow& row : family()) all.push_back(std::move(row));
    }
    return all;
  }();
  return rows;
}

const ProblemRow& problem_named(std::string_view name) { return row_named(problems(), "problem", name); }

}  // namespace thalweg
