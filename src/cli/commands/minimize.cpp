// thalweg minimize: any method on a problem of the table, or on a formula.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <stop_token>

#include "cli/explain.hpp"
#include "cli/landscape.hpp"
#include "cli/method.hpp"
#include "cli/output.hpp"
#include "cli/signals.hpp"
#include "cli/target.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "insight/point.hpp"
#include "optim/asks.hpp"
#include "options/text.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

constexpr std::int64_t usual_steps = 50'000;

struct MinimizeArguments {
  TargetArguments target;
  StoppingArguments stopping;
  std::vector<std::string> sets;
  std::string optimizer, lr = "auto", schedule, trace, svg;
  std::int64_t explain = 0;
};

/// Writes every step as CSV at once, because a walk may be long.
class Trace {
 public:
  explicit Trace(const std::string& path) : path_(path), file_(open_output(path)) {}

  void add(const MinimizeStep& step) {
    line_.clear();
    if (step.step == 0) {
      line_ = "step,value,gradient_norm,lr";
      for (std::int64_t i = 0; i < step.x.size(); ++i) line_ += fmt::format(",x{}", i);
      line_ += "\n";
    }
    fmt::format_to(std::back_inserter(line_), "{},{},{},{}", step.step, step.value, step.gradient_norm, step.lr);
    for (std::int64_t i = 0; i < step.x.size(); ++i) fmt::format_to(std::back_inserter(line_), ",{}", step.x.at(i));
    line_ += "\n";
    (void)std::fwrite(line_.data(), 1, line_.size(), file_.get());
  }

  void close() {
    const bool whole = std::ferror(file_.get()) == 0;
    if (std::fclose(file_.release()) != 0 || !whole) fail<IoError>("[minimize] {} cannot be written to its end", path_);
  }

 private:
  std::string path_, line_;
  OutputFile file_;
};

/// The rate that the user gave, or the best of those tried.
struct Rate {
  std::optional<double> asked;
  std::vector<double> tried = {};
  std::int64_t evaluations = 0;
};

std::optional<double> asked_rate(const MinimizeArguments& arguments, Settings& settings, const OptimizerRow& row) {
  if (row.owns_steps) {
    if (arguments.lr == "auto") return 1;
    fail<UsageError>("[{}] it finds the length of each step itself. Hint: leave out --lr.", row.name);
  }
  const auto own = settings.optimizer.extract("lr");
  if (arguments.lr != "auto") {
    const auto rate = parse_number(arguments.lr);
    if (!rate || !positive.contains(*rate) || !std::isfinite(*rate)) {
      fail<UsageError>("[minimize] lr = {}. Wanted: > 0, or auto", arguments.lr);
    }
    return *rate;
  }
  if (!own) return std::nullopt;
  double lr = 0;
  read_fields({{"lr", &lr, "", positive}}, {{"lr", own.mapped()}}, "minimize");
  return lr;
}

/// Minimises with each rate of a grid, and returns the rate with the best result.
double try_rates(const Registry& registry, const MinimizeArguments& arguments, const Settings& settings,
                 const Target& target, const MinimizeOptions& options, Rate& rate) {
  rate.tried = rate_grid(-6, 1, 2);
  std::optional<MinimizeResult> best;
  double best_rate = rate.tried.front();
  for (const double lr : rate.tried) {
    const Optimizer method = make_method(registry, arguments.optimizer, settings, lr);
    MinimizeResult result = minimize(target.problem.function, target.x0, method, options);
    rate.evaluations += result.evaluations;
    if (result.reason == MinimizeReason::not_finite && result.steps == 0) {  // another rate does not help
      rate.tried = {lr};
      return lr;
    }
    if (best && !is_better(result, *best)) continue;
    best = std::move(result);
    best_rate = lr;
  }
  return best_rate;
}

/// Minimises by the residuals, if the method needs them and the problem has them.
MinimizeResult minimized(const Target& target, const Optimizer& method, const MinimizeOptions& options) {
  const Problem& problem = target.problem;
  const auto of_squares = [](Need need) { return need == Need::residuals || need == Need::gauss_newton; };
  if (method.method && problem.residuals && std::ranges::any_of(method.method->needs(), of_squares)) {
    return minimize_squares(*problem.residuals, target.x0, method, options);
  }
  return minimize(problem.function, target.x0, method, options);
}

struct Walk {
  MinimizeResult result;
  std::vector<double> values;  ///< the values at each step
  std::vector<double> path;    ///< in two dimensions: x, y, x, y, ...
};

