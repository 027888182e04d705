// Metrics over whole sets: accuracy, precision, recall, AUC, errors, R2.

#include "thalweg/metrics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "options/nearest_name.hpp"
#include "train/evaluation.hpp"

namespace thalweg {

namespace metric {

namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

template <class T>
bool any_nan(std::span<const T> values) {
  return std::ranges::any_of(values, [](T x) { return std::isnan(x); });
}

std::int64_t rows_of(const Tensor& predictions, std::string_view where) {
  const Shape& shape = predictions.shape();
  if (shape.rank() < 1 || shape.rank() > 2 || (shape.rank() == 2 && shape[1] == 0) || !is_float(predictions.dtype())) {
    fail<UsageError>("[{}] predictions are {} {}. Wanted: f32 or f64, (rows,) or (rows, outputs).", where,
                     predictions.dtype(), shape);
  }
  return shape[0];
}

/// One weight per row: 1 if no weights are given.
std::vector<double> row_weights(const Weights& weights, std::int64_t rows, std::string_view where) {
  if (!weights) return std::vector<double>(static_cast<std::size_t>(rows), 1.0);
  if (weights->size() != rows) {
    fail<UsageError>("[{}] weights of shape {} for {} rows. Wanted: one a row.", where, weights->shape(), rows);
  }
  const Tensor wide = weights->to(f64);
  const auto values = wide.values<double>();
  const auto wrong = std::ranges::find_if(values, [](double w) { return !(w >= 0 && std::isfinite(w)); });
  if (wrong != values.end()) {
    fail<DataError>("[{}] the weight of row {} is {}. Wanted: >= 0.", where, wrong - values.begin(), *wrong);
  }
  return {values.begin(), values.end()};
}

/// Probabilities, labels and weights, validated. `columns` is 1 or the number of classes.
struct Classified {
  Tensor probabilities;  // f32 or f64 (rows, columns)
  std::span<const float> narrow;
  std::span<const double> wide;  // the values in one of the two dtypes; the other span is empty
  std::size_t rows, columns, classes;
  std::vector<std::size_t> labels;
  std::vector<double> weights;
  double eps;

  Classified(const Tensor& predictions, const Tensor& targets, const Weights& given, std::string_view where)
      : probabilities(predictions),
        rows(static_cast<std::size_t>(rows_of(predictions, where))),
        columns(predictions.shape().rank() == 1 ? 1 : static_cast<std::size_t>(predictions.shape()[1])),
        classes(std::max<std::size_t>(2, columns)),
        weights(row_weights(given, predictions.shape()[0], where)),
        eps(predictions.dtype() == f32 ? std::numeric_limits<float>::epsilon()
                                       : std::numeric_limits<double>::epsilon()) {
    if (predictions.dtype() == f32) narrow = std::as_const(probabilities).values<float>();
    if (predictions.dtype() == f64) wide = std::as_const(probabilities).values<double>();
    if (static_cast<std::size_t>(targets.size()) != rows) {
      fail<UsageError>("[{}] targets of shape {} for predictions of shape {}. Wanted: a label a row.", where,
                       targets.shape(), predictions.shape());
    }
    const Tensor labels_wide = targets.to(f64);
    labels.reserve(rows);
    for (const double label : labels_wide.values<double>()) {
      if (!(label >= 0 && label < static_cast<double>(classes)) || label != std::floor(label)) {
        fail<DataError>("[{}] the label of row {} is {}. Wanted: a whole number from 0 to {}.", where, labels.size(),
                        label, classes - 1);
      }
      labels.push_back(static_cast<std::size_t>(label));
    }
  }

