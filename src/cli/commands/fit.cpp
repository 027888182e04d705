// thalweg fit: a formula fitted to the columns of a table by least squares.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/assignment.hpp"
#include "cli/command.hpp"
#include "cli/fit_plots.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/target.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "data/cell.hpp"
#include "data/table.hpp"
#include "options/nearest_name.hpp"
#include "options/text.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr double most_confidence = 0.999999999;  // above it the quantile has few correct digits

struct FitArguments {
  std::string formula, table, target, x0, weight, separator = "auto", svg, html, residuals;
  double confidence = 0.95;
  LeastSquaresOptions solver;
};

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

/// The equation as given, or with the target column added as the left side.
std::string equation_of(const FitArguments& arguments, const std::vector<std::string>& columns) {
  if (arguments.formula.find('=') != std::string::npos) {
    if (!arguments.target.empty())
      fail<UsageError>("[fit] --target and an equation were both given. Wanted: one of the two");
    return arguments.formula;
  }
  const auto is_of_a_name = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  if (std::ranges::all_of(arguments.target, is_of_a_name) && !arguments.target.empty() &&
      !has(columns, arguments.target))
    fail<UsageError>("[fit] --target: '{}' is not a column. Hint: {}", arguments.target,
                     name_hint(arguments.target, columns));
  if (!arguments.target.empty()) return arguments.target + " = " + arguments.formula;
  const std::vector<std::string> used = Formula(arguments.formula).variables();
  std::vector<std::string> others;
  for (const std::string& name : columns) {
    if (!has(used, name) && name != arguments.weight) others.push_back(name);
  }
  if (has(others, "y")) return "y = " + arguments.formula;
  if (others.size() == 1) return others.front() + " = " + arguments.formula;
  if (others.empty())
    fail<UsageError>(
        "[fit] the formula holds every column, so none is left to be fitted. Hint: leave out the one on the "
        "left of '=', or --target NAME");
  fail<UsageError>("[fit] it is not clear what is fitted: {} columns are not in the formula. Hint: --target {}",
                   others.size(), shell_word(others.front()));
}

struct Numbers {
  std::map<std::string, Tensor> columns;
  std::int64_t rows = 0, left_out = 0;  ///< number of rows with a missing value
};

/// The columns with these names as numbers, that of the weights at least 0. Rows with a missing value in one of them
/// are left out.
Numbers read_numbers(const data::Table& table, const std::vector<std::string>& names, const std::string& weight) {
  std::map<std::string, std::vector<double>> values;
  Numbers numbers;
  std::vector<double> row(names.size());
  for (std::int64_t r = 0; r < table.rows(); ++r) {
    bool whole = true;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string_view cell = table.cell(r, table.find(names[i]).value());
      const auto number = parse_number(trim(cell));
      if (data::is_missing(cell)) {
        whole = false;
      } else if (!number || !std::isfinite(*number)) {
        fail<DataError>("[fit] {}:{}: '{}' in the column {} is not a number", table.file(), table.line(r), shown(cell),
                        shown(names[i]));
      } else if (names[i] == weight && *number < 0) {
        fail<DataError>("[fit] {}:{}: the weight {} in the column {}. Wanted: >= 0", table.file(), table.line(r),
                        shown(cell), shown(weight));
      } else {
        row[i] = *number;
      }
    }
    for (std::size_t i = 0; whole && i < names.size(); ++i) values[names[i]].push_back(row[i]);
    ++(whole ? numbers.rows : numbers.left_out);
  }
  if (numbers.rows == 0) fail<DataError>("[fit] every row of {} has a missing value", table.file());
  for (const auto& [name, column] : values) numbers.columns[name] = Tensor::from(column, {numbers.rows});
  return numbers;
}

