// Curve fitting: the residuals of an equation over the rows of a table.

#include "thalweg/fit.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "options/nearest_name.hpp"
#include "options/text.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using Columns = std::map<std::string, Tensor>;

/// One side of an equation.
std::string_view side(std::string_view equation, bool right) {
  const auto equals = equation.find('=');
  if (equals == std::string_view::npos || equation.find('=', equals + 1) != std::string_view::npos) {
    fail<UsageError>("[fit] '{}' is no equation. Wanted: one '=', as in y = b1*(1 - exp(-b2*x))", equation);
  }
  return trim(right ? equation.substr(equals + 1) : equation.substr(0, equals));
}

/// Whether a name occurs in an equation, and not only as a part of another name or number.
bool mentions(std::string_view equation, std::string_view name) {
  const auto in_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; };
  for (auto at = equation.find(name); at != std::string_view::npos; at = equation.find(name, at + 1)) {
    const std::size_t end = at + name.size();
    if ((at == 0 || !in_word(equation[at - 1])) && (end == equation.size() || !in_word(equation[end]))) return true;
  }
  return false;
}

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::vector<std::string> names_of(const Columns& columns) {
  std::vector<std::string> names;
  for (const auto& [name, column] : columns) names.push_back(name);
  return names;
}

const Tensor& column(const Columns& columns, const std::string& name) {
  const auto found = columns.find(name);
  if (found == columns.end()) {
    fail<UsageError>("[fit] there is no column '{}'. Hint: {}", name, name_hint(name, names_of(columns)));
  }
  return found->second;
}

/// Evaluates a formula that contains only columns.
Tensor evaluated(const Formula& formula, const Columns& columns) {
  std::vector<Tensor> values;
  for (const std::string& name : formula.variables()) values.push_back(column(columns, name).to(f64));
  const Function f(Function::Body([&](std::span<const Var> x) { return std::vector<Var>{formula.of(x)}; }));
  return f.run(values).front();
}

/// Traces the right side; parameters are elements of x, columns become constants.
Var traced(const Formula& formula, const std::vector<std::string>& parameters, const Columns& columns, Var x) {
  std::vector<Var> values;
  for (const std::string& name : formula.variables()) {
    const auto place = std::ranges::find(parameters, name) - parameters.begin();
    values.push_back(has(parameters, name) ? reshape(slice(x, place, place + 1), {})
                                           : x.graph().constant(column(columns, name).to(f64)));
  }
  return formula.of(values);
}

Tensor roots_of(const Tensor& weights) {
  Tensor roots = weights.to(f64);
  for (double& w : roots.mutable_values<double>()) w = std::sqrt(w);
  return roots;
}

/// The rows whose weight is not 0.
Columns weighted_rows(const Columns& columns, const std::string& weight) {
  const Tensor& weights = column(columns, weight);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    const double w = weights.at(i);
    if (!(w >= 0 && std::isfinite(w)))
      fail<DataError>("[fit] the weight '{}' of row {} is {}. Wanted: finite, and >= 0", weight, i, w);
    if (w != 0) rows.push_back(i);
  }
  if (std::ssize(rows) == weights.size()) return columns;
  if (rows.empty()) fail<DataError>("[fit] every weight is 0. Wanted: weights above 0");
  Columns counting;
  for (const auto& [name, values] : columns) {
    std::vector<double> own;
    for (const std::int64_t row : rows) own.push_back(values.at(row));
    counting[name] = Tensor::from(own, {std::ssize(own)});
  }
  return counting;
}