  [[nodiscard]] double at(std::size_t r, std::size_t column) const {
    const std::size_t place = r * columns + column;
    return wide.empty() ? static_cast<double>(narrow[place]) : wide[place];
  }
  [[nodiscard]] double probability(std::size_t r, std::size_t c) const {
    if (columns > 1) return at(r, c);
    return c == 1 ? at(r, 0) : 1 - at(r, 0);
  }
  [[nodiscard]] std::size_t predicted(std::size_t r) const {
    if (columns == 1) return at(r, 0) > 0.5;
    std::size_t best = 0;
    for (std::size_t c = 1; c < columns; ++c) best = at(r, c) > at(r, best) ? c : best;
    return best;
  }
  [[nodiscard]] double total_weight() const { return std::accumulate(weights.begin(), weights.end(), 0.0); }
  [[nodiscard]] bool defined() const { return total_weight() > 0 && !any_nan(narrow) && !any_nan(wide); }
};

Confusion count(const Classified& data) {
  Confusion confusion(data.classes);
  for (std::size_t r = 0; r < data.rows; ++r) confusion.add(data.labels[r], data.predicted(r), data.weights[r]);
  return confusion;
}

/// The score of class 1 for two classes, undefined where no row has or was given it; or the mean over the classes that
/// occur.
template <class Score>
double class_score(const Classified& data, Score score) {
  if (!data.defined()) return undefined;
  const Confusion confusion = count(data);
  if (data.classes == 2) return confusion.of(1).occurs() ? score(confusion.of(1)) : undefined;
  double sum = 0;
  int occurring = 0;
  for (std::size_t c = 0; c < data.classes; ++c) {
    if (!confusion.of(c).occurs()) continue;
    sum += score(confusion.of(c));
    ++occurring;
  }
  return sum / occurring;
}

/// The scores of the rows of one class, ascending, with cumulative weights.
struct Positives {
  std::vector<double> scores, up_to = {0};

  Positives(const Classified& data, std::size_t c, const std::vector<std::size_t>& rows) {
    std::vector<std::pair<double, double>> sorted;
    for (const std::size_t r : rows) sorted.emplace_back(data.probability(r, c), data.weights[r]);
    std::ranges::sort(sorted);
    for (const auto& [score, weight] : sorted) {
      scores.push_back(score);
      up_to.push_back(up_to.back() + weight);
    }
  }
  /// The weight of the rows above a score, plus half the weight of those equal to it.
  [[nodiscard]] double above(double score) const {
    const auto [low, high] = std::ranges::equal_range(scores, score);
    return up_to.back() - (up_to[static_cast<std::size_t>(low - scores.begin())] +
                           up_to[static_cast<std::size_t>(high - scores.begin())]) /
                              2;
  }
};

/// Area under the ROC curve of class c, whose rows are given, against all other classes: each other row is ranked among
/// them.
double auc_of_class(const Classified& data, std::size_t c, const std::vector<std::size_t>& rows) {
  const Positives positives(data, c, rows);
  double negative = 0, pairs = 0;  // weight of correctly ordered pairs
  for (std::size_t r = 0; r < data.rows; ++r) {
    if (data.labels[r] == c || data.weights[r] == 0) continue;
    negative += data.weights[r];
    pairs += data.weights[r] * positives.above(data.probability(r, c));
  }
  const double positive = positives.up_to.back();
  return positive > 0 && negative > 0 ? pairs / (positive * negative) : undefined;
}

}  // namespace

Tensor confusion_matrix(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Confusion confusion = count(Classified(predictions, targets, weights, "confusion_matrix"));
  const std::size_t n = confusion.size();
  Tensor matrix({static_cast<std::int64_t>(n), static_cast<std::int64_t>(n)}, f64);
  const auto cells = matrix.mutable_values<double>();
  for (std::size_t cell = 0; cell < n * n; ++cell) cells[cell] = confusion.at(cell / n, cell % n);
  return matrix;
}

double accuracy(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Classified data(predictions, targets, weights, "accuracy");
  if (!data.defined()) return undefined;
  double right = 0;
  for (std::size_t r = 0; r < data.rows; ++r) right += data.predicted(r) == data.labels[r] ? data.weights[r] : 0;
  return right / data.total_weight();
}

double precision(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  return class_score(Classified(predictions, targets, weights, "precision"),
                     [](const Confusion::Counts& c) { return c.precision(); });
}

double recall(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Classified data(predictions, targets, weights, "recall");
  return class_score(data, [&](const Confusion::Counts& c) {
    return data.classes == 2 && c.tp + c.fn == 0 ? undefined : c.recall();  // of no rows
  });
}

double f1(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  return class_score(Classified(predictions, targets, weights, "f1"),
                     [](const Confusion::Counts& c) { return c.f1(); });
}

double auc(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Classified data(predictions, targets, weights, "auc");
  if (!data.defined()) return undefined;
  std::vector<std::vector<std::size_t>> rows(data.classes);
  for (std::size_t r = 0; r < data.rows; ++r) rows[data.labels[r]].push_back(r);
  if (data.classes == 2) return auc_of_class(data, 1, rows[1]);
  double sum = 0;
  int compared = 0;
  for (std::size_t c = 0; c < data.classes; ++c) {
    if (rows[c].empty()) continue;
    const double area = auc_of_class(data, c, rows[c]);
    if (std::isnan(area)) continue;
    sum += area;
    ++compared;
  }
  return compared ? sum / compared : undefined;
}

double log_loss(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Classified data(predictions, targets, weights, "log_loss");
  if (!data.defined()) return undefined;
  double sum = 0;
  for (std::size_t r = 0; r < data.rows; ++r) {
    sum -= data.weights[r] * std::log(std::clamp(data.probability(r, data.labels[r]), data.eps, 1 - data.eps));
  }
  return sum / data.total_weight();
}

namespace {

/// Predicted and true values with their weights, validated.
struct Regressed {
  Tensor predictions, targets;  // f64 (rows, outputs)
  std::size_t rows, outputs;
  std::vector<double> weights;
  int exponent = 0;  // the values are divided by 2 to this power, so that squares stay in the range of f64