/// "b1=500,b2=1e-4", or numbers in the order of the parameters; a single number is used for all of them.
std::map<std::string, double> starts(const std::string& text, const std::vector<std::string>& parameters) {
  std::map<std::string, double> x0;
  if (text.empty()) return x0;
  if (text.find('=') != std::string::npos) {
    for (const std::string& part : CLI::detail::split(text, ',')) {
      const auto [name, value] = split_assignment(part, {"--x0", "b1=500,b2=1e-4"});
      if (!x0.emplace(trim(name), numbers_in(value, "--x0").front()).second)
        fail<UsageError>("[--x0] {} is given twice", trim(name));
    }
    return x0;
  }
  const auto n = static_cast<std::int64_t>(parameters.size());
  const Tensor all = coordinates(numbers_in(text, "--x0"), n, f64, "--x0");
  for (std::int64_t i = 0; i < n; ++i) x0[parameters[static_cast<std::size_t>(i)]] = all.at(i);
  return x0;
}

/// Throws if residuals are not finite at the start, because then no step is possible.
void expect_finite(const FormulaFit& fit) {
  if (fit.result.reason != LeastSquaresReason::not_finite) return;
  for (std::int64_t row = 0; row < fit.fitted.size(); ++row) {
    if (std::isfinite(fit.fitted.at(row)) && std::isfinite(fit.observed.at(row))) continue;
    const bool is_undefined = std::isnan(fit.fitted.at(row));
    fail<NumericError>(
        "[fit] at the start, in row {}, the formula is {} for an observed {}. Hint: start elsewhere: --x0{}", row + 1,
        fit.fitted.at(row), fit.observed.at(row),
        is_undefined ? "; a logarithm or root of a column's number below 0 is undefined for every start" : "");
  }
  fail<NumericError>("[fit] at the start the sum of squares is not finite. Hint: start elsewhere: --x0");
}

/// The pair of parameters with the strongest correlation, and that correlation.
struct Correlated {
  std::int64_t a = 0, b = 0;
  double correlation = 0;
};
Correlated most_correlated(const LeastSquaresResult& result) {
  Correlated most;
  const std::int64_t n = result.x.size();
  for (std::int64_t a = 0; a < n; ++a) {
    for (std::int64_t b = 0; b < a; ++b) {
      const double r = result.correlation.at(a * n + b);
      if (std::abs(r) > std::abs(most.correlation)) most = {b, a, r};
    }
  }
  return most;
}

std::string names_at(const std::vector<std::string>& names, const std::vector<std::int64_t>& places) {
  std::string text;
  for (const std::int64_t place : places) text += (text.empty() ? "" : ", ") + names[static_cast<std::size_t>(place)];
  return text;
}

void emit_json(const FormulaFit& fit, const FitArguments& arguments, const Numbers& numbers) {
  const LeastSquaresResult& result = fit.result;
  Json json{
      {"formula", fit.model.right().text()}, {"target", fit.model.left().text()}, {"rows", numbers.rows},
      {"rows_left_out", numbers.left_out},   {"parameters", Json::array()},       {"confidence", arguments.confidence}};
  for (std::int64_t i = 0; i < result.x.size(); ++i) {
    const auto [low, high] = result.interval(i, arguments.confidence);
    json["parameters"].push_back({{"name", fit.model.parameters()[static_cast<std::size_t>(i)]},
                                  {"value", result.x.at(i)},
                                  {"standard_error", result.standard_error(i)},
                                  {"interval", {low, high}}});
  }
  const auto covariance = result.covariance.values<double>();
  json["covariance"] = std::vector<double>(covariance.begin(), covariance.end());
  const auto correlation = result.correlation.values<double>();
  json["correlation"] = std::vector<double>(correlation.begin(), correlation.end());
  json["sum_of_squares"] = result.sum_of_squares;
  json["residual_deviation"] = result.deviation();
  json["degrees_of_freedom"] = result.degrees_of_freedom();
  json["r_squared"] = fit.r_squared;
  json["steps"] = result.steps;
  json["evaluations"] = result.evaluations;
  json["jacobians"] = result.jacobians;
  json["criterion_met"] = result.converged();
  json["reason"] = name(result.reason);
  emit_line_of(json);
}

