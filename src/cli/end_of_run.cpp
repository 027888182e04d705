#include "cli/end_of_run.hpp"

#include <algorithm>

#include "cli/opened_run.hpp"

namespace thalweg::cli {

namespace {

constexpr double most_operations = 1e10;  // of the whole look, which takes one to a few seconds
constexpr double forward_passes = 300;    // in a look: 60 values, a gradient and about 30 Hessian products
constexpr std::int64_t most_rows = 1024, fewest_rows = 32;

/// A loss on as many rows as a look can use cheaply.
struct Look {
  EvaluationFunction function;
  Workers workers;
  Products products;
  State at;
  Dataset rows = {};

  Look(const Session& session, const Config& config, const State& state, const Registry& registry)
      : function(evaluation_of(session.recipe.make_model(registry), session.recipe.make_loss(registry))),
        workers(config.train.threads),
        products(function, workers),
        at(state_in(f64, state)) {
    const Dataset& training = session.parts.train;
    if (training.streams()) return;
    const double each = products.operations_a_row(at, training.slice(0, std::min<std::int64_t>(16, training.rows())));
    const auto affordable =
        static_cast<std::int64_t>(std::min(1e9, most_operations / (forward_passes * std::max(each, 1.0))));
    const std::int64_t count = std::min({most_rows, training.rows(), affordable});
    if (count >= std::min(fewest_rows, training.rows())) rows = fixed_rows(training, count, config.seed);
  }
  [[nodiscard]] bool is_cheap() const { return rows.rows() > 0; }
};

}  // namespace

std::function<Point()> look_at_end(const Session& session, const Config& config, const History& history,
                                   const Registry& registry) {
  if (session.system || session.parts.train.streams()) return {};
  const auto look = std::make_shared<Look>(session, config, session.trainer.state(), registry);
  if (!look->is_cheap()) return {};
  PointOptions options = point_options(history, config.optimizer.kind);
  options.lanczos.steps = 30;
  return [look, options] {
    const Surface surface = surface_of(look->products, look->at, look->rows);
    return kind_of_point(surface, point_of(look->at), options);
  };
}

PointOptions point_options(const History& history, std::string_view optimizer) {
  PointOptions options;
  if (history.steps.empty()) return options;
  if (optimizer == "sgd") options.lr = std::ranges::max_element(history.steps, {}, &StepReport::lr)->lr;
  options.fall = history.steps.front().loss - history.steps.back().loss;
  return options;
}

std::optional<Eigenvalue> largest_eigenvalue(const Session& session, const Config& config, const State& at,
                                             const Registry& registry) {
  if (session.system || session.parts.train.streams()) return std::nullopt;
  Look look(session, config, at, registry);
  if (!look.is_cheap()) return std::nullopt;
  const Surface surface = surface_of(look.products, look.at, look.rows);
  const std::vector<double> point = point_of(look.at);
  return extreme_eigenvalues(surface.hessian_at(point), {.steps = 30, .tolerance = 1e-2}).largest;
}

}  // namespace thalweg::cli