  Regressed(const Tensor& predicted, const Tensor& wanted, const Weights& given, std::string_view where)
      : predictions(predicted.to(f64)),
        targets(wanted.to(f64)),
        rows(static_cast<std::size_t>(rows_of(predicted, where))),
        outputs(predicted.shape().rank() == 1 ? 1 : static_cast<std::size_t>(predicted.shape()[1])),
        weights(row_weights(given, predicted.shape()[0], where)) {
    const bool same_rows = wanted.shape().rank() > 0 && wanted.shape()[0] == predicted.shape()[0];
    if (wanted.size() != predicted.size() || !same_rows) {
      fail<UsageError>("[{}] targets of shape {} for predictions of shape {}. Wanted: a target a prediction.", where,
                       wanted.shape(), predicted.shape());
    }
    keep_in_range();
  }

  void keep_in_range() {
    constexpr double small = 1e-140, large = 1e140;
    double most = 0;
    for (const Tensor* values : {&predictions, &targets}) {
      for (const double x : values->values<double>()) most = std::max(most, std::abs(x));
    }
    if (!(most > 0 && std::isfinite(most) && (most < small || most > large))) return;
    exponent = std::ilogb(most);
    for (Tensor* values : {&predictions, &targets}) {
      for (double& x : values->mutable_values<double>()) x = std::ldexp(x, -exponent);
    }
  }

  [[nodiscard]] double target(std::size_t r, std::size_t o) const { return targets.values<double>()[r * outputs + o]; }
  [[nodiscard]] double error(std::size_t r, std::size_t o) const {
    return predictions.values<double>()[r * outputs + o] - target(r, o);
  }
  /// The weighted mean over rows of f(row).
  template <class F>
  [[nodiscard]] double mean(F f) const {
    double sum = 0, weight = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      sum += weights[r] * f(r);
      weight += weights[r];
    }
    return weight > 0 ? sum / weight : undefined;
  }
  /// The mean over outputs of f(output).
  template <class F>
  [[nodiscard]] double over_outputs(F f) const {
    double sum = 0;
    for (std::size_t o = 0; o < outputs; ++o) sum += f(o);
    return sum / static_cast<double>(outputs);
  }
  /// Whether the targets of all rows with a weight are the same.
  [[nodiscard]] bool is_constant(std::size_t o) const {
    std::optional<double> first;
    for (std::size_t r = 0; r < rows; ++r) {
      if (weights[r] == 0) continue;
      if (target(r, o) != first.value_or(target(r, o))) return false;
      first = target(r, o);
    }
    return true;
  }
  [[nodiscard]] double squared_error(std::size_t o) const {
    return mean([&](std::size_t r) { return error(r, o) * error(r, o); });
  }
};

}  // namespace