Walk walk(const Target& target, const Optimizer& method, MinimizeOptions options, const std::string& trace) {
  Walk walk;
  std::optional<Trace> file;
  if (!trace.empty()) file.emplace(trace);
  options.on_step = [&, watch = options.on_step](const MinimizeStep& step) {
    watch(step);
    walk.values.push_back(step.value);
    for (std::int64_t i = 0; step.x.size() == 2 && i < 2; ++i) walk.path.push_back(step.x.at(i));
    if (file) file->add(step);
  };
  walk.result = minimized(target, method, options);
  if (file) file->close();
  return walk;
}

std::string_view key(MinimizeReason reason) {
  switch (reason) {
    case MinimizeReason::gradient: return "gradient_norm";
    case MinimizeReason::value_change: return "value_change";
    case MinimizeReason::value: return "value";
    case MinimizeReason::max_steps: return "max_steps";
    case MinimizeReason::not_finite: return "not_finite";
    case MinimizeReason::stop_requested: return "stop_requested";
    case MinimizeReason::no_progress: return "no_progress";
  }
  return "";
}

constexpr std::int64_t most_looked_at = 100'000;  // dimensions

/// The kind of point at which a walk ended; empty if a value is not finite, if it ended at a bound, or in too many
/// dimensions.
std::optional<Point> end_of(const Target& target, const Walk& walk, const Optimizer& method,
                            const MinimizeOptions& options) {
  const MinimizeResult& result = walk.result;
  const bool whole =
      std::isfinite(result.value) && std::isfinite(result.gradient_norm) && !options.lower && !options.upper;
  if (!whole || result.x.size() > most_looked_at) return std::nullopt;
  const Surface surface = surface_of(target.problem.function, result.x.shape());
  std::vector<double> x;
  for (std::int64_t i = 0; i < result.x.size(); ++i) x.push_back(result.x.at(i));
  const double fall = walk.values.empty() ? 0 : walk.values.front() - result.value;
  try {
    return kind_of_point(surface, x, {.lr = method.name == "sgd" ? method.lr : 0, .fall = fall});
  } catch (const NumericError&) {  // the curvature may not exist there
    return std::nullopt;
  }
}

void emit_json(const Target& target, const Optimizer& method, const MinimizeResult& result, const Rate& rate,
               const std::optional<Point>& point) {
  nlohmann::ordered_json json{{"function", target.name},
                              {"optimizer", method.name},
                              {"lr", owns_steps(method) ? nlohmann::ordered_json() : nlohmann::ordered_json(method.lr)},
                              {"steps", result.steps},
                              {"evaluations", result.evaluations},
                              {"products", result.products},
                              {"value", result.value},
                              {"gradient_norm", result.gradient_norm},
                              {"x", nlohmann::ordered_json::array()},
                              {"criterion_met", result.converged()},
                              {"reason", key(result.reason)}};
  for (std::int64_t i = 0; i < result.x.size(); ++i) json["x"].push_back(result.x.at(i));
  if (target.problem.minimum) json["known_minimum"] = *target.problem.minimum;
  if (!rate.asked) json["evaluations_to_find_lr"] = rate.evaluations;
  if (point) {
    json["point"] = {{"kind", name(point->kind)}, {"sentence", point->sentence}};
    for (const Evidence& e : point->evidence) json["point"][e.name] = e.value;
    if (point->kind == PointKind::saddle) json["point"]["direction"] = point->direction;
  }
  emit_line_of(json);
}

void print_task(const Target& target, const Optimizer& method, const Rate& rate) {
  emit("{}\n", target.formula.empty() ? target.name : fmt::format("{}: {}", target.name, target.formula));
  emit("from {} by {}", point_text(target.x0), method.name);
  if (!owns_steps(method)) emit(", lr {:.4g}", method.lr);
  if (method.schedule.name() != "constant") emit(" ({})", method.schedule.name());
  if (rate.tried.size() > 1) {
    emit(": the best of {} from {} to {}, each tried in full; --lr sets it", rate.tried.size(),
         number_text(rate.tried.front()), number_text(rate.tried.back()));
  }
  emit("\n\n");
}

