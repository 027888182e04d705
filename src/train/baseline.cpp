#include "train/baseline.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "options/text.hpp"
#include "store/safetensors.hpp"
#include "thalweg/methods.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "train/evaluation.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t steps = 200;
constexpr double most_operations = 3e9;

FitOptions full_batch() { return {.steps = steps, .batch_size = 0, .shuffle = false}; }

Optimizer descent() { return optim::adam({.lr = 0.05, .schedule = schedule::cosine()}); }

ModelFunction constant_model(std::int64_t outputs) {
  return [outputs](Scope s, const Var& x) {
    return broadcast_to(s.parameter("constant", {outputs}), {x.shape()[0], outputs});
  };
}

bool has_labels(const LossFunction& loss, const Tensor& target) {
  const Task task = loss.task_with(target.shape(), target.dtype());
  return task == Task::binary || task == Task::multiclass;
}

/// For class labels: the logarithms of the class frequencies, which for most classifiers are the constant with the
/// lowest loss.
Tensor start_of(const LossFunction& loss, std::int64_t outputs, const Dataset& training) {
  Tensor start = full(Shape{outputs}, usual_output(loss, training));
  const Tensor& target = training["target"];
  if (!has_labels(loss, target) || target.size() != training.rows()) return start;
  std::vector<double> counts(static_cast<std::size_t>(std::max<std::int64_t>(2, outputs)), 0.5);
  const metric::Weights weights = weights_on(loss, training);
  for (std::int64_t row = 0; row < training.rows(); ++row) {
    const auto label = static_cast<std::size_t>(std::max(0.0, target.at(row)));
    if (label < counts.size()) counts[label] += weights ? weights->at(row) : 1;
  }
  if (outputs == 1) {
    start.set(0, std::log(counts[1] / counts[0]));
  } else {
    for (std::int64_t c = 0; c < outputs; ++c) start.set(c, std::log(counts[static_cast<std::size_t>(c)]));
  }
  return start;
}

double loss_on(Trainer& trainer, const Dataset& data) { return trainer.evaluate(data)["loss"]; }

/// The loss of a linear fit, with ridge / 2 times the squares of its weights.
Objective ridge_objective(const LossFunction& loss, std::int64_t outputs, double ridge) {
  return [loss, outputs, ridge](Scope s, const Batch& b) {
    Var weight;
    const ModelFunction linear = [&](Scope model, const Var& x) {  // nn::linear
      const Scope layer = model / "output";
      weight = layer.parameter("weight", {x.dim(-1), outputs}, {.initializer = init::zeros()});
      return matmul(x, weight) + layer.parameter("bias", {outputs});
    };
    Loss total = objective_of(linear, loss)(s, b);
    if (ridge != 0) total.sum = total.sum + ridge / 2 * sum(square(weight)) * total.weight;
    return total;
  };
}

/// Takes a linear fit to its optimum. First-order steps stay far from it where columns are correlated. For classes
/// with the ridge of 1 / rows of scikit-learn's LogisticRegression, because no finite weights are best where classes
/// can be told apart without an error. For other losses only with enough rows, because with few rows for each
/// coefficient the optimum fits their noise.
void settle(Trainer& linear, const LossFunction& loss, std::int64_t outputs, const Dataset& training, int threads) {
  constexpr std::int64_t rows_a_coefficient = 5;
  const bool labels = has_labels(loss, training["target"]);
  const std::int64_t rows = training.rows(), inputs = training["input"].size() / rows;
  if (!labels && rows < rows_a_coefficient * (inputs + 1)) return;
  Trainer exact(ridge_objective(loss, outputs, labels ? 1 / static_cast<double>(rows) : 0), optim::lbfgs(), threads);
  exact.init(training.slice(0, 1), 1);
  const auto copy = [](const Trainer& from, Trainer& to) {
    State state = to.state();
    for (const ParameterEntry& entry : state.layout->entries)
      state.set_parameter(entry.name, from.state().parameter(entry.name));
    to.set_state(std::move(state));
  };
  copy(linear, exact);
  (void)exact.fit(training, full_batch());
  const State before = linear.state();
  const double loss_before = loss_on(linear, training);
  copy(exact, linear);
  if (!labels && !(loss_on(linear, training) < loss_before)) linear.set_state(before);
}

/// The constant with which the search for the best one starts.
Baseline start_baseline(std::string name, const LossFunction& loss, std::int64_t outputs, const Dataset& training,
                        int threads) {
  auto trainer = std::make_shared<Trainer>(constant_model(outputs), loss, descent(), threads);
  trainer->init(training.slice(0, 1), 1);
  State state = trainer->state();
  state.set_parameter("constant", start_of(loss, outputs, training));
  trainer->set_state(std::move(state));
  return {std::move(name), trainer, loss_on(*trainer, training), constant_model(outputs)};
}

Baseline constant_baseline(const LossFunction& loss, std::int64_t outputs, const Dataset& training, int threads) {
  Baseline best = start_baseline("constant", loss, outputs, training, threads);
  Trainer* const trainer = best.trainer.get();
  const State state = trainer->state();
  const double before = best.training_loss;
  if (static_cast<double>(training.rows() * outputs * steps) < most_operations / 10) {
    trainer->fit(training, full_batch());
    if (!(loss_on(*trainer, training) < before)) trainer->set_state(state);
  }
  best.training_loss = loss_on(*trainer, training);
  return best;
}

