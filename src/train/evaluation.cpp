#include "train/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <ostream>

#include "core/error.hpp"
#include "core/numbers.hpp"
#include "data/row_weights.hpp"
#include "thalweg/metrics.hpp"

namespace thalweg {

/// In f64, because an offset in the target's unit may need all digits of f32.
void put_back(Tensor& values, const TargetUnit& unit) {
  if (unit.shift == 0 && unit.scale == 1) return;
  values = values.to(f64);
  for (std::int64_t i = 0; i < values.size(); ++i) values.set(i, unit.shift + unit.scale * values.at(i));
}

namespace {

/// (rows, ...) as (rows, outputs): each number of an image is an output.
Tensor flat(const Tensor& values) {
  const std::int64_t rows = values.shape()[0];
  return values.reshape({rows, rows ? values.size() / rows : 1});
}

}  // namespace

metric::Weights weights_on(const LossFunction& loss, const Dataset& data) {
  const Tensor& targets = data["target"];
  const auto& ignored = loss.traits().ignored_labels;
  const bool labels = targets.dtype() == i32 && !ignored.empty();
  if (!labels && !data.has("weight")) return std::nullopt;
  const std::int64_t rows = data.rows(), each = labels ? targets.size() / std::max<std::int64_t>(1, rows) : 1;
  Tensor weights = ones({rows * each}, f64);
  for (std::int64_t i = 0; i < weights.size(); ++i) {
    if (data.has("weight")) weights.set(i, data["weight"].at(i / each));
    if (labels && std::ranges::count(ignored, static_cast<std::int64_t>(targets.at(i))) > 0) weights.set(i, 0);
  }
  return weights;
}

namespace {

/// The number of rows with a label or value that is not ignored.
std::int64_t rows_that_count(const metric::Weights& weights, std::int64_t rows) {
  if (!weights || rows == 0) return rows;
  const std::int64_t each = weights->size() / rows;
  std::int64_t counted = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    bool counts = false;
    for (std::int64_t i = row * each; i < (row + 1) * each && !counts; ++i) counts = weights->at(i) != 0;
    counted += counts ? 1 : 0;
  }
  return counted;
}

/// The loss is in nats per token; tokens that the loss ignores have no bytes.
void add_text_metrics(Evaluation& result, const LossFunction& loss, const Dataset& data) {
  const double nats = result.metrics.front().second;
  result.metrics.emplace_back("perplexity", std::exp(nats));
  const auto& token_bytes = data.unit().token_bytes;
  if (!token_bytes) return;
  const auto targets = data["target"].values<std::int32_t>();
  const metric::Weights weights = weights_on(loss, data);
  const auto count = static_cast<std::int64_t>(targets.size());
  const std::int64_t each = weights ? count / std::max<std::int64_t>(1, weights->size()) : 1;
  double bytes = 0, tokens = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double weight = weights ? weights->at(i / each) : 1;
    if (weight == 0) continue;
    tokens += weight;
    bytes += weight * token_bytes->at(targets[static_cast<std::size_t>(i)]);
  }
  result.metrics.emplace_back("bits_per_byte", nats * tokens / (std::numbers::ln2 * bytes));
}

/// The rows with a weight other than 0; a row of weight 0 may have any contents.
Dataset counted(const Tensor& predictions, const Tensor& targets, const metric::Weights& weights) {
  Dataset all;
  all.set("prediction", predictions);
  all.set("target", targets);
  if (!weights) return all;
  all.set("weight", *weights);
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < weights->size(); ++row) {
    if (weights->at(row) != 0) rows.push_back(row);
  }
  return std::ssize(rows) == weights->size() ? all : all.take(rows);
}

bool measures(const MetricRow& row, Task task) {
  return row.serves(task) && row.name != "log_loss";  // log_loss would be the loss itself
}

