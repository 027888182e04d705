#include "problem/row.hpp"

namespace thalweg {

namespace problem {

Problem plane(const std::string& formula, Problem rest) {
  rest.function = Function(Formula(formula));
  rest.formula = formula;
  return rest;
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