/// The class that a constant predicts.
std::int64_t class_of(const Baseline& constant) {
  const Tensor outputs = constant.trainer->state().parameter("constant");
  if (outputs.size() == 1) return outputs.at(0) > 0 ? 1 : 0;
  std::int64_t best = 0;
  for (std::int64_t c = 1; c < outputs.size(); ++c) best = outputs.at(c) > outputs.at(best) ? c : best;
  return best;
}

}  // namespace

double usual_output(const LossFunction& loss, const Dataset& training) {
  if (loss.name() != "poisson" || training.streams() || !training.has("target")) return 0;
  const Tensor& target = training["target"];
  const metric::Weights weights = weights_on(loss, training);
  const std::int64_t each = target.size() / std::max<std::int64_t>(1, training.rows());
  double sum = 0, weight = 0;
  for (std::int64_t i = 0; i < target.size(); ++i) {
    const double own = weights ? weights->at(i / each) : 1;
    sum += own == 0 ? 0 : own * target.at(i);
    weight += own;
  }
  const double mean = sum / weight;
  if (!(mean > 0) || !std::isfinite(mean)) return 0;
  return loss.traits().prediction ? std::log(mean) : mean;
}

std::vector<Baseline> baselines_of(const LossFunction& loss, std::int64_t outputs, const Dataset& training,
                                   bool with_linear, int threads) {
  if (training.streams() || !training.has("input") || !training.has("target") || training.rows() == 0) return {};
  const Tensor& target = training["target"];
  if (loss.task_with(target.shape(), target.dtype()) == Task::language) return {};
  if (!has_labels(loss, target) && target.size() * loss.traits().outputs != training.rows() * outputs) return {};
  std::vector<Baseline> all = {constant_baseline(loss, outputs, training, threads)};
  if (has_labels(loss, target)) {
    Baseline commonest = start_baseline("commonest", loss, outputs, training, threads);
    if (class_of(commonest) != class_of(all.front())) all.push_back(std::move(commonest));
  }
  const double features = static_cast<double>(training["input"].size()) / static_cast<double>(training.rows());
  const double operations = 6.0 * steps * static_cast<double>(training.rows() * outputs) * features;
  if (!with_linear || training["input"].shape().rank() != 2 || operations > most_operations) return all;
  try {
    auto linear = std::make_shared<Trainer>(nn::linear(outputs), loss, descent(), threads);
    if (const double usual = usual_output(loss, training); usual != 0) {
      linear->init(training.slice(0, 1), 1);
      State state = linear->state();
      for (const ParameterEntry& entry : state.layout->entries) {
        if (entry.name.ends_with("bias")) state.set_parameter(entry.name, full(entry.shape, usual));
      }
      linear->set_state(std::move(state));
    }
    linear->fit(training, full_batch());
    settle(*linear, loss, outputs, training, threads);
    all.push_back({"linear", linear, loss_on(*linear, training), nn::linear(outputs)});
  } catch (const NumericError&) {  // the loss diverges at this rate, so that there is no linear baseline
  }
  return all;
}

void save_baselines(const std::filesystem::path& path, const std::vector<Baseline>& baselines) {
  SafetensorsFile file;
  for (const Baseline& baseline : baselines) {
    const State& state = baseline.trainer->state();
    file.metadata[baseline.name] = fmt::format("{}", baseline.training_loss);
    for (const ParameterEntry& entry : state.layout->entries)
      file.tensors.emplace_back(baseline.name + "/" + entry.name, state.parameter(entry.name));
  }
  write_safetensors(path, file);
}

std::vector<Baseline> load_baselines(const std::filesystem::path& path, const LossFunction& loss, std::int64_t outputs,
                                     const Dataset& rows) {
  const SafetensorsFile file = read_safetensors(path);
  expect_finite(file, path.string());
  const std::pair<std::string, ModelFunction> models[] = {
      {"constant", constant_model(outputs)}, {"commonest", constant_model(outputs)}, {"linear", nn::linear(outputs)}};
  std::vector<Baseline> baselines;
  for (const auto& [name, model] : models) {
    const auto known = file.metadata.find(name);
    if (known == file.metadata.end()) continue;
    auto trainer = std::make_shared<Trainer>(model, loss, descent(), 1);
    trainer->init(rows.slice(0, 1), 1);
    State state = trainer->state();
    for (const ParameterEntry& entry : trainer->state().layout->entries) {
      const Tensor& value = file.tensor(name + "/" + entry.name);
      if (value.shape() != entry.shape || value.dtype() != state.layout->dtype)
        fail<ModelError>("[baseline] {}: {} is {} {}. Wanted: {} {}", path.string(), name, value.dtype(), value.shape(),
                         state.layout->dtype, entry.shape);
      state.set_parameter(entry.name, value);
    }
    trainer->set_state(std::move(state));
    baselines.push_back({name, trainer, parse_number(known->second).value_or(0), model});
  }
  return baselines;
}

}  // namespace thalweg