/// sqrt(sum w (y - its weighted mean)^2); nan if y has a single value, so that there is no variance to explain.
double total_norm(const Tensor& observed, const Tensor* weights) {
  double sum = 0, weight = 0, squares = 0, unit = 0, heaviest = weights ? 0 : 1;  // by which sums stay in range
  for (std::int64_t i = 0; weights && i < weights->size(); ++i) heaviest = std::max(heaviest, weights->at(i));
  const auto w = [&](std::int64_t i) { return weights ? weights->at(i) / heaviest : 1.0; };
  bool varies = false;
  std::optional<double> first;
  for (std::int64_t i = 0; i < observed.size(); ++i) {
    if (w(i) == 0) continue;
    varies = varies || observed.at(i) != first.value_or(observed.at(i));
    first = observed.at(i);
    unit = std::max(unit, std::abs(observed.at(i)));
  }
  if (!varies) return std::nan("");
  for (std::int64_t i = 0; i < observed.size(); ++i) sum += w(i) * (observed.at(i) / unit), weight += w(i);
  for (std::int64_t i = 0; i < observed.size(); ++i)
    squares += w(i) * std::pow(observed.at(i) / unit - sum / weight, 2);
  return unit * std::sqrt(heaviest) * std::sqrt(squares);
}

}  // namespace

FormulaModel::FormulaModel(std::string_view equation, const std::vector<std::string>& columns)
    : left_(side(equation, false)), right_(side(equation, true)) {
  for (const char* constant : {"e", "pi"}) {
    if (!has(columns, constant) || !mentions(equation, constant)) continue;
    fail<UsageError>(
        "[fit] '{0}' in '{1}' is the number {0}, and a column of the table has this name. Hint: rename it.", constant,
        equation);
  }
  for (const std::string& name : left_.variables()) {
    if (!has(columns, name)) {
      fail<UsageError>("[fit] left of '=' stands '{}', which is no column. Hint: {}", name, name_hint(name, columns));
    }
  }
  if (left_.variables().empty()) fail<UsageError>("[fit] no column left of '='. Wanted: what is fitted, as in y = ...");
  for (const std::string& name : right_.variables()) (has(columns, name) ? inputs_ : parameters_).push_back(name);
  if (parameters_.empty()) {
    fail<UsageError>("[fit] '{}' has no parameter: every name in it is a column", right_.text());
  }
}

Tensor FormulaModel::observed_values(const Columns& columns) const { return evaluated(left_, columns); }

Tensor FormulaModel::predict(const Tensor& x, const Columns& columns) const {
  const std::int64_t rows = columns.empty() ? 1 : columns.begin()->second.size();
  const Function f(Function::Body([&](std::span<const Var> v) {
    return std::vector<Var>{broadcast_to(traced(right_, parameters_, columns, v[0]), {rows})};
  }));
  return f.run({x}).front();
}

Function FormulaModel::residuals(const Columns& all, const std::string& weight) const {
  const Columns columns = weight.empty() ? all : weighted_rows(all, weight);
  const Tensor observed = observed_values(columns);
  const Tensor roots = weight.empty() ? Tensor() : roots_of(column(columns, weight));
  return Function(Function::Body([=, formula = right_, parameters = parameters_](std::span<const Var> x) {
    const Var fitted = traced(formula, parameters, columns, x[0]);
    const Var r = constant(observed) - fitted;
    return std::vector<Var>{weight.empty() ? r : r * constant(roots)};
  }));
}

FormulaFit fit_formula(std::string_view equation, const Columns& columns, const FormulaFitOptions& options) {
  FormulaModel model(equation, names_of(columns));
  const std::vector<std::string>& parameters = model.parameters();
  Tensor x0 = ones({static_cast<std::int64_t>(parameters.size())}, f64);
  for (const auto& [name, value] : options.x0) {
    const auto place = std::ranges::find(parameters, name);
    if (place == parameters.end()) {
      fail<UsageError>("[fit] x0 names '{}', which is no parameter. Hint: {}", name, name_hint(name, parameters));
    }
    x0.set(place - parameters.begin(), value);
  }
  FormulaFit fit{.model = model,
                 .result = least_squares(model.residuals(columns, options.weight), x0, options.solver),
                 .observed = model.observed_values(columns),
                 .fitted = {}};
  fit.fitted = model.predict(fit.result.x, columns);
  const Tensor* weights = options.weight.empty() ? nullptr : &column(columns, options.weight);
  fit.r_squared = 1 - std::pow(fit.result.residual_norm / total_norm(fit.observed, weights), 2);
  return fit;
}

}  // namespace thalweg
