#include "thalweg/loss.hpp"

#include "core/rows.hpp"
#include "graph/graph.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

Loss::Loss(Var scalar, Source source) : sum(scalar), separable(false) {
  if (scalar.size() != 1 || !is_float(scalar.dtype())) {
    fail<UsageError>(
        "[loss] of shape {} and dtype {}; a loss is one number. Hint: Loss::of_samples(values) for one value a "
        "sample, or tw::mean.{}",
        scalar.shape(), scalar.dtype(), at(source));
  }
  sum = reshape(scalar, {});
  weight = scalar.graph().number(1, scalar.dtype());
}

Loss Loss::of_samples(Var values, Var weights) {
  if (values.rank() == 0)
    fail<UsageError>("[loss] one value a sample is wanted, (batch) or (batch, ...); got a scalar");
  Var each = values;
  if (values.rank() > 1) {
    std::vector<int> rest;
    for (int axis = 1; axis < values.rank(); ++axis) rest.push_back(axis);
    each = mean(values, rest);
  }
  const auto count = static_cast<double>(values.dim(0));
  if (!weights.defined()) return {thalweg::sum(each), values.graph().number(count, values.dtype())};
  const Var w = reshape(weights, {values.dim(0)});
  return {thalweg::sum(each * w), thalweg::sum(w)};
}

Loss LossFunction::operator()(Var prediction, Var target, Var weights) const {
  return Loss::of_samples(samples_(prediction, target), weights);
}

namespace loss {

Fields fields(NoOptions&) { return {}; }
Fields fields(HuberOptions& o) { return {{"delta", &o.delta, "where the square becomes a line", positive}}; }

namespace {

using Output = LossFunction::Output;

/// Predictions (batch, 1) and targets (batch) are the same thing; anything else must agree.
Var as_target(std::string_view name, Var prediction, Var target) {
  if (prediction.shape() == target.shape()) return cast(target, prediction.dtype());
  if (prediction.size() == target.size() && prediction.dim(0) == target.dim(0)) {
    return cast(reshape(target, prediction.shape()), prediction.dtype());
  }
  fail<UsageError>("[{}] predictions {} and targets {}. Hint: they have the same shape.", name, prediction.shape(),
                   target.shape());
}

}  // namespace

LossFunction make_mse(NoOptions) {
  return {"mse", {}, Output::value, [](Var p, Var t) { return square(p - as_target("mse", p, t)); }};
}

LossFunction make_mae(NoOptions) {
  return {"mae", {}, Output::value, [](Var p, Var t) { return abs(p - as_target("mae", p, t)); }};
}

LossFunction make_huber(HuberOptions o) {
  return {"huber", values_of(o), Output::value, [delta = o.delta](Var p, Var t) {
            const Var d = p - as_target("huber", p, t), size = abs(d);
            return where(size <= delta, 0.5 * square(d), delta * (size - 0.5 * delta));
          }};
}

LossFunction make_cross_entropy(NoOptions) {
  return {"cross_entropy", {}, Output::logits, [](Var logits, Var target) {
            if (target.dtype() == i32) {
              if (target.rank() == logits.rank()) target = squeeze(target, -1);
              return cross_entropy_with_labels(logits, target);
            }
            return cross_entropy_with_probabilities(logits, cast(target, logits.dtype()));
          }};
}

LossFunction make_binary_cross_entropy(NoOptions) {
  return {"binary_cross_entropy", {}, Output::logit, [](Var logits, Var target) {
            return binary_cross_entropy_with_logits(logits, as_target("binary_cross_entropy", logits, target));
          }};
}

namespace {

template <class Options>
LossRow row(LossFunction (*make)(Options), LossRow texts) {
  texts.options = docs_of<Options>();
  texts.make = [make, name = texts.name](const OptionMap& values) { return make(options_from<Options>(values, name)); };
  return texts;
}

std::vector<LossRow> make_table() {
  return {
      row(make_mse, {.name = "mse",
                     .summary = "mean squared error",
                     .formula = "(p - y)^2",
                     .when = "numbers; the mean is what is wanted",
                     .source = "Legendre 1805, Gauss 1809"}),
      row(make_mae, {.name = "mae",
                     .summary = "mean absolute error",
                     .formula = "|p - y|",
                     .when = "numbers with outliers; the median is what is wanted",
                     .source = "Boscovich 1757"}),
      row(make_huber, {.name = "huber",
                       .summary = "square near zero, line beyond delta",
                       .formula = "d^2/2 where |d| <= delta, else delta (|d| - delta/2), with d = p - y",
                       .when = "numbers with some outliers",
                       .source = "Huber 1964; PyTorch HuberLoss"}),
      row(make_cross_entropy, {.name = "cross_entropy",
                               .summary = "negative log probability of the right class",
                               .formula = "-log softmax(logits)[y]",
                               .when = "one class of several",
                               .source = "PyTorch CrossEntropyLoss"}),
      row(make_binary_cross_entropy, {.name = "binary_cross_entropy",
                                      .summary = "negative log probability of the right one of two",
                                      .formula = "-y log sigmoid(z) - (1 - y) log(1 - sigmoid(z))",
                                      .when = "yes or no, or several of them at once",
                                      .source = "PyTorch BCEWithLogitsLoss"}),
  };
}

}  // namespace
}  // namespace loss

const std::vector<LossRow>& losses() {
  static const std::vector<LossRow> rows = loss::make_table();
  return rows;
}

const LossRow& loss_named(const std::string& name) { return row_named(losses(), "loss", name); }

}  // namespace thalweg