void add_metrics(Evaluation& result, const LossFunction& loss, Task task, const Dataset& data) {
  Tensor targets = data["target"];
  if (task == Task::regression) put_back(targets, data.unit());
  const Dataset rows = counted(result.predictions.shape().rank() > 2 ? flat(result.predictions) : result.predictions,
                               targets, weights_on(loss, data));
  const metric::Weights weights = rows.has("weight") ? metric::Weights(rows["weight"]) : std::nullopt;
  for (const MetricRow& row : metrics()) {
    if (measures(row, task))
      result.metrics.emplace_back(row.name, row.compute(rows["prediction"], rows["target"], weights));
  }
}

void add_task_metrics(Evaluation& result, const LossFunction& loss, Tensor predictions, const Dataset& data) {
  const Task task = task_on(loss, data);
  if (task == Task::language) {
    add_text_metrics(result, loss, data);
    return;
  }
  result.predictions = std::move(predictions);
  if (task == Task::regression) put_back(result.predictions, data.unit());
  add_metrics(result, loss, task, data);
}

}  // namespace

Evaluation measured(const LossSum& total, Tensor predictions, const LossFunction* loss, const Dataset& data) {
  Evaluation result;
  result.rows = data.rows();
  result.metrics.emplace_back("loss", total.sum / total.weight);
  if (loss && data.has("target")) {
    result.rows = rows_that_count(weights_on(*loss, data), data.rows());
    add_task_metrics(result, *loss, std::move(predictions), data);
  }
  std::ranges::copy(total.reports, std::back_inserter(result.metrics));
  return result;
}

Evaluation evaluation_by(const std::function<LossSum(const Dataset&, Tensor&)>& run, const LossFunction* loss,
                         const Dataset& given) {
  const Dataset data = loss ? usual_weights(given) : given;
  Tensor predictions, unused;
  LossSum total = run(data, predictions);
  if (loss && !std::isfinite(total.sum)) {  // a row of weight 0 may be the cause: 0 times infinity is NaN
    const Dataset rows = counted_rows(data);
    if (rows.rows() > 0 && rows.rows() < data.rows()) total = run(rows, unused);
  }
  return measured(total, std::move(predictions), loss, data);
}

Confusion confusion_on(const Tensor& predictions, const Dataset& data, const metric::Weights& weights) {
  const Dataset rows = counted(predictions, data["target"].reshape({data.rows()}).to(i32), weights);
  return confusion_of(rows["prediction"], rows["target"],
                      rows.has("weight") ? metric::Weights(rows["weight"]) : std::nullopt);
}

Dataset with_read(const Dataset& data, std::initializer_list<std::string_view> names) {
  constexpr std::int64_t at_once = 256;
  std::vector<std::pair<std::string_view, Tensor>> missing;
  for (const std::string_view name : names) {
    const auto column = std::ranges::find(data.columns(), name, &std::pair<std::string, Tensor>::first);
    if (column == data.columns().end() || column->second.shape()[0] == data.rows()) continue;
    Shape shape{data.rows()};
    for (const std::int64_t size : column->second.shape().sizes().subspan(1)) shape.push_back(size);
    missing.emplace_back(name, Tensor(shape, column->second.dtype()));
  }
  if (missing.empty()) return data;
  for (std::int64_t begin = 0; begin < data.rows(); begin += at_once) {
    const Dataset part = data.slice(begin, std::min(begin + at_once, data.rows()));
    for (auto& [name, values] : missing) {
      const Tensor& rows = part[name];
      const std::size_t each = rows.bytes() / static_cast<std::size_t>(part.rows());
      std::memcpy(values.mutable_raw() + static_cast<std::size_t>(begin) * each, rows.raw(), rows.bytes());
    }
  }
  Dataset result = data;
  for (auto& [name, values] : missing) result.set(name, std::move(values));
  return result;
}

namespace {
bool has_weights(const Dataset& data) { return data.has("weight") && data["weight"].size() == data.rows(); }
}  // namespace

