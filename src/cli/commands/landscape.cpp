// thalweg landscape: the loss around the end of a run, over the plane of its path, and on the line to another run.

#include <CLI/CLI.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/checks.hpp"
#include "cli/opened_run.hpp"
#include "cli/output.hpp"
#include "cli/work_progress.hpp"
#include "core/error.hpp"
#include "engine/check_state.hpp"
#include "insight/landscape.hpp"
#include "report/landscape.hpp"
#include "store/atomic_file.hpp"
#include "store/checkpoint.hpp"

namespace thalweg::cli {

namespace {

struct LandscapeArguments {
  std::string run, other, out, svg, rows = "10000";
  int points = 41;
  double span = 1;
  std::uint64_t seed = 1;
  int threads = 0;
  bool random_only = false;
};

/// A run, with its loss on training rows and on held-out rows.
class Ground {
 public:
  Ground(const LandscapeArguments& arguments, const Context& context)
      : context_(context),
        run_(open_run(arguments.run, Parameters::newest, context.registry, warnings_)),
        rows_(fixed_rows(run_.session.parts.train, rows_asked(arguments.rows, "--rows"), run_.config.seed)),
        workers_(arguments.threads > 0 ? arguments.threads : run_.config.train.threads),
        products_(run_.function(context.registry), workers_),
        surface_(surface_of(products_, run_.state, rows_)),
        end_(point_of(run_.state)) {
    for (const std::string& warning : warnings_) {
      if (!context.quiet) say("warning: {}\n", warning);
    }
    const auto& parts = run_.session.parts;
    const std::optional<Dataset>& held_out = parts.test ? parts.test : parts.validation;
    held_out_name_ = parts.test ? "test" : "validation";
    if (held_out) held_out_.emplace(fixed_rows(*held_out, rows_asked(arguments.rows, "--rows"), run_.config.seed));
    if (held_out_) held_out_surface_.emplace(surface_of(products_, run_.state, *held_out_));
  }

  [[nodiscard]] const OpenedRun& run() const { return run_; }
  [[nodiscard]] const std::vector<double>& end() const { return end_; }

  /// "The training loss on 10,000 of 54,000 images, without dropout".
  [[nodiscard]] std::string what() const {
    return fmt::format("the training loss on {} of {} {}, without dropout and weight decay", with_commas(rows_.rows()),
                       with_commas(run_.session.parts.train.rows()), rows_name(run_.session.parts.preprocessing));
  }

  [[nodiscard]] std::vector<double> over(std::string name, std::span<const double> first,
                                         std::span<const double> second, std::span<const double> x,
                                         std::span<const double> y) const {
    WorkProgress progress(context_, std::move(name), "points");
    PlaneLoss plane(run_.function(context_.registry), run_.state, first, second, rows_, workers_);
    auto losses = losses_over(plane, x, y, std::ref(progress));
    progress.finish();
    return losses;
  }

  /// The loss along a direction, on training rows and on held-out rows.
  [[nodiscard]] std::vector<Series> along(std::span<const double> direction, const std::vector<double>& places) const {
    std::vector<Series> series = {{"training", places, losses_along(surface_, end_, direction, places)}};
    if (held_out_surface_)
      series.push_back({held_out_name_, places, losses_along(*held_out_surface_, end_, direction, places)});
    return series;
  }

 private:
  const Context& context_;
  std::vector<std::string> warnings_;
  OpenedRun run_;
  Dataset rows_;
  std::optional<Dataset> held_out_;
  std::string held_out_name_;
  mutable Workers workers_;
  mutable Products products_;
  Surface surface_;
  std::optional<Surface> held_out_surface_;
  std::vector<double> end_;
};

ContourField field_of(std::vector<double> values, double x_low, double x_high, double y_low, double y_high,
                      int points) {
  return {x_low, x_high, y_low, y_high, points, points, std::move(values)};
}

double cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) ab += a[i] * b[i], aa += a[i] * a[i], bb += b[i] * b[i];
  return ab / std::sqrt(aa * bb);
}

