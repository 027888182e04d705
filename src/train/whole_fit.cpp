// Training on all rows at once, by a method with its own steps.

#include "thalweg/whole_fit.hpp"

#include "core/error.hpp"
#include "engine/engine.hpp"
#include "engine/product_oracle.hpp"
#include "engine/shard_size.hpp"
#include "optim/asks.hpp"
#include "optim/oracles.hpp"
#include "thalweg/optimizers.hpp"
#include "train/evaluation.hpp"

namespace thalweg {

namespace {

/// Converts numbers to f64 once, because otherwise every evaluation would do it again.
Dataset in_f64(Dataset data) {
  if (data.streams()) return data;
  for (const std::string& name : data.names()) {
    if (data[name].dtype() == f32) data.set(name, data[name].to(f64));
  }
  return data;
}

}  // namespace

WholeFit fit_whole(const ModelFunction& model, const LossFunction& loss, const Dataset& data, const Optimizer& method,
                   const WholeFitOptions& options) {
  if (!owns_steps(method)) {
    fail<UsageError>("[fit_whole] {} does not own its steps. Hint: lbfgs, or a Trainer.", method.name);
  }
  if (!(options.l2 >= 0)) fail<UsageError>("[fit_whole] l2 = {}. Wanted: >= 0", options.l2);
  if (data.rows() == 0) fail<UsageError>("[fit_whole] the data has no rows to train on");
  const Dataset counted = rows_to_train(data, "fit_whole");
  const EvaluationFunction function = evaluation_of(model, loss);
  const State start = Engine(function, optim::sgd({.lr = 1}), 1).init(counted, options.seed, f64);
  if (start.layout->statistics_size > 0) {
    fail<UsageError>(
        "[fit_whole] the model keeps running statistics, which this optimizer cannot update. Hint: layer "
        "normalisation in place of batch normalisation.");
  }
  Workers workers(options.threads);
  const Dataset wide = in_f64(counted);
  const std::int64_t shard = default_shard_size({&function, 1}, columns_of(wide), *start.layout, wide.rows());
  Products products(function, workers, {.mode = Mode::train, .shard_size = shard});
  const RowSelection rows{wide};
  ProductOracle oracle(products, start, rows, options.l2);
  const MinimizeOptions walk{.max_steps = options.max_steps,
                             .gradient_norm = options.gradient_norm,
                             .value_change = options.value_change,
                             .stop = options.stop,
                             .on_step = options.on_step};
  MinimizeResult result = minimize_oracle(oracle, oracle.start(), method, walk);
  State state = state_in(f32, oracle.state_at(result.x));
  return {std::move(state), std::move(result)};
}

}  // namespace thalweg