void emit_parameters(const FormulaFit& fit, double confidence) {
  const LeastSquaresResult& result = fit.result;
  emit("{:<12}{:>16}{:>16}    {}\n", "parameter", "value", "standard error",
       fmt::format("{:.12g} % interval", 100 * confidence));
  for (std::int64_t i = 0; i < result.x.size(); ++i) {
    const auto [low, high] = result.interval(i, confidence);
    const std::string& name = fit.model.parameters()[static_cast<std::size_t>(i)];
    if (std::isnan(result.standard_error(i))) {  // there are no degrees of freedom
      emit("{:<12}{:>16.9g}{:>16}    -\n", name, result.x.at(i), "-");
      continue;
    }
    emit("{:<12}{:>16.9g}{:>16.6g}    {}\n", name, result.x.at(i), result.standard_error(i),
         std::isnan(low) ? "-" : fmt::format("{:.7g} to {:.7g}", low, high));
  }
}

void emit_text(const FormulaFit& fit, const FitArguments& arguments, const Numbers& numbers, const FitPlots& plots) {
  const LeastSquaresResult& result = fit.result;
  emit("{}\n{}\n", plots.fit_text(), plots.residuals_text());
  emit_parameters(fit, arguments.confidence);
  emit("\n{:<12}{}, with {} degree{} of freedom\n", "deviation",
       std::isnan(result.deviation()) ? "-" : fmt::format("{:.7g}", result.deviation()), result.degrees_of_freedom(),
       result.degrees_of_freedom() == 1 ? "" : "s");
  emit("{:<12}{}, R^2 {}\n", "residuals", squares_text(result),
       std::isfinite(fit.r_squared) ? fmt::format("{:.6f}", fit.r_squared) : "-");
  const Correlated most = most_correlated(result);
  if (!result.undetermined.empty()) {
    emit("{:<12}{}: other values fit as well\n", "undecided", names_at(fit.model.parameters(), result.undetermined));
  } else if (std::abs(most.correlation) > 0.95) {
    emit("{:<12}{}: {:.4f}; the data hardly separate them\n", "correlated",
         names_at(fit.model.parameters(), {most.a, most.b}), most.correlation);
  }
  const std::int64_t weightless = numbers.rows - result.residuals;
  emit("{:<12}{}{}{}\n", "rows", with_commas(numbers.rows),
       weightless ? fmt::format(", {} of them of weight 0", with_commas(weightless)) : "",
       numbers.left_out ? fmt::format(", and {} with a missing value left out", with_commas(numbers.left_out)) : "");
  emit("{:<12}{} ({}, {})\n", "steps", with_commas(result.steps), counted(result.evaluations, "evaluations"),
       counted(result.jacobians, "Jacobians"));
  emit("{:<12}{}\n", "ended", name(result.reason));
}

void write_residuals(const std::string& path, const FormulaFit& fit) {
  std::string text = "observed,fitted,residual\n";
  for (std::int64_t i = 0; i < fit.observed.size(); ++i) {
    const double observed = fit.observed.at(i), fitted = fit.fitted.at(i);
    fmt::format_to(std::back_inserter(text), "{},{},{}\n", observed, fitted, observed - fitted);
  }
  write_output(path, text);
}

/// The names of the columns that are read: those of the equation, and the weights.
std::vector<std::string> read_columns(const FormulaModel& model, const FitArguments& arguments,
                                      const std::vector<std::string>& all) {
  std::vector<std::string> names = model.inputs();
  for (const std::string& name : model.observed()) {
    if (!has(names, name)) names.push_back(name);
  }
  if (arguments.weight.empty() || has(names, arguments.weight)) return names;
  if (!has(all, arguments.weight)) {
    fail<UsageError>("[fit] there is no column '{}'. Hint: {}", arguments.weight, name_hint(arguments.weight, all));
  }
  names.push_back(arguments.weight);
  return names;
}

