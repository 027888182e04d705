#include "cli/study.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include "cli/comparison.hpp"
#include "cli/method.hpp"
#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/numbers.hpp"
#include "core/random.hpp"
#include "engine/engine.hpp"
#include "insight/surface.hpp"
#include "options/nearest_name.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/problem.hpp"

namespace thalweg::cli {

namespace {

constexpr double diverged = std::numeric_limits<double>::infinity();
constexpr std::int64_t most_starts = 1000;  // of one function: each start has its own seed

// ---------------------------------------------------------------- walks on a problem

/// The result of one walk: the distance of its end from the point `to`. Without `to`, its value above the minimum;
/// without a minimum, its value.
double walk(const Problem& problem, const Optimizer& method, const Tensor& x0, const MinimizeOptions& options,
            const std::vector<double>& to) {
  const MinimizeResult result = minimize(problem.function, x0, method, options);
  const double start = problem.function(x0).item();
  if (!std::isfinite(result.value)) return diverged;
  if (!to.empty()) {
    double squares = 0;
    for (std::int64_t i = 0; i < result.x.size(); ++i) {
      const double distance = result.x.at(i) - to[static_cast<std::size_t>(i)];
      squares += distance * distance;
    }
    return std::sqrt(squares);
  }
  return result.value > start ? diverged : result.value - problem.minimum.value_or(0);
}

/// x0 with normal noise on every coordinate that is not 0; coordinates that are 0 stay 0.
Tensor start_near(const std::vector<double>& x0, std::uint64_t seed, double spread) {
  Tensor x = Tensor::from(x0, {static_cast<std::int64_t>(x0.size())});
  const RandomKey key = RandomKey{seed}.fold("study");
  for (std::int64_t i = 0; i < x.size(); ++i)
    x.set(i, x.at(i) * (1 + spread * random_gauss(key, static_cast<std::uint64_t>(i))));
  return x;
}

struct WalkOptions {
  std::string problem = "rosenbrock", optimizer = "sgd";
  OptionMap problem_options, set;
  std::int64_t dim = 2, steps = 500;
  std::vector<double> x0, to;
  double spread = 0.1, lr = 0;
};

Fields fields(WalkOptions& o) {
  return {{"problem", &o.problem, "a row of `thalweg list problems`"},
          {"problem_options", &o.problem_options, "its options"},
          {"dim", &o.dim, "its dimensions", {.low = 1, .high = 1e6}},
          {"x0", &o.x0, "where walks start; by default where the problem says"},
          {"to", &o.to, "the result is the distance from there"},
          {"steps", &o.steps, "steps of a walk", {.low = 1, .high = 1e8}},
          {"spread", &o.spread, "spread of the starts around x0, relative to x0", not_negative},
          {"lr", &o.lr, "the rate; 0 takes the best rate of a grid", not_negative},
          {"optimizer", &o.optimizer, "a row of `thalweg list optimizers`"},
          {"set", &o.set, "its options"}};
}

void run_walks(const Study& study, StudyArm& arm, const WalkOptions& options, const Context& context) {
  const Problem problem = problem_named(options.problem).make(options.problem_options, options.dim);
  const std::vector<double>& x0 = options.x0.empty() ? problem.start : options.x0;
  if (!options.to.empty() && options.to.size() != x0.size())
    fail<UsageError>("[study] {}: to has {} numbers. Wanted: {}", study.name, options.to.size(), x0.size());
  const Settings settings{.optimizer = options.set, .schedule = {}, .problem = {}};
  const auto result = [&](double lr, std::uint64_t seed) {
    const Optimizer method = make_method(context.registry, options.optimizer, settings, lr);
    return walk(problem, method, start_near(x0, seed, options.spread),
                {.max_steps = options.steps, .gradient_norm = 0, .seed = seed}, options.to);
  };
  double lr = options.lr;
  if (lr == 0) {  // all arms try the same rates, from other starts than those of the results
    const std::vector<double> rates = rate_grid(-5, 1, 3);
    double best = diverged;
    lr = rates.front();
    for (const double rate : rates) {
      std::vector<double> tried;
      for (std::uint64_t seed = 1001; seed <= 1005; ++seed) tried.push_back(result(rate, seed));
      const double median = quantile(tried, 0.5);
      if (median < best) best = median, lr = rate;
    }
    arm.note = fmt::format("lr {}, the best of {}", number_text(lr, 3), rates.size());
  } else {
    arm.note = fmt::format("lr {}", number_text(lr, 3));
  }
  for (std::int64_t seed = 1; seed <= study.repeats; ++seed)
    arm.results.push_back(result(lr, static_cast<std::uint64_t>(seed)));
}

// ---------------------------------------------------------------- stationary points of random functions

/// A sum of cosines with random directions and phases: almost a stationary Gaussian random function.
Function random_function(std::int64_t dim, std::uint64_t seed, std::int64_t waves) {
  const Tensor directions = random_normal({dim, waves}, seed, f64),
               phases = random_uniform({waves}, 0, 6.283185307179586, seed + 1, f64);
  return Function([=](Var x) {
    const Var inner = reshape(matmul(reshape(x, {1, dim}), constant(directions)), {waves});
    return sum(cos(inner + constant(phases))) / std::sqrt(static_cast<double>(waves));
  });
}

/// The number of negative eigenvalues at the stationary point that Newton's method finds; empty if it finds none.
std::optional<std::int64_t> index_near(const Surface& surface, std::vector<double> x) {
  const auto n = static_cast<Eigen::Index>(x.size());
  std::vector<double> gradient(x.size()), unit(x.size()), column(x.size());
  Eigen::MatrixXd hessian(n, n);
  for (int step = 0; step < 60; ++step) {
    surface.gradient(x, gradient);
    for (Eigen::Index i = 0; i < n; ++i) {
      std::ranges::fill(unit, 0);
      unit[static_cast<std::size_t>(i)] = 1;
      surface.hessian_times(x, unit, column);
      hessian.col(i) = Eigen::Map<Eigen::VectorXd>(column.data(), n);
    }
    const Eigen::Map<Eigen::VectorXd> g(gradient.data(), n);
    if (g.norm() < 1e-10) {
      const Eigen::VectorXd values = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(hessian).eigenvalues();
      return (values.array() < 0).count();
    }
    Eigen::VectorXd move = hessian.fullPivLu().solve(g);
    if (move.norm() > 1) move *= 1 / move.norm();
    for (Eigen::Index i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] -= move(i);
  }
  return std::nullopt;
}

struct StationaryOptions {
  std::int64_t dim = 2, starts = 60;
};

Fields fields(StationaryOptions& o) {
  return {{"dim", &o.dim, "dimensions of the random functions", {.low = 1, .high = 1000}},
          {"starts", &o.starts, "starts of Newton's method on each function", {.low = 1, .high = most_starts}}};
}

/// Each result is the fraction of minima among the stationary points of one random function.
void run_stationary_points(const Study& study, StudyArm& arm, const StationaryOptions& options, const Context&) {
  const auto [dim, starts] = options;
  std::int64_t all = 0;
  for (std::int64_t repeat = 1; repeat <= study.repeats; ++repeat) {
    const Function f = random_function(dim, static_cast<std::uint64_t>(2 * repeat), 40);
    const Surface surface = surface_of(f, {dim});
    std::int64_t found = 0, minima = 0;
    for (std::int64_t i = 0; i < starts; ++i) {
      const Tensor start = random_uniform({dim}, -10, 10, static_cast<std::uint64_t>(most_starts * repeat + i), f64);
      std::vector<double> x;
      for (std::int64_t k = 0; k < dim; ++k) x.push_back(start.at(k));
      if (const auto index = index_near(surface, x)) ++found, minima += *index == 0;
    }
    if (found == 0)
      fail<NumericError>("[study] {}: of {} starts none led to a stationary point. Hint: more starts.", arm.name,
                         starts);
    all += found;
    arm.results.push_back(static_cast<double>(minima) / static_cast<double>(found));
  }
  arm.note = fmt::format("{} stationary points", all);
}

// ---------------------------------------------------------------- the cost of a gradient

struct CostOptions {
  std::string by = "reverse";
  std::int64_t inputs = 64;
};

Fields fields(CostOptions& o) {
  return {{.name = "by",
           .place = &o.by,
           .doc = "reverse: derived by the engine; differences: one loss more than there are parameters",
           .choices = {"reverse", "differences"}},
          {"inputs", &o.inputs, "inputs of the network", {.low = 1, .high = 1e5}}};
}

/// Each result, for one width of the network: the floating-point operations of a gradient divided by those of the loss.
void run_gradient_cost(const Study& study, StudyArm& arm, const CostOptions& options, const Context&) {
  std::int64_t first = 0, last = 0;
  for (std::int64_t repeat = 0; repeat < study.repeats; ++repeat) {
    const std::int64_t width = std::int64_t{4} << repeat;
    Dataset rows;
    rows.set("input", random_normal({32, options.inputs}, 1));
    rows.set("target", zeros({32}, i32));
    const EvaluationFunction function = evaluation_of(nn::mlp(10, {.hidden = {width, width}}), loss::cross_entropy);
    const State state = Engine(function, optim::sgd({.lr = 1}), 1).init(rows, 1, f32);
    Workers workers(1);
    Products products(function, workers);
    last = state.layout->trained_size;
    if (repeat == 0) first = last;
    arm.results.push_back(options.by == "differences" ? static_cast<double>(last + 1)
                                                      : products.operations_a_row(state, rows, Product::gradient) /
                                                            products.operations_a_row(state, rows));
  }
  arm.note = fmt::format("{} to {} parameters", with_commas(first), with_commas(last));
}

std::string text_at(const ConfigTree& tree, const char* key, bool needed = true) {
  const OptionValue* value = tree.find(key);
  const auto* text = value ? value->get_if<std::string>() : nullptr;
  if (!text && needed) fail<UsageError>("[study] {}: there is no text '{}'", tree.file, key);
  return text ? *text : "";
}

/// A key that is not read is refused: it would describe a comparison that did not take place.
void check_keys(const OptionMap& values, std::vector<std::string> known, const StudyKind& kind,
                const std::string& file) {
  for (const OptionDoc& option : kind.options) known.push_back(option.name);
  for (const auto& [key, value] : values) {
    if (std::ranges::find(known, key) == known.end())
      fail<UsageError>("[study] {}: {} is not a key of a study of kind {}: {}", file, shown(key), kind.name,
                       name_hint(key, known));
  }
}

}  // namespace

const std::vector<StudyKind>& study_kinds() {
  static const std::vector<StudyKind> kinds = {
      study_kind(
          {"walk", "an optimizer on a problem of the table; the value above the minimum, or the distance from a point"},
          run_walks),
      training_study(), finite_sum_study(),
      study_kind({"stationary_points", "the fraction of minima among the stationary points of random functions"},
                 run_stationary_points),
      study_kind(
          {"gradient_cost", "operations of a gradient divided by those of the loss", 12},  // the widths 4 to 8,192
          run_gradient_cost)};
  return kinds;
}

void read_study_fields(const Fields& fields, const Study& study, const StudyArm& arm) {
  OptionMap given;
  for (const OptionMap* map : {&arm.options, &study.options}) {
    for (const Field& field : fields) {
      if (const auto found = map->find(std::string(field.name)); found != map->end()) given.insert(*found);
    }
  }
  read_fields(fields, given, arm.name.empty() ? "study " + study.name : shown(study.name + ": " + arm.name));
}

NamedTree study_configuration(const Study& study, const std::string& config, const Context& context) {
  const std::string place = (study.folder / config).string();
  return read_arguments({.source = place, .given = {}, .sets = {}, .types = {}}, context.registry);
}

Study read_study(const std::filesystem::path& path) {
  ConfigTree tree = read_toml(path);
  Study study{.name = path.stem().string(),
              .folder = path.parent_path(),
              .question = text_at(tree, "question"),
              .claim = text_at(tree, "claim"),
              .source = text_at(tree, "source"),
              .kind = text_at(tree, "kind"),
              .measure = text_at(tree, "measure"),
              .lower = text_at(tree, "lower"),
              .higher = text_at(tree, "higher"),
              .remark = text_at(tree, "remark", false),
              .options = {},
              .arms = {}};
  const OptionValue* arms = tree.find("arms");
  const auto* list = arms ? arms->get_if<OptionList>() : nullptr;
  if (!list || list->size() < 2)
    fail<UsageError>("[study] {}: [[arms]] lists what is compared. Wanted: at least 2 arms", tree.file);
  for (const OptionValue& item : *list) {
    const auto* map = item.get_if<OptionMap>();
    const auto* name = map && map->contains("name") ? map->at("name").get_if<std::string>() : nullptr;
    if (!name || name->empty()) fail<UsageError>("[study] {}: an arm without a name: {}", tree.file, item.str());
    if (std::ranges::find(study.arms, *name, &StudyArm::name) != study.arms.end())
      fail<UsageError>("[study] {}: two arms are called '{}'", tree.file, shown(*name));
    study.arms.push_back({.name = *name, .options = *map});
  }
  if (study.lower == study.higher)
    fail<UsageError>("[study] {}: lower and higher are both '{}'. Wanted: two arms", tree.file, shown(study.lower));
  for (const std::string& side : {study.lower, study.higher}) {
    if (std::ranges::find(study.arms, side, &StudyArm::name) == study.arms.end())
      fail<UsageError>("[study] {}: there is no arm '{}'", tree.file, side);
  }
  const auto kind = std::ranges::find(study_kinds(), study.kind, &StudyKind::name);
  if (kind == study_kinds().end()) {
    std::vector<std::string_view> names;
    for (const StudyKind& row : study_kinds()) names.push_back(row.name);
    fail<UsageError>("[study] {}: kind = {}. Wanted: {}", tree.file, shown(study.kind), fmt::join(names, ", "));
  }
  check_keys(tree.values,
             {"question", "claim", "source", "kind", "measure", "lower", "higher", "remark", "repeats", "arms"}, *kind,
             tree.file);
  for (const StudyArm& arm : study.arms) check_keys(arm.options, {"name"}, *kind, tree.file);
  study.options = std::move(tree.values);
  const Field repeats{"repeats", &study.repeats, "", {.low = 5, .high = static_cast<double>(kind->most_repeats)}};
  read_study_fields({repeats}, study, {});
  kind->check(study, {});
  for (const StudyArm& arm : study.arms) {  // checks all arms before the first one runs
    kind->check(study, arm);
    if (std::ranges::find(kind->options, "config", &OptionDoc::name) == kind->options.end()) continue;
    if (!arm.options.contains("config") && !study.options.contains("config"))
      fail<UsageError>("[study] {}: config is missing. Wanted: the configuration that is trained", tree.file);
  }
  return study;
}

}  // namespace thalweg::cli