double rmse(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Regressed data(predictions, targets, weights, "rmse");
  return std::ldexp(std::sqrt(data.over_outputs([&](std::size_t o) { return data.squared_error(o); })), data.exponent);
}

double mae(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Regressed data(predictions, targets, weights, "mae");
  const double mean = data.over_outputs(
      [&](std::size_t o) { return data.mean([&](std::size_t r) { return std::abs(data.error(r, o)); }); });
  return std::ldexp(mean, data.exponent);
}

double r2(const Tensor& predictions, const Tensor& targets, const Weights& weights) {
  const Regressed data(predictions, targets, weights, "r2");
  const double variance = data.over_outputs([&](std::size_t o) {
    if (data.is_constant(o)) return 0.0;  // the mean may be rounded and differ from the targets
    const double mean = data.mean([&](std::size_t r) { return data.target(r, o); });
    return data.mean([&](std::size_t r) { return std::pow(data.target(r, o) - mean, 2); });
  });
  const double error = data.over_outputs([&](std::size_t o) { return data.squared_error(o); });
  return variance > 0 ? 1 - error / variance : undefined;
}

}  // namespace metric

Confusion confusion_of(const Tensor& predictions, const Tensor& targets, const metric::Weights& weights) {
  return metric::count(metric::Classified(predictions, targets, weights, "confusion"));
}

bool MetricRow::serves(Task task) const { return std::ranges::find(tasks, task) != tasks.end(); }

std::span<const MetricRow> metrics() {
  static const std::vector<Task> values = {Task::regression}, classes = {Task::binary, Task::multiclass};
  static const std::vector<MetricRow> table = {
      {"accuracy", "part of the rows predicted right", "sum w [predicted = target] / sum w", classes, true,
       metric::accuracy},
      {"precision", "part right of those predicted positive; macro mean over classes", "tp / (tp + fp)", classes, true,
       metric::precision},
      {"recall", "part found of those that are positive; macro mean over classes", "tp / (tp + fn)", classes, true,
       metric::recall},
      {"f1", "harmonic mean of precision and recall; macro mean over classes", "2 tp / (2 tp + fp + fn)", classes, true,
       metric::f1},
      {"auc", "area under the ROC curve; mean of each class against the rest",
       "P(score of a positive > of a negative) + P(equal)/2", classes, true, metric::auc},
      {"log_loss", "mean negative log-probability of the true class", "-sum w log p(target) / sum w", classes, false,
       metric::log_loss},
      {"rmse", "root of the mean squared error, in the target's unit", "sqrt(sum w (prediction - target)^2 / sum w)",
       values, false, metric::rmse},
      {"mae", "mean absolute error, in the target's unit", "sum w |prediction - target| / sum w", values, false,
       metric::mae},
      {"r2", "part of the target's variance that is explained", "1 - mse / variance of the target", values, true,
       metric::r2},
  };
  return table;
}

const MetricRow& find_metric(std::string_view name) {
  std::vector<std::string> names;
  for (const MetricRow& row : metrics()) {
    if (row.name == name) return row;
    names.emplace_back(row.name);
  }
  fail<UsageError>("[metric] unknown metric '{}'. Hint: {}", name, name_hint(name, names));
}

std::string format_metric(double value) { return figure(value); }

}  // namespace thalweg