std::string range_text(const std::vector<double>& losses) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  std::size_t lost = 0;
  for (const double loss : losses) {
    if (std::isfinite(loss)) {
      low = std::min(low, loss), high = std::max(high, loss);
    } else {
      ++lost;
    }
  }
  if (lost == losses.size()) return "to no finite number at any place";
  return fmt::format("from {} to {}{}", number_text(low, 4), number_text(high, 4),
                     lost > 0 ? fmt::format(", and is not finite at {} of {} places", lost, losses.size()) : "");
}

/// Two random directions, and the slices along each.
void add_random(LandscapePage& page, const Ground& ground, const LandscapeArguments& arguments) {
  const std::vector<double> first = filter_normalised_direction(ground.run().state, arguments.seed),
                            second = filter_normalised_direction(ground.run().state, arguments.seed + 1);
  const std::vector<double> places = evenly_spaced(-arguments.span, arguments.span, arguments.points);
  LandscapePlane plane;
  plane.plot.field = field_of(ground.over("the plane of two random directions", first, second, places, places),
                              -arguments.span, arguments.span, -arguments.span, arguments.span, arguments.points);
  plane.plot.options = {.title = "Around the end, along two random directions",
                        .x_label = fmt::format("direction {}", arguments.seed),
                        .y_label = fmt::format("direction {}", arguments.seed + 1)};
  plane.plot.path = {{0, 0}};
  plane.plot.labels = true;
  plane.caption = fmt::format(
      "What it is: {}, around the parameters where the run ended, at (0, 0). Each filter (the weights of a unit) of a "
      "random direction has the norm of that filter of the weights, so that 1 on an axis is a step as long as the "
      "weights themselves, whatever their scale (Li et al. 2018); biases and weights of normalisations are not "
      "changed. The cosine of the two directions is {}. Over the plane the loss goes {}. What does not follow: two "
      "directions of {} show almost nothing of the whole. A bowl here rules out neither a direction that leads down "
      "nor a sharp one, because both are rare among random ones (thalweg inspect --curvature finds them), and a wide "
      "bowl does not prove a small test error. Compare with other runs only at the same span, rows and seed.",
      ground.what(), number_text(cosine(first, second), 2), range_text(plane.plot.field.values),
      with_commas(ground.run().state.layout->trained_size));
  LandscapeSlice slice{.options = {.title = "One slice, on training rows and on held-out rows",
                                   .x_label = plane.plot.options.x_label,
                                   .y_label = "loss"},
                       .series = ground.along(first, places),
                       .caption =
                           "The same first direction as above, through the end of the run at 0. If the two curves "
                           "have their lowest points at different places, the parameters are not the best for rows "
                           "that were not trained on, along this one direction; other directions may differ."};
  slice.options.log_y = wants_log(slice.series);
  page.planes.push_back(std::move(plane));
  page.slices.push_back(std::move(slice));
}

/// The parameters along the path of the run that were saved: the start, the checkpoints, the end.
std::vector<std::vector<double>> path_of(const OpenedRun& run) {
  std::vector<std::string> warnings;
  std::vector<std::vector<double>> points = {point_of(run.start)};
  for (const Checkpoint& checkpoint :
       all_checkpoints(run.folder / "checkpoints", run.start, run.config.fingerprint(), warnings)) {
    points.push_back(point_of(checkpoint.state));
  }
  if (points.back() != point_of(run.state)) points.push_back(point_of(run.state));
  return points;
}

/// The lowest and the highest value, with a margin on both sides.
std::pair<double, double> reach(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  const double margin = 0.25 * std::max(high - low, 1e-12);
  return {low - margin, high + margin};
}

