// thalweg compare: several methods on one problem or configuration, over a grid of rates and several seeds.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/comparison.hpp"
#include "cli/experiment.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "core/counted.hpp"
#include "core/error.hpp"
#include "options/text.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

struct CompareArguments {
  ConfigArguments config;  ///< its source may also be a problem or a formula
  WalkArguments walk;
  std::string optimizers = "sgd,adagrad,rmsprop,adam,lion", rates, svg;
  std::int64_t seeds = 0;
  double factor = 2;
  bool csv = false;
};

bool is_configuration(const std::string& source) {
  const std::filesystem::path path(source);
  return path.extension() == ".toml" || path.extension() == ".csv" || std::filesystem::is_directory(path);
}

std::vector<std::string> methods_of(const CompareArguments& arguments, const Registry& registry) {
  std::vector<std::string> names;
  if (arguments.optimizers == "all") {
    for (const OptimizerRow& row : registry.optimizers()) {
      if (!row.owns_steps && row.needs.size() == 1) names.emplace_back(row.name);
    }
    return names;
  }
  for (const std::string& name : CLI::detail::split(arguments.optimizers, ',')) {
    if (registry.optimizer(name).owns_steps) {
      fail<UsageError>("[compare] {} has no rate, and its steps take several evaluations each. Hint: thalweg minimize",
                       name);
    }
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
  return names;
}

std::vector<double> rates_of(const CompareArguments& arguments, const Experiment& experiment) {
  std::vector<double> rates = arguments.rates.empty() ? experiment.rates : numbers_in(arguments.rates, "--rates");
  for (const double rate : rates) {
    if (rate <= 0) fail<UsageError>("[compare] rate = {}. Wanted: > 0", rate);
  }
  std::ranges::sort(rates);
  rates.erase(std::unique(rates.begin(), rates.end()), rates.end());
  return rates;
}

Experiment experiment_of(CompareArguments arguments, const Registry& registry) {
  if (!is_configuration(arguments.config.source)) {
    for (const auto& [key, value] : arguments.config.given) {
      const auto* text = value.get_if<std::string>();
      if (key != "schedule.kind" || !text) {
        fail<UsageError>("[compare] {} is set for a problem. Hint: only configurations have it.", key);
      }
      arguments.walk.schedule = *text;
    }
    arguments.walk.target.function = arguments.config.source;
    arguments.walk.sets = arguments.config.sets;
    if (arguments.seeds > 0) arguments.walk.seeds = arguments.seeds;
    return walk_experiment(arguments.walk, registry);
  }
  for (const auto& [key, value] : arguments.config.given) {
    if (key != "optimizer.kind" && key != "optimizer.lr") continue;
    fail<UsageError>(
        "[compare] {} cannot be set, because it is compared. Hint: --optimizers a,b,c and --rates 0.001,0.01", key);
  }
  return training_experiment(arguments.config, arguments.seeds > 0 ? arguments.seeds : 3, registry);
}

std::vector<Trial> run_all(const Experiment& experiment, const std::vector<std::string>& methods,
                           const std::vector<double>& rates, const Context& context) {
  const bool live = progress_style(context.quiet, context.json) == ProgressStyle::live;
  const std::size_t count = methods.size() * rates.size() * static_cast<std::size_t>(experiment.seeds);
  std::vector<Trial> trials;
  for (const std::string& method : methods) {
    for (const double lr : rates) {
      for (std::int64_t seed = 0; seed < experiment.seeds; ++seed) {
        if (live) say("\r\x1b[K{} of {} runs: {}, lr {}", trials.size() + 1, count, method, number_text(lr));
        trials.push_back({method, lr, seed, experiment.run(method, lr, seed)});
      }
    }
  }
  if (live) say("\r\x1b[K");
  return trials;
}

/// Turns values of a function into differences from its minimum, or from the lowest value found if that is unknown.
double subtract_minimum(Experiment& experiment, std::vector<Trial>& trials) {
  double minimum = INFINITY;
  for (const Trial& trial : trials) minimum = std::min(minimum, trial.result);
  minimum = experiment.minimum.value_or(minimum);
  if (!std::isfinite(minimum)) return 0;
  for (Trial& trial : trials) trial.result -= minimum;
  experiment.start -= minimum;
  return minimum;
}

std::string result_text(double value) { return std::isfinite(value) ? fmt::format("{:.3g}", value) : "diverged"; }

/// The text that says which rates count for the width; it is the first part of a sentence.
std::string width_text(const AboutAsGood& rule) {
  if (!rule.nothing) return fmt::format("whose median is at most {} times its median; ", number_text(rule.factor));
  if (std::isnan(*rule.nothing)) return "that are about as good, not known for losses below 0;\n";
  return fmt::format("whose median is at least 1/{} as far below the best constant's, {};\n", number_text(rule.factor),
                     number_text(*rule.nothing, 4));
}

void print_table(const Experiment& experiment, const std::vector<MethodResult>& results,
                 const std::vector<double>& rates, const AboutAsGood& rule) {
  emit("{}, {} from {} to {}\n{}; median and quartiles over the seeds at the best rate\n\n", experiment.title,
       counted(std::ssize(rates), "rates"), number_text(rates.front()), number_text(rates.back()), experiment.measure);
  emit("{:<20} {:>9} {:>10}   {:<22} {:>7} {:>12}\n", "method", "best lr", "median", "quartiles", "width", "stable to");
  for (const MethodResult& r : results) {
    emit("{:<20} {:>9} {:>10}   {:<22} {:>7} {:>12}\n", r.method, number_text(r.best.lr), result_text(r.best.median),
         fmt::format("{} to {}", result_text(r.best.lower), result_text(r.best.upper)),
         std::isnan(r.width) ? "-" : fmt::format("{:.1f}", r.width), r.stable > 0 ? number_text(r.stable) : "none");
  }
  emit(
      "\nwidth: decades of rates around the best {}stable to: the largest rate\n"
      "up to which no run diverged, that is, {}\n",
      width_text(rule), experiment.walk ? "ended above its start" : "had a loss that is not finite");
  for (const MethodResult& r : results) {
    const bool low = r.best.lr == rates.front(), high = r.best.lr == rates.back();
    if ((low || high) && rates.size() > 1 && std::isfinite(r.best.median)) {
      emit("the best rate of {} is the {} that was tried: a rate beyond it may be better\n", r.method,
           low ? "smallest" : "largest");
    }
  }
}

nlohmann::ordered_json json_of(const RateResult& rate) {
  return {{"lr", rate.lr},
          {"median", rate.median},
          {"lower_quartile", rate.lower},
          {"upper_quartile", rate.upper},
          {"diverged", rate.diverged}};
}

void emit_json(const CompareArguments& arguments, const Experiment& experiment,
               const std::vector<MethodResult>& results, const std::vector<double>& rates, const AboutAsGood& rule,
               double minimum) {
  nlohmann::ordered_json json{{"target", arguments.config.source}, {"measure", experiment.measure},
                              {"seeds", experiment.seeds},         {"rates", rates},
                              {"factor", arguments.factor},        {"methods", nlohmann::ordered_json::array()}};
  if (experiment.walk) json["minimum"] = minimum;
  if (rule.nothing) json["constant"] = *rule.nothing;
  for (const MethodResult& r : results) {
    nlohmann::ordered_json method{{"optimizer", r.method},
                                  {"best", json_of(r.best)},
                                  {"width_decades", r.width},
                                  {"stable_to", r.stable},
                                  {"rates", nlohmann::ordered_json::array()}};
    for (const RateResult& rate : r.rates) method["rates"].push_back(json_of(rate));
    json["methods"].push_back(std::move(method));
  }
  emit_line_of(json);
}

/// The medians of a method over the rates, with the quartiles as a band. Results above the start are left out, and
/// those below the floor are drawn at the floor, because methods differ in the range between.
Series curve_of(const MethodResult& result, double floor, double ceiling) {
  Series series{result.method, {}, {}};
  const auto drawn = [&](double value) { return value > ceiling ? NAN : std::max(value, floor); };
  for (const RateResult& rate : result.rates) {
    series.x.push_back(rate.lr);
    series.y.push_back(drawn(rate.median));
    series.low.push_back(drawn(rate.lower));
    series.high.push_back(std::isfinite(rate.upper) ? std::clamp(rate.upper, floor, ceiling) : ceiling);
  }
  return series;
}

std::string picture(const CompareArguments& arguments, const Experiment& experiment,
                    const std::vector<MethodResult>& results) {
  double lowest = INFINITY;
  for (const MethodResult& r : results) lowest = std::min(lowest, r.best.median);
  const double ceiling = experiment.start > 0 ? 3 * experiment.start : std::abs(lowest) * 100;
  const double floor = experiment.walk ? 1e-16 * experiment.start : -INFINITY;
  std::vector<Series> curves;
  for (const MethodResult& r : results) curves.push_back(curve_of(r, floor, ceiling));
  const PlotOptions plot{.title = arguments.config.source,
                         .x_label = "lr",
                         .y_label = experiment.measure,
                         .log_x = true,
                         .log_y = lowest > 0 || experiment.walk};
  return line_plot_svg(plot, curves, 760, 440);
}

int run(const CompareArguments& arguments, const Context& context) {
  const std::vector<std::string> methods = methods_of(arguments, context.registry);
  Experiment experiment = experiment_of(arguments, context.registry);
  const std::vector<double> rates = rates_of(arguments, experiment);
  std::vector<Trial> trials = run_all(experiment, methods, rates, context);
  const double minimum = experiment.walk ? subtract_minimum(experiment, trials) : 0;
  // the minimum counts as reached within 1e-8 of its distance from the start
  const double floor = experiment.walk ? 1e-8 * experiment.start : 0;
  AboutAsGood rule{.factor = arguments.factor, .floor = floor};
  if (experiment.nothing && std::ranges::any_of(trials, [](const Trial& trial) { return trial.result < 0; }))
    rule.nothing = experiment.nothing();
  const std::vector<MethodResult> results = compare_methods(trials, rule);
  if (!arguments.svg.empty()) {
    write_output(arguments.svg, picture(arguments, experiment, results));
    if (!context.quiet) say("the drawing is in {}\n", arguments.svg);
  }
  if (arguments.csv) {
    emit("method,lr,seed,result\n");
    for (const Trial& trial : trials) emit("{},{},{},{}\n", trial.method, trial.lr, trial.seed, trial.result);
  } else if (context.json) {
    emit_json(arguments, experiment, results, rates, rule, minimum);
  } else {
    print_table(experiment, results, rates, rule);
  }
  if (std::isfinite(results.front().best.median)) return 0;
  fail<NumericError>("[compare] every method diverged at every rate. Hint: smaller --rates");
}

/// CLI::Range accepts NaN, which is neither below nor above a bound.
CLI::Validator number_in(double low, double high) {
  return CLI::Validator(
      [low, high](const std::string& text) {
        const auto number = parse_number(text);
        const bool fits = number && *number >= low && *number <= high;
        return fits ? std::string() : fmt::format("{}. Wanted: a number in [{}, {}]", shown(text), low, high);
      },
      "");
}

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<CompareArguments>();
  command.footer(
      "Examples:\n  thalweg compare rosenbrock --optimizers adam,sgd,lion --svg rosenbrock.svg\n"
      "  thalweg compare \"x^2 + 10*y^2\" --optimizers all --rates 0.001,0.01,0.1\n"
      "  thalweg compare houses.toml --optimizers sgd,adamw --epochs 20 --seeds 5\n\n"
      "All runs have the same number of evaluations. On a problem, seed 0 starts at x0, the others at x0 plus "
      "--spread\n"
      "times max(1, |x0|) times normal numbers. For a configuration, the split of the data stays the same, and the "
      "seed decides\n"
      "the initial parameters and the order of rows; early stopping is off, and no run leaves a folder.");
  add_config_arguments(command, arguments->config);
  CLI::Option* source = command.get_option("source");
  source->description("A problem, a formula, a configuration (.toml), a table (.csv), or a run folder");
  source->type_name("TARGET");
  command.add_option("--optimizers", arguments->optimizers, "Methods: a,b,c, or all (sgd,adagrad,rmsprop,adam,lion)")
      ->type_name("NAMES");
  command
      .add_option("--rates", arguments->rates,
                  "Learning rates to try: 0.001,0.01 (1e-5 ... 10 on a problem, 1e-5 ... 1)")
      ->type_name("NUMBERS");
  command
      .add_option("--seeds", arguments->seeds, "Runs of each method and rate (5 on a problem, 3 of a configuration)")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000).description(""));
  command
      .add_option(
          "--factor", arguments->factor,
          "What counts as about as good as the best rate (2 times its result; for losses below 0, half of what it "
          "gained over the best constant)")
      ->type_name("NUMBER")
      ->check(number_in(1, 1e9));
  command.add_flag("--csv", arguments->csv, "Every run, as CSV: method, lr, seed, result");
  command.add_option("--svg", arguments->svg, "Draw results against rates")->type_name("FILE");
  add_start_arguments(command, arguments->walk.target);
  command.add_option("--steps", arguments->walk.steps, "Steps of each run (1000)")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000'000).description(""))
      ->group("Problems");
  command.add_option("--spread", arguments->walk.spread, "Spread of the starts around x0 (0.1)")
      ->type_name("NUMBER")
      ->check(number_in(0, 1e9))
      ->group("Problems");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> compare_commands() {
  return {{"compare", "Several methods on one problem or configuration", CommandGroup::methods, set_up}};
}

}  // namespace thalweg::cli
