#include "cli/curvature.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/end_of_run.hpp"
#include "cli/opened_run.hpp"
#include "cli/output.hpp"
#include "cli/work_progress.hpp"
#include "core/error.hpp"
#include "insight/noise.hpp"
#include "insight/point.hpp"
#include "plot/plot.hpp"
#include "store/atomic_file.hpp"

namespace thalweg::cli {

namespace {

struct Curvature {
  std::int64_t rows = 0;
  double loss = 0, gradient_norm = 0;
  Extremes extremes;
  Point point;
  Estimate trace;
  std::optional<GradientNoise> noise = {};
  std::optional<Density> density = {};
};

Curvature measure(const OpenedRun& run, const Surface& surface, const std::vector<double>& point,
                  const CurvatureArguments& arguments, const Context& context) {
  Curvature found;
  std::vector<double> gradient(point.size());
  found.loss = surface.gradient(point, gradient);
  for (const double g : gradient) found.gradient_norm += g * g;
  found.gradient_norm = std::sqrt(found.gradient_norm);
  if (!std::isfinite(found.loss))
    fail<NumericError>("[curvature] the loss of the run's parameters is {}: it has no curvature.", found.loss);
  const SymmetricMatrix hessian = surface.hessian_at(point);
  WorkProgress ends(context, "both ends of the spectrum", "products");
  found.extremes = extreme_eigenvalues(hessian, {.steps = arguments.steps, .progress = std::ref(ends)});
  ends.finish();
  PointOptions options = point_options(run.history, run.optimizer.name);
  options.extremes = &found.extremes;
  found.point = kind_of_point(surface, point, options);
  WorkProgress trace(context, "the trace", "products");
  found.trace = estimate_diagonal(hessian, {.probes = arguments.probes, .progress = std::ref(trace)}).trace;
  trace.finish();
  if (!arguments.density) return found;
  WorkProgress density(context, "the density", "products");
  found.density = eigenvalue_density(hessian, {.progress = std::ref(density)});
  density.finish();
  return found;
}

/// A value with its error: "12.34 +- 0.02".
std::string with_error(double value, double error) {
  return fmt::format("{} +- {}", number_text(value, 5), number_text(error, 2));
}

/// The largest rate that does not diverge along the eigenvector of the largest eigenvalue, on a quadratic function: 2
/// (1 + momentum) / largest (Polyak 1964).
std::string stability_text(const OpenedRun& run, double largest) {
  const OptionMap& options = run.optimizer.options;
  const auto number = [&](const char* key) {
    const auto found = options.find(key);
    const double* value = found == options.end() ? nullptr : found->second.get_if<double>();
    return value ? *value : 0.0;
  };
  const auto nesterov = options.find("nesterov");
  const bool looks_ahead =
      nesterov != options.end() && nesterov->second.get_if<bool>() && *nesterov->second.get_if<bool>();
  const std::string rate = fmt::format("the run's last rate was {}", number_text(run.last_lr(), 4));
  if (run.optimizer.name != "sgd") {
    return fmt::format("{}, with {}; this bound holds for plain descent only", rate, run.optimizer.name);
  }
  const double momentum = number("momentum");
  if (momentum == 0) return fmt::format("above it, plain descent diverges along the sharpest direction; {}", rate);
  const double bound = 2 * (1 + momentum) / (looks_ahead ? 1 + 2 * momentum : 1) / largest;
  return fmt::format("with momentum {}{} the bound is {}; {}", number_text(momentum), looks_ahead ? " (Nesterov)" : "",
                     number_text(bound, 4), rate);
}

PlotOptions density_plot(const OpenedRun& run) {
  return {.title = fmt::format("Eigenvalues of the Hessian, {}", run.folder.filename().string()),
          .x_label = "eigenvalue",
          .y_label = "density",
          .log_y = true};
}

/// The density on a grid, with a band of two standard errors. Each eigenvalue is smoothed by 1 % of the whole range.
Series density_series(const Density& density) {
  const double low = density.lowest(), high = density.highest(), deviation = std::max(0.01 * (high - low), 1e-300);
  constexpr int points = 240;
  constexpr double least = 1e-6;  // relative to the highest value; lower values are not drawn
  Series series{.name = "density", .x = {}, .y = {}};
  double highest = 0;
  std::vector<Estimate> values;
  for (int i = 0; i < points; ++i) {
    series.x.push_back(low - 3 * deviation + (high - low + 6 * deviation) * i / (points - 1));
    values.push_back(density.at(series.x.back(), deviation));
    highest = std::max(highest, values.back().value);
  }
  for (const Estimate& e : values) {
    series.y.push_back(std::max(e.value, least * highest));
    series.low.push_back(std::max(e.value - 2 * e.error, least * highest));
    series.high.push_back(std::max(e.value + 2 * e.error, least * highest));
  }
  return series;
}

constexpr double near_zero = 1e-3;  // relative to the largest

void print_density(const OpenedRun& run, const Density& density, double largest, const CurvatureArguments& arguments) {
  const Series series = density_series(density);
  emit("\n{}\n", line_plot_text(density_plot(run), {&series, 1}, 72, 14));
  const double near = near_zero * largest;
  const Estimate negative = density.below(-near, 1e-300), not_positive = density.below(near, 1e-300);
  emit(
      "{:<12}{} of the eigenvalues are below -{}, {} above {}, the rest near 0 (stochastic Lanczos quadrature, {} "
      "probes)\n",
      "density", with_error(negative.value, negative.error), number_text(near, 2),
      with_error(1 - not_positive.value, not_positive.error), number_text(near, 2), density.probes().size());
  if (!arguments.svg.empty()) write_output(arguments.svg, line_plot_svg(density_plot(run), {&series, 1}));
}

void print_noise(const GradientNoise& noise) {
  if (!(noise.signal > 0) || noise.scale.error > noise.scale.value) {
    emit("{:<12}the gradients of {} batches of {} rows are too noisy to measure its scale; more --rows may help\n",
         "noise", noise.batches, noise.batch_size);
    return;
  }
  emit(
      "{:<12}scale {} rows, the batch size that it suggests ({} batches of {}): smaller batches are mostly noise, much "
      "larger ones gain almost "
      "nothing; a batch has a signal of {} of its noise\n",
      "noise", with_error(noise.scale.value, noise.scale.error), noise.batches, noise.batch_size,
      number_text(noise.signal_to_noise(), 3));
}

void print(const OpenedRun& run, const Curvature& found, const CurvatureArguments& arguments) {
  const auto parameters = run.state.layout->trained_size;
  const auto& [largest, smallest, products, converged] = found.extremes;
  emit("curvature of the training loss of {}: {} {} of {}, {}, dropout off, running statistics, no weight decay\n\n",
       run.folder.string(), with_commas(found.rows), rows_name(run.session.parts.preprocessing),
       with_commas(run.session.parts.train.rows()), arguments.dtype);
  emit("{:<12}{}, gradient's norm {}, {} parameters\n", "loss", number_text(found.loss, 5),
       number_text(found.gradient_norm, 4), with_commas(parameters));
  emit("{:<12}{}, the largest eigenvalue of the Hessian\n", "largest", with_error(largest.value, largest.error));
  emit("{:<12}{}, the smallest (Lanczos, {} products{})\n", "smallest", with_error(smallest.value, smallest.error),
       products, converged ? "" : ": not converged; --steps takes more");
  if (largest.value > 0)
    emit("{:<12}{}: {}\n", "2 / largest", number_text(2 / largest.value, 4), stability_text(run, largest.value));
  emit("{:<12}{} (Hutchinson, {} probes); the mean eigenvalue is {}\n", "trace",
       with_error(found.trace.value, found.trace.error), arguments.probes,
       number_text(found.trace.value / static_cast<double>(parameters), 3));
  emit("{:<12}{}\n", "point", found.point.sentence);
  for (const Evidence& e : found.point.evidence) {
    if (e.name == "probe_gain" || e.name == "leaving_gain" || e.name == "flatness") emit("{:<12}{}\n", "", e.sentence);
  }
  if (found.noise) print_noise(*found.noise);
  if (found.density) print_density(run, *found.density, found.extremes.radius(), arguments);
}

void print_json(const OpenedRun& run, const Curvature& found) {
  const auto pair = [](double value, double error) {
    return nlohmann::ordered_json{{"value", value}, {"error", error}};
  };
  nlohmann::ordered_json json{{"run", run.folder.string()},
                              {"rows", found.rows},
                              {"loss", found.loss},
                              {"gradient_norm", found.gradient_norm},
                              {"largest", pair(found.extremes.largest.value, found.extremes.largest.error)},
                              {"smallest", pair(found.extremes.smallest.value, found.extremes.smallest.error)},
                              {"converged", found.extremes.converged},
                              {"products", found.extremes.products},
                              {"lr", run.last_lr()},
                              {"trace", pair(found.trace.value, found.trace.error)},
                              {"point", {{"kind", name(found.point.kind)}, {"sentence", found.point.sentence}}}};
  if (found.noise) {
    json["noise"] = {{"scale", found.noise->scale.value},
                     {"error", found.noise->scale.error},
                     {"signal_to_noise", found.noise->signal_to_noise()},
                     {"batch_size", found.noise->batch_size}};
  }
  if (found.density) {
    for (const auto& nodes : found.density->probes()) {
      nlohmann::ordered_json probe = nlohmann::ordered_json::array();
      for (const Density::Node& node : nodes) probe.push_back({node.value, node.weight});
      json["density"].push_back(std::move(probe));
    }
  }
  emit_line_of(json);
}

}  // namespace

void add_curvature_arguments(CLI::App& command, CurvatureArguments& arguments) {
  const char* group = "Curvature";
  CLI::Option* wanted =
      command.add_flag("--curvature", arguments.wanted, "Eigenvalues of the Hessian of the loss at the end of the run");
  wanted->group(group);
  command.add_option("--rows", arguments.rows, "Number of training rows for the loss, or all")
      ->type_name("N|all")
      ->needs(wanted)
      ->group(group);
  command.add_option("--steps", arguments.steps, "Maximum number of products for both ends of the spectrum")
      ->check(in_range({.low = 1}))
      ->needs(wanted)
      ->group(group);
  command.add_option("--probes", arguments.probes, "Random vectors for the trace")
      ->check(in_range({.low = 2}))
      ->needs(wanted)
      ->group(group);
  command.add_flag("--density", arguments.density, "Compute the density of the eigenvalues too: 400 products")
      ->needs(wanted)
      ->group(group);
  command.add_option("--svg", arguments.svg, "Draw the density to a file")
      ->type_name("FILE")
      ->needs(wanted)
      ->group(group);
  command.add_option("--dtype", arguments.dtype, "Element type of the products")
      ->check(CLI::IsMember({"f64", "f32"}).description(""))
      ->type_name("f64|f32")
      ->needs(wanted)
      ->group(group);
}

void inspect_curvature(const std::string& folder, const CurvatureArguments& arguments, const Context& context) {
  std::vector<std::string> warnings;
  OpenedRun run = open_run(folder, Parameters::newest, context.registry, warnings);
  for (const std::string& warning : warnings) {
    if (!context.quiet) say("warning: {}\n", warning);
  }
  const Dataset rows = fixed_rows(run.session.parts.train, rows_asked(arguments.rows, "--rows"), run.config.seed);
  Workers workers(run.config.train.threads);
  Products products(run.function(context.registry), workers);
  const State at = state_in(arguments.dtype == "f64" ? f64 : f32, run.state);
  const Surface surface = surface_of(products, at, rows);
  Curvature found = measure(run, surface, point_of(at), arguments, context);
  found.rows = rows.rows();
  const std::int64_t batch = run.config.train.batch_size.of(rows.rows());
  if (rows.rows() / batch >= 3) found.noise = gradient_noise(products, at, rows, batch, 64, run.config.seed);
  context.json ? print_json(run, found) : print(run, found, arguments);
}

}  // namespace thalweg::cli