void expect_finite_rows(const Dataset& validation) {
  const bool weighted = has_weights(validation);
  for (const auto& [name, values] : validation.columns()) {
    if (!is_float(values.dtype()) || values.shape()[0] != validation.rows()) continue;
    const std::int64_t each = values.size() / std::max<std::int64_t>(1, validation.rows());
    for (std::int64_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values.at(i)) || (weighted && validation["weight"].at(i / each) == 0)) continue;
      fail<DataError>(
          "[fit] the column '{}' has a value that is not finite ({}) in row {} of the validation rows. Hint: clean the "
          "data.",
          name, values.at(i), i / each);
    }
  }
}

namespace {

/// The weight of a row. Throws DataError where it is none.
double weight_of(const Tensor& weights, std::int64_t row) {
  const double weight = weights.at(row);
  if (!(weight >= 0 && std::isfinite(weight)))
    fail<DataError>("[data] the weight of row {} is {}. Wanted: >= 0", row, weight);
  return weight;
}

}  // namespace

void check_weights(const Dataset& data) {
  if (!has_weights(data)) return;
  const Tensor& weights = data["weight"];
  for (std::int64_t row = 0; row < weights.size(); ++row) (void)weight_of(weights, row);
}

std::vector<std::int64_t> counted_row_numbers(const Dataset& data) {
  const Tensor& weights = data["weight"];
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < data.rows(); ++row) {
    if (weight_of(weights, row) != 0) rows.push_back(row);
  }
  return rows;
}

Dataset counted_rows(const Dataset& data) {
  if (!has_weights(data)) return data;
  const std::vector<std::int64_t> rows = counted_row_numbers(data);
  return std::ssize(rows) == data.rows() ? data : data.select(rows);
}

Dataset usual_weights(const Dataset& data) {
  if (!has_weights(data) || data.rows() == 0) return data;
  Tensor weights = data["weight"];
  double sum = 0;
  for (std::int64_t row = 0; row < weights.size(); ++row) sum += weights.at(row);
  const int exponent = data::weight_exponent(sum / static_cast<double>(weights.size()));
  if (exponent == 0) return data;
  for (std::int64_t row = 0; row < weights.size(); ++row) weights.set(row, std::ldexp(weights.at(row), -exponent));
  Dataset result = data;
  result.set("weight", std::move(weights));
  return result;
}

Dataset rows_to_train(const Dataset& data, std::string_view who) {
  Dataset rows = usual_weights(counted_rows(with_read(data, {"weight"})));
  if (rows.rows() == 0 && data.rows() > 0)
    fail<DataError>("[{}] every row has weight 0: nothing is to be learned", who);
  return rows;
}

std::vector<std::string> metric_names(const LossFunction* loss, const Dataset& data) {
  std::vector<std::string> names = {"loss"};
  if (!loss || !data.has("target")) return names;
  const Task task = task_on(*loss, data);
  if (task == Task::language) {
    names.emplace_back("perplexity");
    if (data.unit().token_bytes) names.emplace_back("bits_per_byte");
  }
  for (const MetricRow& row : metrics()) {
    if (measures(row, task)) names.emplace_back(row.name);
  }
  return names;
}

Task task_on(const LossFunction& loss, const Dataset& data) {
  const Tensor& target = data["target"];
  return data.unit().token_bytes ? Task::language : loss.task_with(target.shape(), target.dtype());
}

bool metric_is_better_when_higher(const std::string& name) {
  for (const MetricRow& row : metrics()) {
    if (row.name == name) return row.higher_is_better;
  }
  return false;  // a loss: lower is better
}

double Evaluation::operator[](std::string_view metric) const {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics) {
    if (name == metric) return value;
    names.push_back(name);
  }
  fail<UsageError>("[evaluation] there is no metric '{}'. Hint: measured are {}.", metric, fmt::join(names, ", "));
}

std::ostream& operator<<(std::ostream& out, const Evaluation& evaluation) {
  const char* between = "";
  for (const auto& [name, value] : evaluation.metrics) {
    out << between << name << " " << figure(value);
    between = "  ";
  }
  return out << "  (" << evaluation.rows << " rows)";
}

}  // namespace thalweg
