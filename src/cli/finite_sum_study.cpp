// Studies of methods on a convex mean over rows, in f64: the norm of the gradient over all rows after each epoch.

#include <cmath>

#include "cli/comparison.hpp"
#include "cli/device.hpp"
#include "cli/session.hpp"
#include "cli/study.hpp"
#include "engine/engine.hpp"
#include "engine/row_order.hpp"
#include "optim/asks.hpp"
#include "train/evaluation.hpp"

namespace thalweg::cli {

namespace {

/// The norm of the gradient of the mean loss plus decay / 2 |x|^2 over the parameters with weight decay.
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

struct FiniteSumOptions {
  std::string config;
  OptionMap optimizer;
  std::int64_t epochs = 20, batch_size = 8;
  double weight_decay = 0;
};

Fields fields(FiniteSumOptions& o) {
  return {{"config", &o.config, "a configuration: its data, its model and its loss"},
          {"optimizer", &o.optimizer, "{ kind = \"sgd\", lr = 0.1 }"},
          {"epochs", &o.epochs, "passes over the rows", {.low = 1, .high = 1e6}},
          {"batch_size", &o.batch_size, "rows per step", {.low = 1, .high = 1e9}},
          {"weight_decay", &o.weight_decay, "strength of the penalty in the measured gradient", not_negative}};
}

/// Throws UsageError for a method whose every step uses all rows.
Optimizer optimizer_of(const Study& study, const StudyArm& arm, const FiniteSumOptions& options) {
  Optimizer optimizer = make_optimizer(options.optimizer);
  if (owns_steps(optimizer))
    fail<UsageError>(
        "[study] {}: {}: {} uses all rows in each step. Wanted: a method that steps on batches, such as sgd",
        study.name, arm.name, optimizer.name);
  return optimizer;
}

Task task_of(const Study& study, const FiniteSumOptions& options, const Context& context) {
  LoadedConfig loaded = load(study_configuration(study, options.config, context), context.registry);
  refuse_system(loaded.config, "study");
  refuse_watching(loaded.config, "study");
  refuse_device(loaded.config.train.device, "steps that are counted row by row are taken");
  const Session session =
      make_session(loaded.config, loaded.source.facts(), loaded.source.parts(loaded.config.seed), context.registry);
  return {evaluation_of(session.recipe.make_model(context.registry), session.recipe.make_loss(context.registry)),
          counted_rows(session.parts.train)};
}

/// The gradient's norm after each epoch.
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

void run_finite_sums(const Study& study, StudyArm& arm, const FiniteSumOptions& options, const Context& context) {
  const Optimizer optimizer = optimizer_of(study, arm, options);
  const Task task = task_of(study, options, context);
  FitOptions fit{.epochs = options.epochs, .batch_size = options.batch_size};
  std::vector<std::vector<double>> by_epoch(static_cast<std::size_t>(fit.epochs));
  for (std::int64_t seed = 1; seed <= study.repeats; ++seed) {
    fit.seed = static_cast<std::uint64_t>(seed);
    const std::vector<double> slopes = walk(task, optimizer, fit, options.weight_decay);
    for (std::size_t i = 0; i < slopes.size(); ++i) by_epoch[i].push_back(slopes[i]);
    arm.results.push_back(slopes.back());
  }
  for (const std::vector<double>& slopes : by_epoch) arm.course.push_back(quantile(slopes, 0.5));
}

}  // namespace

StudyKind finite_sum_study() {
  return study_kind({"finite_sum", "optimizers on a mean over rows, in f64: the norm of its gradient, epoch by epoch"},
                    run_finite_sums);
}

}  // namespace thalweg::cli