/// The value at each step, minus the minimum if that is known, because the difference shows the rate of convergence.
void plot_values(const Target& target, const Walk& walk) {
  const double floor = target.problem.minimum.value_or(0);
  Series series{"value", {}, {}};
  bool positive_all = true;
  for (std::size_t i = 0; i < walk.values.size(); ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(walk.values[i] - floor);
    positive_all = positive_all && (series.y.back() > 0 || i + 1 == walk.values.size());
  }
  if (series.x.size() < 2) return;
  PlotOptions plot{.x_label = "step", .y_label = "value"};
  if (floor != 0) plot.y_label += fmt::format(" - {:.6g}", floor);
  plot.log_y = positive_all || target.problem.minimum;
  emit("{}\n", line_plot_text(plot, {&series, 1}, 72, 12));
}

double distance_to(const std::vector<double>& point, const Tensor& x) {
  double total = 0;
  for (std::size_t i = 0; i < point.size(); ++i) total += std::pow(point[i] - x.at(static_cast<std::int64_t>(i)), 2);
  return std::sqrt(total);
}

void print_known_minimum(const Problem& problem, const MinimizeResult& result) {
  if (!problem.minimum) return;
  const auto nearest = std::ranges::min_element(
      problem.minimizers, {}, [&](const std::vector<double>& point) { return distance_to(point, result.x); });
  emit("known       {:.9g} at {}: {:.3g} above it, {:.3g} away\n", *problem.minimum,
       point_text(Tensor::from(*nearest, {result.x.size()})), result.value - *problem.minimum,
       distance_to(*nearest, result.x));
}

/// A point in the direction that leads down from a saddle, in the form of --x0.
std::string next_start(const Tensor& x, const Point& point) {
  std::string text;
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double value = x.at(i) + point.distance * point.direction[static_cast<std::size_t>(i)];
    text += (i > 0 ? "," : "") + number_text(value, 4);
  }
  return x.size() <= 6 ? text : "there";
}

void print_result(const Target& target, const Walk& walk, const Rate& rate, const std::optional<Point>& point,
                  bool bounded) {
  const MinimizeResult& result = walk.result;
  plot_values(target, walk);
  emit("value       {:.9g}\n", result.value);
  emit("{:<12}{}\n",
       fmt::format(
           "({})",
           fmt::join(target.variables.begin(),
                     target.variables.begin() + std::min<std::ptrdiff_t>(std::ssize(target.variables), 2), ", ")),
       point_text(result.x));
  print_known_minimum(target.problem, result);
  emit("gradient    {:.3g}{}\n", result.gradient_norm,
       bounded ? ", without components that point out of the bounds" : "");
  emit("steps       {} ({}{}{})\n", with_commas(result.steps), counted(result.evaluations, "evaluations"),
       result.products ? ", " + counted(result.products, "products") : "",
       rate.asked ? "" : fmt::format(", and {} to find the rate", with_commas(rate.evaluations)));
  emit("{:<12}{}{}\n", "ended", name(result.reason),
       result.no_progress.empty() ? "" : fmt::format(": {}", result.no_progress));
  if (!point) return;
  emit("{:<12}{}\n", "point", point->sentence);
  if (point->kind != PointKind::saddle) return;
  emit("{:<12}{}: --x0 {}\n", "leads on", point_text(Tensor::from(point->direction, {result.x.size()})),
       next_start(result.x, *point));
}

/// Compares the rate of a walk that diverged, if it has one, with 2 / the largest eigenvalue at its start.
std::string stability_text(const Target& target, double lr) {
  if (target.x0.size() > most_looked_at || lr <= 0) return "";
  const Surface surface = surface_of(target.problem.function, target.x0.shape());
  std::vector<double> x;
  for (std::int64_t i = 0; i < target.x0.size(); ++i) x.push_back(target.x0.at(i));
  const double largest = extreme_eigenvalues(surface.hessian_at(x), {.tolerance = 1e-2}).largest.value;
  if (!(largest > 0)) return "";
  return fmt::format("; lr is {}, and 2 / the largest eigenvalue at the start {}", number_text(lr, 3),
                     number_text(2 / largest, 3));
}

/// What may help a walk that left the finite numbers. A method that owns its steps has no rate, and a rate that moves
/// by itself is not bounded by the one it begins with.
const char* way_back(const Optimizer& method, std::int64_t steps) {
  if (steps == 0) return "start elsewhere: --x0";
  if (owns_steps(method)) return "start elsewhere: --x0, or a function that is bounded below";
  if (method.name == "hypergradient")
    return "--set optimizer.trust=0.1, which bounds its steps, or a function that is bounded below";
  return "a lower --lr, or a function that is bounded below";
}

