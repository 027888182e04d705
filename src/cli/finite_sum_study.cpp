// Studies of methods on a convex mean over rows: how far the gradient over all rows falls, epoch by epoch, in f64.

#include <cmath>

#include "cli/comparison.hpp"
#include "cli/session.hpp"
#include "cli/study.hpp"
#include "engine/engine.hpp"
#include "engine/row_order.hpp"
#include "train/evaluation.hpp"

namespace thalweg::cli {

namespace {

/// The norm of the gradient of the mean loss and of decay / 2 |x|^2 over what decays.
double slope(Products& products, const State& at, const Dataset& rows, double decay) {
  Tensor gradient;
  (void)products.gradient(at, {rows}, gradient);
  double squares = 0;
  for (std::int64_t i = 0; i < gradient.size(); ++i) {
    const double penalty = i < at.layout->decayed_size ? decay * at.parameters.at(i) : 0;
    squares += std::pow(gradient.at(i) + penalty, 2);
  }
  return std::sqrt(squares);
}

struct Task {
  EvaluationFunction function;
  Dataset rows;
};

Task task_of(const Study& study, const StudyArm& arm, const Context& context) {
  const std::string place = (study.folder / study_option<std::string>(study, arm, "config", "")).string();
  const NamedTree named = read_arguments({.source = place, .given = {}, .sets = {}, .types = {}}, context.registry);
  LoadedConfig loaded = load(named, context.registry);
  refuse_system(loaded.config, "study");
  const Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), context.registry);
  return {evaluation_of(session.recipe.make_model(context.registry), session.recipe.make_loss(context.registry)),
          counted_rows(session.parts.train)};
}

/// The slope after each epoch.
std::vector<double> walk(const Task& task, const Optimizer& optimizer, const FitOptions& fit, double decay) {
  Engine engine(task.function, optimizer, 1);
  State state = engine.init(task.rows, fit.seed, f64);
  (void)engine.add_row_table(state, task.rows.rows());
  const RunLength length = run_length(fit, task.rows.rows());
  RowOrder order(fit, length, task.rows.rows());
  const auto row_weights = engine.row_weights(state, task.rows);
  Workers workers(1);
  Products products(task.function, workers);
  std::vector<double> slopes;
  for (std::int64_t step = 0; step < length.steps; ++step) {
    const Progress progress{step, length.steps, length.steps_an_epoch};
    (void)engine.turn(state, {task.rows, order.rows_of(step)}, {{&progress, 1}, 0, row_weights});
    ++state.step;
    if ((step + 1) % length.steps_an_epoch == 0) slopes.push_back(slope(products, state, task.rows, decay));
  }
  return slopes;
}

}  // namespace

void run_finite_sums(const Study& study, StudyArm& arm, const Context& context) {
  const Task task = task_of(study, arm, context);
  const auto decay = study_option<double>(study, arm, "weight_decay", 0);
  const Optimizer optimizer = make_optimizer(study_option<OptionMap>(study, arm, "optimizer", {}));
  FitOptions fit{.epochs = study_option<std::int64_t>(study, arm, "epochs", 20),
                 .batch_size = study_option<std::int64_t>(study, arm, "batch_size", 8)};
  std::vector<std::vector<double>> by_epoch(static_cast<std::size_t>(fit.epochs));
  for (std::int64_t seed = 1; seed <= study.repeats; ++seed) {
    fit.seed = static_cast<std::uint64_t>(seed);
    const std::vector<double> slopes = walk(task, optimizer, fit, decay);
    for (std::size_t i = 0; i < slopes.size(); ++i) by_epoch[i].push_back(slopes[i]);
    arm.results.push_back(slopes.back());
  }
  for (const std::vector<double>& slopes : by_epoch) arm.course.push_back(quantile(slopes, 0.5));
}

}  // namespace thalweg::cli