int run(const FitArguments& arguments, const Context& context) {
  if (!(arguments.confidence > 0 && arguments.confidence <= most_confidence)) {
    fail<UsageError>("[fit] confidence = {}. Wanted: above 0, and at most {}", arguments.confidence, most_confidence);
  }
  const data::Table table = data::read_table(arguments.table, data::separator_named(arguments.separator));
  const std::string equation = equation_of(arguments, table.names());
  const FormulaModel model(equation, table.names());
  if (model.inputs().empty()) {
    fail<UsageError>("[fit] no name in '{}' is a column. Hint: the columns are {}", model.right().text(),
                     fmt::join(table.names(), ", "));
  }
  const Numbers numbers = read_numbers(table, read_columns(model, arguments, table.names()), arguments.weight);
  const SignalWatch signals;
  FormulaFitOptions options{starts(arguments.x0, model.parameters()), arguments.weight, arguments.solver};
  options.solver.stop = Stop([&] { return signals.received() != 0; });
  const FormulaFit fit = fit_formula(equation, numbers.columns, options);
  expect_finite(fit);
  const FitPlots plots(fit, numbers.columns);
  if (!arguments.svg.empty()) write_output(arguments.svg, plots.svg());
  if (!arguments.html.empty()) write_output(arguments.html, plots.html(arguments.confidence));
  if (!arguments.residuals.empty()) write_residuals(arguments.residuals, fit);
  if (context.json) {
    emit_json(fit, arguments, numbers);
  } else if (context.quiet) {
    emit_parameters(fit, arguments.confidence);
  } else {
    emit_text(fit, arguments, numbers, plots);
  }
  return signals.received() != 0 ? 128 + signals.received() : 0;
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<FitArguments>();
  command.footer(
      "Examples:\n  thalweg fit \"b1*(1 - exp(-b2*x))\" data.csv --x0 500,1e-4\n"
      "  thalweg fit \"log(y) = a - b*time*exp(-c*heat)\" data.csv --x0 a=2,b=1e-4,c=-0.01 --html fit.html");
  command
      .add_option("formula", arguments->formula,
                  "A formula of columns and parameters: \"a*exp(-b*x)\", or \"y = a*exp(-b*x)\"")
      ->required()
      ->type_name("FORMULA");
  command.add_option("table", arguments->table, "A CSV file with a header")->required()->type_name("FILE");
  command
      .add_option("--x0", arguments->x0,
                  "Where parameters start: 500,1e-4 in the order of their names, or b1=500,b2=1e-4 (1 each)")
      ->type_name("NUMBERS");
  command.add_option("--target", arguments->target, "What is fitted: a column, or a formula of columns (y)")
      ->type_name("NAME");
  command.add_option("--weight", arguments->weight, "A column of weights: 1 / variance; rows of 0 do not count")
      ->type_name("NAME");
  command.add_option("--confidence", arguments->confidence, "Confidence level of the intervals (0.95)")
      ->type_name("NUMBER");
  command.add_option("--separator", arguments->separator, "Separator of cells")
      ->check(CLI::IsMember({"auto", "comma", "semicolon", "tab"}).description(""))
      ->type_name("auto|comma|semicolon|tab");
  command.add_option("--steps,--max-steps", arguments->solver.max_steps, "Steps to take at most (1000)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{10'000'000}).description(""))
      ->type_name("NUMBER");
  command.add_option("--svg", arguments->svg, "Fit and residuals, drawn to a file")->type_name("FILE");
  command.add_option("--html", arguments->html, "Parameters, fit and residuals on a page")->type_name("FILE");
  command.add_option("--residuals", arguments->residuals, "Each row as CSV: observed, fitted, residual")
      ->type_name("FILE");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> fit_commands() {
  return {{"fit", "Fit a formula to a table by least squares", CommandGroup::methods, set_up}};
}

}  // namespace thalweg::cli