/// Reports a minimisation that failed.
int exit_code(const Target& target, const Optimizer& method, const MinimizeResult& result, double lr,
              const SignalWatch& signals) {
  if (signals.received() != 0) return 128 + signals.received();
  if (result.reason != MinimizeReason::not_finite) return 0;
  const std::string where =
      result.not_finite_in.empty() ? "" : fmt::format(", first in the op {}", result.not_finite_in);
  fail<NumericError>("[minimize] step {}: the value is {} and the gradient's norm {}{}{}. Hint: {}.", result.steps,
                     result.value, result.gradient_norm, where, result.steps == 0 ? "" : stability_text(target, lr),
                     way_back(method, result.steps));
}

int run(const MinimizeArguments& arguments, const Context& context) {
  Settings settings = read_settings(arguments.sets);
  if (!arguments.schedule.empty()) settings.schedule["kind"] = {arguments.schedule};
  const Target target = make_target(arguments.target, settings.problem);
  if (!arguments.svg.empty()) expect_plane(target);
  SignalWatch signals;
  std::stop_source stop;
  MinimizeOptions options = arguments.stopping.options(target.x0);
  options.stop = stop.get_token();
  options.on_step = [&](const MinimizeStep&) {
    if (signals.received() != 0) stop.request_stop();
  };
  const OptimizerRow& row = context.registry.optimizer(arguments.optimizer);
  if ((row.owns_steps || row.needs.size() > 1) && arguments.explain > 0) {
    fail<UsageError>(
        "[{}] its steps cannot be explained by a formula of one gradient. Hint: --trace FILE has each of them.",
        row.name);
  }
  Rate rate{.asked = asked_rate(arguments, settings, row)};
  const double lr = rate.asked ? *rate.asked : try_rates(context.registry, arguments, settings, target, options, rate);
  const Optimizer method = make_method(context.registry, arguments.optimizer, settings, lr);
  if (!context.json && !context.quiet) print_task(target, method, rate);
  if (arguments.explain > 0) {
    const std::string text = explained(target, method, options, arguments.explain);
    context.json ? say(std::string_view(text + "\n")) : emit("{}\n", text);
  }
  const Walk walked = walk(target, method, options, arguments.trace);
  if (!arguments.svg.empty()) {
    write_output(arguments.svg, landscape_svg(target, walked.path, method.name));
    if (!context.quiet) say("the drawing is in {}\n", arguments.svg);
  }
  const std::optional<Point> point = end_of(target, walked, method, options);
  if (context.json) {
    emit_json(target, method, walked.result, rate, point);
  } else if (!context.quiet) {
    print_result(target, walked, rate, point, options.lower || options.upper);
  }
  return exit_code(target, method, walked.result, owns_steps(method) ? 0 : lr, signals);
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<MinimizeArguments>();
  arguments->optimizer = "adam";
  command.footer(
      "Examples:\n  thalweg minimize rosenbrock\n"
      "  thalweg minimize \"x^2 + 10*y^2\" --x0 1,1 --optimizer sgd --lr 0.05 --explain\n"
      "  thalweg minimize quadratic --dim 10 --set problem.condition=1000 --trace path.csv");
  add_target_arguments(command, arguments->target);
  command.add_option("--optimizer", arguments->optimizer, "The optimizer: thalweg list optimizers")->type_name("NAME");
  command.add_option("--lr", arguments->lr, "Learning rate; auto tries a grid of them")->type_name("NUMBER|auto");
  command.add_option("--schedule", arguments->schedule, "How the rate changes: thalweg list schedules")
      ->type_name("NAME");
  command
      .add_option("--set", arguments->sets, "Any option: optimizer.beta1=0.8, schedule.end=0.1, problem.condition=1e3")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  arguments->stopping.add_to(command, usual_steps);
  command.add_option("--trace", arguments->trace, "Every step, as CSV: step, value, gradient_norm, lr, x0, x1, ...")
      ->type_name("FILE");
  command.add_option("--svg", arguments->svg, "Draw the path over the contours of a function of two variables")
      ->type_name("FILE");
  command
      .add_flag("--explain{3}", arguments->explain,
                "Explain the first steps with all their numbers: 3 steps, or --explain=N")
      ->check(CLI::Range(1, 100).description(""));
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> minimize_commands() {
  return {{"minimize", "Minimise a classic problem, or any formula", CommandGroup::methods, set_up}};
}

}  // namespace thalweg::cli
