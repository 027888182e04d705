// Regression losses.

#include <cmath>
#include <numbers>

#include "loss/row.hpp"

namespace thalweg::loss {

Fields fields(HuberOptions& o) {
  return {{"delta", &o.delta, "error at which the square becomes a straight line", positive}};
}
Fields fields(SmoothL1Options& o) {
  return {{"beta", &o.beta, "error at which the square becomes a straight line; 0: the absolute error", not_negative}};
}
Fields fields(QuantileOptions& o) {
  return {{"quantile", &o.quantile, "the quantile to predict",
           Range{.low = 0, .high = 1, .low_open = true, .high_open = true}}};
}
Fields fields(PoissonOptions& o) {
  return {{"log_input", &o.log_input, "predictions are logarithms of rates, rather than rates"},
          {"full", &o.full, "adds Stirling's approximation of log y! where y > 1"},
          {"eps", &o.eps, "added to a rate before its logarithm is taken", positive}};
}
Fields fields(GaussianOptions& o) {
  return {{"full", &o.full, "adds the constant log(2 pi) / 2"},
          {"min_variance", &o.min_variance, "smaller variances are replaced by it", positive}};
}

namespace {

Var difference(std::string_view name, Var prediction, Var target) {
  return prediction - as_target(name, prediction, target);
}

/// log y!, where y > 1.
Var stirling(Var y) {
  const Var above = where(y > 1, y, 1);
  return where(y > 1, above * log(above) - above + 0.5 * log(2 * std::numbers::pi * above), 0);
}

}  // namespace

LossFunction make_mse(NoOptions) {
  return {"mse", {}, Task::regression, [](Var p, Var t) { return square(difference("mse", p, t)); }};
}

LossFunction make_mae(NoOptions) {
  return {"mae", {}, Task::regression, [](Var p, Var t) { return abs(difference("mae", p, t)); }};
}

LossFunction make_huber(HuberOptions o) {
  return {"huber", checked_values("huber", o), Task::regression, [delta = o.delta](Var p, Var t) {
            const Var d = difference("huber", p, t), size = abs(d);
            return where(size <= delta, 0.5 * square(d), delta * (size - 0.5 * delta));
          }};
}

LossFunction make_smooth_l1(SmoothL1Options o) {
  return {"smooth_l1", checked_values("smooth_l1", o), Task::regression, [beta = o.beta](Var p, Var t) {
            const Var d = difference("smooth_l1", p, t), size = abs(d);
            return beta == 0 ? size : where(size < beta, 0.5 / beta * square(d), size - 0.5 * beta);
          }};
}

LossFunction make_log_cosh(NoOptions) {
  return {"log_cosh", {}, Task::regression, [](Var p, Var t) {
            const Var size = abs(difference("log_cosh", p, t));
            return size + softplus(-2 * size) - std::numbers::ln2;
          }};
}

LossFunction make_quantile(QuantileOptions o) {
  return {"quantile", checked_values("quantile", o), Task::regression, [q = o.quantile](Var p, Var t) {
            const Var d = difference("quantile", p, t);  // positive where the prediction is too high
            return maximum((1 - q) * d, -q * d);
          }};
}

LossFunction make_poisson(PoissonOptions o) {
  LossFunction::Traits traits{.standardise = false};
  if (o.log_input) traits.prediction = [](Var output) { return exp(output); };
  return {"poisson", checked_values("poisson", o), std::move(traits), [o](Var p, Var target) {
            const Var y = as_target("poisson", p, target);
            const Var each = o.log_input ? exp(p) - y * p : p - y * log(p + o.eps);
            return o.full ? each + stirling(y) : each;
          }};
}

LossFunction make_gaussian(GaussianOptions o) {
  LossFunction::Traits traits{.outputs = 2, .prediction = [](Var output) { return slice(output, 0, 1, -1); }};
  return {"gaussian", checked_values("gaussian", o), std::move(traits), [o](Var p, Var target) {
            if (p.rank() == 0 || p.dim(-1) != 2) {
              fail<UsageError>("[gaussian] predictions {}. Hint: the last axis holds a mean and a log variance.",
                               p.shape());
            }
            const Var centre = slice(p, 0, 1, -1);
            const Var s = maximum(slice(p, 1, 2, -1), std::log(o.min_variance));  // e^s may be above the range
            const Var each = 0.5 * (s + square(difference("gaussian", centre, target) * exp(-0.5 * s)));
            return o.full ? each + 0.5 * std::log(2 * std::numbers::pi) : each;
          }};
}

std::vector<LossRow> regression_losses() {
  return {
      row(make_mse, {.name = "mse",
                     .summary = "mean squared error",
                     .formula = "(p - y)^2",
                     .when = "numbers whose mean is to be predicted",
                     .source = "Legendre 1805, Gauss 1809"}),
      row(make_mae, {.name = "mae",
                     .summary = "mean absolute error",
                     .formula = "|p - y|",
                     .when = "numbers with outliers, whose median is to be predicted",
                     .source = "Boscovich 1757"}),
      row(make_huber, {.name = "huber",
                       .summary = "a square near zero, a straight line beyond delta",
                       .formula = "d^2/2 where |d| <= delta, else delta (|d| - delta/2), with d = p - y",
                       .when = "numbers with some outliers",
                       .source = "Huber 1964; PyTorch HuberLoss"}),
      row(make_smooth_l1, {.name = "smooth_l1",
                           .summary = "huber divided by beta, with slope 1 beyond beta",
                           .formula = "d^2/(2 beta) where |d| < beta, else |d| - beta/2, with d = p - y",
                           .when = "numbers with some outliers; boxes in detection",
                           .source = "Girshick 2015; PyTorch SmoothL1Loss"}),
      row(make_log_cosh, {.name = "log_cosh",
                          .summary = "a smooth absolute error",
                          .formula = "log cosh(p - y)",
                          .when = "numbers with some outliers, where second derivatives matter",
                          .source = "Green 1990"}),
      row(make_quantile, {.name = "quantile",
                          .summary = "the pinball loss",
                          .formula = "max(q d, (q - 1) d), with d = y - p",
                          .when = "a quantile, or two of them as an interval",
                          .source = "Koenker and Bassett 1978"}),
      row(make_poisson, {.name = "poisson",
                         .summary = "negative log likelihood of counts",
                         .formula = "e^p - y p",
                         .when = "counts",
                         .source = "PyTorch PoissonNLLLoss"}),
      row(make_gaussian, {.name = "gaussian",
                          .summary = "negative log likelihood with a predicted variance",
                          .formula = "(s + (y - m)^2 / e^s) / 2, with p = (m, s)",
                          .when = "numbers whose noise differs from sample to sample; thalweg predict writes each "
                                  "prediction's standard deviation too",
                          .source = "Nix and Weigend 1994; PyTorch GaussianNLLLoss"}),
  };
}

}  // namespace thalweg::loss
