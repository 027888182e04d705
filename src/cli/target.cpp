#include "cli/target.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>

#include "core/counted.hpp"
#include "core/error.hpp"
#include "options/text.hpp"
#include "thalweg/formula.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t most_dimensions = 10'000'000;

bool is_word(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::int64_t dimensions(const TargetArguments& arguments, const std::vector<double>& x0, std::int64_t usual) {
  if (arguments.dim > 0) return arguments.dim;
  return x0.size() > 1 ? static_cast<std::int64_t>(x0.size()) : usual;
}

std::vector<std::string> coordinate_names(std::int64_t dim) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < dim; ++i) names.push_back(fmt::format("x{}", i));
  return names;
}

Target from_table(const TargetArguments& arguments, const std::vector<double>& x0, const OptionMap& options) {
  const ProblemRow& row = problem_named(arguments.function);
  const std::int64_t dim = dimensions(arguments, x0, std::max<std::int64_t>(row.fewest, 2));
  Problem problem = row.make(options, dim);
  const bool plane = row.fewest == 2 && row.most == 2;
  return {.name = std::string(row.name),
          .formula = std::string(row.formula),
          .problem = std::move(problem),
          .x0 = {},
          .variables = plane ? std::vector<std::string>{"x", "y"} : coordinate_names(dim)};
}

Target from_formula(const TargetArguments& arguments, const OptionMap& options) {
  if (!options.empty()) {
    fail<UsageError>(
        "[minimize] problem.{} is set for a formula. Hint: only problems have options: thalweg list problems.",
        options.begin()->first);
  }
  const Formula formula(arguments.function);
  const auto dim = static_cast<std::int64_t>(formula.variables().size());
  if (dim == 0) fail<UsageError>("[minimize] '{}' has no variable to change", arguments.function);
  if (arguments.dim > 0 && arguments.dim != dim) {
    fail<UsageError>("[minimize] dim = {}, and '{}' has {} ({})", arguments.dim, arguments.function,
                     counted(dim, "variables"), fmt::join(formula.variables(), ", "));
  }
  Target target;
  target.name = formula.text();
  target.variables = formula.variables();
  target.problem.function = Function(formula);
  target.problem.formula = formula.text();
  target.problem.start.assign(static_cast<std::size_t>(dim), 1.0);
  return target;
}

}  // namespace

bool names_problem(const std::string& text) {
  const bool known = std::ranges::any_of(problems(), [&](const ProblemRow& row) { return row.name == text; });
  return known || (is_word(text) && text.size() > 2 && text != "abs");
}

std::vector<double> numbers_in(const std::string& text, const char* option) {
  std::vector<double> numbers;
  for (const std::string& part : CLI::detail::split(text, ',')) {
    const auto number = parse_number(trim(part));
    if (!number || !std::isfinite(*number)) {
      fail<UsageError>("[{}] '{}' is not a number. Wanted: numbers with commas between them, as in {} 1.5,-1", option,
                       part, option);
    }
    numbers.push_back(*number);
  }
  return numbers;
}

Tensor coordinates(const std::vector<double>& values, std::int64_t dim, DType dtype, const char* option) {
  if (values.size() == 1) return full({dim}, values[0], dtype);
  if (static_cast<std::int64_t>(values.size()) != dim) {
    fail<UsageError>("[{}] {} numbers for {} dimensions. Hint: a single number is used for every dimension.", option,
                     values.size(), dim);
  }
  return Tensor::from(values, {dim}).to(dtype);
}

Target make_target(const TargetArguments& arguments, const OptionMap& problem_options) {
  const std::vector<double> x0 = arguments.x0.empty() ? std::vector<double>{} : numbers_in(arguments.x0, "--x0");
  Target target = names_problem(arguments.function) ? from_table(arguments, x0, problem_options)
                                                    : from_formula(arguments, problem_options);
  const auto dim = static_cast<std::int64_t>(target.problem.start.size());
  target.x0 = coordinates(x0.empty() ? target.problem.start : x0, dim, arguments.dtype == "f32" ? f32 : f64, "--x0");
  return target;
}

std::string point_text(const Tensor& x) {
  constexpr std::int64_t shown = 6;
  std::string text = "(";
  for (std::int64_t i = 0; i < std::min(x.size(), shown); ++i) text += fmt::format("{}{:.6g}", i ? ", " : "", x.at(i));
  return text + (x.size() > shown ? ", ...)" : ")");
}

void add_target_arguments(CLI::App& command, TargetArguments& arguments) {
  command
      .add_option("function", arguments.function,
                  "A problem (thalweg list problems), or a formula: \"x^2 + 10*y^2\"; one that begins with a minus in "
                  "parentheses")
      ->required()
      ->type_name("FUNCTION");
  add_start_arguments(command, arguments);
}

void add_start_arguments(CLI::App& command, TargetArguments& arguments) {
  command.add_option("--x0", arguments.x0, "Where to start: 1.5,-1; a single number is used for every coordinate")
      ->type_name("NUMBERS")
      ->group("Problems");
  command.add_option("--dim", arguments.dim, "Dimensions, for problems that can have any number")
      ->type_name("N")
      ->check(CLI::Range(std::int64_t{1}, most_dimensions).description(""))
      ->group("Problems");
  command.add_option("--dtype", arguments.dtype, "Element type of the computation")
      ->check(CLI::IsMember({"f64", "f32"}).description(""))
      ->type_name("f64|f32")
      ->group("Problems");
}

}  // namespace thalweg::cli