void add_path(LandscapePage& page, const Ground& ground, const LandscapeArguments& arguments, const Context& context) {
  const std::vector<std::vector<double>> points = path_of(ground.run());
  if (points.size() < 3) {
    if (!context.quiet) say("no plane of the path: only {} of its points were saved\n", points.size());
    return;
  }
  const PathPlane path = plane_of_path(points);
  const auto [x_low, x_high] = reach(path.along);
  const auto [y_low, y_high] = reach(path.across);
  LandscapePlane plane;
  plane.plot.field = field_of(
      ground.over("the plane of the path", path.first, path.second, evenly_spaced(x_low, x_high, arguments.points),
                  evenly_spaced(y_low, y_high, arguments.points)),
      x_low, x_high, y_low, y_high, arguments.points);
  const auto percent = [](double part) { return percent_text(part); };
  plane.plot.options = {.title = "The path of the training",
                        .x_label = fmt::format("first component, {} of the variance", percent(path.first_part)),
                        .y_label = fmt::format("second component, {}", percent(path.second_part))};
  for (std::size_t i = 0; i < points.size(); ++i) plane.plot.path.push_back({path.along[i], path.across[i]});
  plane.plot.labels = true;
  plane.caption = fmt::format(
      "What it is: {}, over the plane of the first two principal components of {} points of the path (its start, the "
      "checkpoints that were kept, its end at (0, 0)); the axes are distances in the space of the parameters, without "
      "any normalisation. The path is its projection onto the plane: only its last point is certain to lie in the "
      "plane, and the loss at the other points is not the one drawn at their projections. What does not follow: the "
      "path of any descent in many dimensions has most of its variance in two components, even that of a random walk "
      "(Antognini and Sohl-Dickstein 2018), so a smooth bend shows nothing about the run.{}",
      ground.what(), points.size(),
      points.size() < 6 ? " For more points of the path train with train.keep_checkpoints = 100." : "");
  page.planes.push_back(std::move(plane));
}

struct Between {
  Barrier barrier;
  double distance = 0, from = 0, to = 0;
};

std::optional<Between> add_line(LandscapePage& page, const Ground& ground, const LandscapeArguments& arguments,
                                const Context& context) {
  if (arguments.other.empty()) return std::nullopt;
  std::vector<std::string> warnings;
  const OpenedRun other = open_run(arguments.other, Parameters::newest, context.registry, warnings);
  if (!same_places(*other.state.layout, *ground.run().state.layout))
    fail<UsageError>("[landscape] {} and {} have different parameters, so there is no line between them.",
                     arguments.run, arguments.other);
  std::vector<double> direction = point_of(other.state);
  for (std::size_t i = 0; i < direction.size(); ++i) direction[i] -= ground.end()[i];
  Between between;
  for (const double d : direction) between.distance += d * d;
  between.distance = std::sqrt(between.distance);
  const std::vector<double> places = evenly_spaced(-0.25, 1.25, 6 * std::max(1, arguments.points / 6) + 1);
  LandscapeSlice slice{.options = {.title = fmt::format("The line to {}", other.folder.filename().string()),
                                   .x_label = "0: this run, 1: the other",
                                   .y_label = "loss",
                                   .marks = {{0, "this run"}, {1, "the other"}}},
                       .series = ground.along(direction, places),
                       .caption = {}};
  between.barrier = barrier_of(places, slice.series.front().y);
  const std::vector<double>& losses = slice.series.front().y;
  between.from = losses[losses.size() / 6];  // one sixth of the way is place 0, five sixths is place 1
  between.to = losses[5 * (losses.size() / 6)];
  slice.caption = fmt::format(
      "What it is: {}, at the parameters between the ends of the two runs, which are {} apart; statistics of batch "
      "normalisation are those of this run. The loss is {} at one end and {} at the other, and lies at most {} above "
      "the straight line between the two, at {}. What does not follow: a barrier on the straight line does not "
      "exclude a curved path around it (most minima of wide networks are connected by such paths), and two networks "
      "that compute the same with their units in another order have a barrier between them too.",
      ground.what(), number_text(between.distance, 3), number_text(between.from, 4), number_text(between.to, 4),
      number_text(between.barrier.height, 3), number_text(between.barrier.place, 2));
  slice.options.log_y = wants_log(slice.series);
  page.slices.push_back(std::move(slice));
  return between;
}

