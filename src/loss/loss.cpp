// Loss: a sum over samples, and the total weight by which it is divided.

#include "thalweg/loss.hpp"

#include "graph/graph.hpp"
#include "loss/row.hpp"

namespace thalweg {

Loss::Loss(Var scalar, Source source) : sum(scalar), separable(false) {
  if (scalar.size() != 1 || !is_float(scalar.dtype())) {
    fail<UsageError>(
        "[loss] shape {} and dtype {}; a loss is one number. Hint: Loss::of_samples(values) for one value for each "
        "sample, or tw::mean.{}",
        scalar.shape(), scalar.dtype(), at(source));
  }
  sum = reshape(scalar, {});
  weight = scalar.graph().number(1, scalar.dtype());
}

namespace {

/// One weight for each sample, in this shape.
Var as_weights(const Var& weights, const Shape& shape) {
  if (weights.size() != shape.size() || !is_float(weights.dtype()))
    fail<UsageError>("[loss] weights {} {} of {} samples. Wanted: one number a sample, f32 or f64", weights.dtype(),
                     weights.shape(), shape.size());
  return reshape(weights, shape);
}

}  // namespace

Loss Loss::of_samples(Var values, Var weights) {
  if (values.rank() == 0)
    fail<UsageError>("[loss] a scalar. Wanted: one value for each sample, (batch) or (batch, ...)");
  Var each = values;
  if (values.rank() > 1) {
    std::vector<int> rest;
    for (int axis = 1; axis < values.rank(); ++axis) rest.push_back(axis);
    each = mean(values, rest);
  }
  const auto count = static_cast<double>(values.dim(0));
  if (!weights.defined()) return {thalweg::sum(each), values.graph().number(count, values.dtype())};
  const Var w = as_weights(weights, {values.dim(0)});
  return {thalweg::sum(each * w), thalweg::sum(w)};
}

Loss LossFunction::operator()(Var prediction, Var target, Var weights) const {
  const auto [values, own] = samples_(prediction, target);
  if (!own.defined()) return Loss::of_samples(values, weights);
  if (!weights.defined()) return {sum(values), sum(own)};
  Shape shape{values.dim(0)};
  while (shape.rank() < values.rank()) shape.push_back(1);
  const Var w = as_weights(weights, shape);
  return {sum(values * w), sum(own * w)};
}

Task LossFunction::task_with(const Shape& target, DType dtype) const {
  const bool one_a_row = target.rank() == 1 || target.size() == target[0];
  if (task() == Task::binary) return one_a_row ? Task::binary : Task::other;
  if (task() != Task::multiclass) return task();
  if (dtype != i32) return Task::other;
  return one_a_row ? Task::multiclass : Task::language;
}

namespace {

/// Scores of both classes, so that the higher score is the predicted class, as with probabilities. Several outputs in a
/// row are separate yes-or-no questions, and stay as they are.
Var scores_of_both(const Var& output) {
  const bool one_a_row = output.size() == output.dim(0);
  if (!one_a_row) return output;
  const Var column = reshape(output, {output.dim(0), 1});
  return concat({-column, column}, 1);
}

}  // namespace

Var LossFunction::prediction(Var output) const {
  if (traits_.prediction) return traits_.prediction(output);
  switch (task()) {
    case Task::binary: return traits_.scores ? scores_of_both(output) : sigmoid(output);
    case Task::multiclass:
    case Task::language: return softmax(output);
    case Task::regression:
    case Task::other: break;
  }
  return output;
}

Var loss::as_target(std::string_view name, Var prediction, Var target) {
  if (prediction.shape() == target.shape()) return cast(target, prediction.dtype());
  if (prediction.size() == target.size() && prediction.dim(0) == target.dim(0)) {
    return cast(reshape(target, prediction.shape()), prediction.dtype());
  }
  fail<UsageError>("[{}] predictions {} and targets {}. Hint: they have the same shape.", name, prediction.shape(),
                   target.shape());
}

const std::vector<LossRow>& losses() {
  static const std::vector<LossRow> rows = [] {
    std::vector<LossRow> all;
    for (const auto& family : {loss::regression_losses(), loss::classification_losses(), loss::similarity_losses()}) {
      all.insert(all.end(), family.begin(), family.end());
    }
    return all;
  }();
  return rows;
}

const LossRow& loss_named(const std::string& name) { return row_named(losses(), "loss", name); }

}  // namespace thalweg