void write_svg(const LandscapePage& page, const std::string& path) {
  write_output(path, page.planes.empty() ? line_plot_svg(page.slices.back().options, page.slices.back().series)
                                         : contour_plot_svg(page.planes.back().plot));
}

int run(const LandscapeArguments& arguments, const Context& context) {
  const Ground ground(arguments, context);
  const std::string name = ground.run().folder.filename().string();
  LandscapePage page{.title = "The landscape of " + name,
                     .subtitle = describe(ground.run().config, ground.run().session),
                     .planes = {},
                     .slices = {}};
  add_random(page, ground, arguments);
  if (!arguments.random_only) add_path(page, ground, arguments, context);
  const std::optional<Between> between = add_line(page, ground, arguments, context);
  std::filesystem::path out = arguments.out;
  if (out.empty()) out = ground.run().folder / "landscape.html";
  write_atomically(out, landscape_html(page));
  if (!arguments.svg.empty()) write_svg(page, arguments.svg);
  if (context.json) {
    nlohmann::ordered_json json{{"run", arguments.run}, {"page", out.string()}};
    for (const LandscapePlane& plane : page.planes) {
      const ContourField& field = plane.plot.field;
      json["planes"].push_back({{"title", plane.plot.options.title},
                                {"x", {field.x_low, field.x_high}},
                                {"y", {field.y_low, field.y_high}},
                                {"points", field.columns},
                                {"losses", field.values}});
    }
    if (between)
      json["barrier"] = {
          {"height", between->barrier.height}, {"at", between->barrier.place}, {"distance", between->distance}};
    emit_line_of(json);
    return 0;
  }
  for (const LandscapePlane& plane : page.planes)
    emit("{:<12}{}: the loss goes {}\n", "plane", plane.plot.options.title, range_text(plane.plot.field.values));
  if (between) {
    emit("{:<12}the loss is {} here and {} there, {} apart; at most {} above the line between them, at {}\n", "line",
         number_text(between->from, 4), number_text(between->to, 4), number_text(between->distance, 3),
         number_text(between->barrier.height, 3), number_text(between->barrier.place, 2));
  }
  emit("{:<12}{}\n", "page", shown(out.string()));
  return 0;
}

constexpr const char* examples = R"(Examples:
  thalweg landscape runs/fashion                       two planes and a slice, in runs/fashion/landscape.html
  thalweg landscape runs/a --with runs/b               and the line between the ends of two runs
  thalweg landscape runs/fashion --points 81 --span 0.5 --rows all)";

void set_up(CLI::App& command, Context& context) {
  auto arguments = std::make_shared<LandscapeArguments>();
  command.footer(examples);
  command.add_option("run", arguments->run, "Run folder")->required()->type_name("RUN");
  command.add_option("--with", arguments->other, "Another run of the same model: the line between the two")
      ->type_name("RUN");
  command.add_option("--points", arguments->points, "Points along each axis")->check(CLI::Range(5, 401));
  command.add_option("--span", arguments->span, "How far the random directions reach; 1 is as long as the weights")
      ->check(in_range({.low = 1e-6}));
  command.add_option("--rows", arguments->rows, "Number of rows for the loss, or all")->type_name("N|all");
  command.add_option("--seed", arguments->seed, "Seed of the random directions")->check(in_range(not_negative));
  command.add_option("--threads", arguments->threads, "Threads (those of the run's configuration)")
      ->check(CLI::Range(1, 1024));
  command.add_flag("--random-only", arguments->random_only, "Leave out the plane of the path");
  command.add_option("--out", arguments->out, "The page (RUN/landscape.html)")->type_name("FILE");
  command.add_option("--svg", arguments->svg, "The last plane as a picture")->type_name("FILE");
  set_run(command, context, [arguments, &context] { return run(*arguments, context); });
}

}  // namespace

std::vector<CommandRow> landscape_commands() {
  return {{"landscape", "The loss around the end of a run, along its path, and between two runs", CommandGroup::models,
           set_up}};
}

}  // namespace thalweg::cli
