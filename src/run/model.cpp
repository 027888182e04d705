// Model: weights, preprocessing and column names from one file, for predictions.

#include "thalweg/model.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "core/mirrored.hpp"
#include "engine/evaluate.hpp"
#include "loss/likelihood.hpp"
#include "run/model_parts.hpp"
#include "run/other_kind.hpp"
#include "run/run.hpp"
#include "thalweg/ops.hpp"
#include "train/evaluation.hpp"

namespace thalweg {

namespace {

using TensorsByName = std::map<std::string_view, const Tensor*>;

/// Throws if the file lacks a parameter of the model, or has it with another shape. It is called while the model is
/// traced, so that a wrong number of layers stops the trace at the first parameter that the file does not have.
ParameterCheck only_those_in(const TensorsByName& tensors, const std::string& name) {
  return [&tensors, &name](const std::string& parameter, const Shape& shape) {
    const auto found = tensors.find(parameter);
    if (found == tensors.end()) fail<ModelError>("[model] {} has no parameter '{}'", name, parameter);
    const Tensor& tensor = *found->second;
    if (tensor.shape() != shape || tensor.dtype() != f32) {
      fail<ModelError>("[model] {}: parameter '{}' is {} {}. Wanted: {} {}", name, parameter, tensor.dtype(),
                       tensor.shape(), f32, shape);
    }
  };
}

/// Throws unless a prediction has the expected size, because positions in it are used as indices of classes and tokens.
void check_prediction(const Var& y, const Recipe& recipe, bool scores, const std::string& name) {
  const auto refuse = [&](std::string_view wanted) {
    fail<ModelError>("[model] {}: it predicts {} {} for {} rows. Wanted: {}", name, y.dtype(), y.shape(),
                     Model::Parts::block_rows, wanted);
  };
  if (y.dtype() != f32 || y.rank() == 0 || y.dim(0) != Model::Parts::block_rows) refuse("f32, row by row");
  const bool regression = recipe.preprocessing.task() == data::Task::regression;
  if (y.size() == 0) refuse("at least one number a row");
  if (regression) return;
  const auto classes = static_cast<std::int64_t>(recipe.preprocessing.classes().size());
  if (recipe.preprocessing.task() == data::Task::multiclass && classes > 0 && classes != recipe.outputs)
    refuse(fmt::format("{}, one a class", classes));
  const std::int64_t each = scores && recipe.outputs == 1 ? 2 : recipe.outputs;
  if (y.dim(-1) != each) refuse(fmt::format("{} in the last axis", each));
  if (!recipe.preprocessing.text() && y.size() != Model::Parts::block_rows * each)
    refuse(fmt::format("{} a row", each));
}

/// The parameters in the order of the model.
State state_of(const TracedObjective& traced, const TensorsByName& tensors) {
  Layout layout;
  for (const TracedParameter& p : traced.parameters) {
    layout.entries.push_back({.name = p.name, .shape = p.var.shape(), .offset = layout.size});
    layout.size += p.var.size();
  }
  State state;
  state.layout = std::make_shared<const Layout>(std::move(layout));
  state.parameters = Tensor({state.layout->size});
  for (const TracedParameter& p : traced.parameters) state.set_parameter(p.name, *tensors.at(p.name));
  return state;
}

void plan_blocks(Model::Parts& parts, const TracedObjective& traced) {
  Var y = traced.result.prediction;
  const loss::Likelihood* const likelihood = loss::likelihood_of(parts.loss->name());
  const bool is_number = parts.recipe.preprocessing.task() == data::Task::regression;
  parts.has_deviation = is_number && likelihood && likelihood->deviation;
  if (parts.has_deviation) y = concat({y, likelihood->deviation(traced.result.output, parts.loss->options())}, -1);
  parts.outputs = y.size() / Model::Parts::block_rows;
  parts.forward.emplace(*traced.graph, traced.columns, traced.parameters, *parts.state.layout,
                        std::vector<ForwardProgram::Output>{{y}}, traced.random, parts.device);
  // only once, not in each run
  if (Device* far = parts.device.far()) (void)Mirrored::write_there(*far, parts.state.parameters);
}

}  // namespace

Model Model::finish(std::shared_ptr<Parts> parts, const SafetensorsFile& file, const std::string& name) {
  expect_finite(file, name);
  TensorsByName tensors;
  for (const auto& [parameter, tensor] : file.tensors) tensors.emplace(parameter, &tensor);
  const TracedObjective traced =
      trace_objective(evaluation_of(parts->model, *parts->loss), {{"input", parts->recipe.input()}}, Parts::block_rows,
                      Mode::evaluate, f32, only_those_in(tensors, name));
  if (tensors.size() != traced.parameters.size()) {
    fail<ModelError>("[model] {} has {} parameters. Wanted: {}", name, tensors.size(), traced.parameters.size());
  }
  const Var& prediction = traced.result.prediction;
  if (parts->recipe.model.kind.empty()) parts->recipe.outputs = prediction.rank() > 1 ? prediction.dim(-1) : 1;
  check_prediction(prediction, parts->recipe, parts->loss->traits().scores, name);
  parts->state = state_of(traced, tensors);
  for (const ParameterEntry& entry : parts->state.layout->entries) {
    const Tensor flat = parts->state.parameters.rows(entry.offset, entry.offset + entry.shape.size());
    parts->parameters.emplace_back(entry.name, flat.reshape(entry.shape));
  }
  plan_blocks(*parts, traced);
  if (const auto* table = parts->recipe.preprocessing.table()) {
    for (const auto& feature : table->schema().features) parts->input_names.push_back(feature.name);
  }
  return Model(std::move(parts));
}

Model Model::load(const Path& path, const Registry& registry) {
  const std::filesystem::path place = model_file(path.string());
  const SafetensorsFile file = read_safetensors(place);
  refuse_other_kind(file, place);
  const std::string name = place.string();
  auto parts = std::make_shared<Parts>(recipe_of(file, name));
  try {
    parts->model = parts->recipe.make_model(registry);
    parts->loss = parts->recipe.make_loss(registry);
    const nn::ModelRow& row = registry.model(parts->recipe.model.kind);
    if (row.step) parts->step = row.step(parts->recipe.outputs, parts->recipe.model.options);
    return finish(std::move(parts), file, name);
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

Model Model::load(const Path& path, ModelFunction model, const Registry& registry) {
  const std::string name = model_file(path.string()).string();
  const SafetensorsFile file = read_safetensors(name);
  auto parts = std::make_shared<Parts>(trained_recipe_of(file, name));
  try {
    parts->model = std::move(model);
    parts->loss = parts->recipe.make_loss(registry);
    return finish(std::move(parts), file, name);
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

void Model::Parts::run(const std::byte* input, std::int64_t rows, float* output) const {
  const std::size_t all = input_bytes() * block_rows, given = input_bytes() * static_cast<std::size_t>(rows);
  const std::size_t in_bytes = (all + 63) / 64 * 64, outs = static_cast<std::size_t>(outputs * block_rows);
  const std::size_t out_bytes = (outs * sizeof(float) + 63) / 64 * 64;
  const auto memory = arenas.take(in_bytes + out_bytes + forward->memory_bytes());
  std::byte* const in = memory.data();
  std::byte* const out = in + in_bytes;
  const std::byte* const inputs[] = {in};
  std::memcpy(in, input, given);
  std::memset(in + given, 0, all - given);
  Workers alone(1);
  const FlushDenormals flush;
  if (device.far()) {
    const std::span<const std::byte> from(in, all);
    const std::span<std::byte> to(out, outs * sizeof(float));
    forward->run_there({&from, 1}, state.parameters, {&to, 1}, there, alone);
  } else {
    forward->run(inputs, state.parameters, std::span(&out, 1), out + out_bytes, alone);
  }
  std::memcpy(output, out, static_cast<std::size_t>(rows * outputs) * sizeof(float));
}

namespace {

/// The probabilities of both classes, from the probability of the second one.
Tensor both_classes(std::span<const float> raw) {
  Tensor result({static_cast<std::int64_t>(raw.size()), 2});
  const auto out = result.mutable_values<float>();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    out[2 * i] = 1 - raw[i];
    out[2 * i + 1] = raw[i];
  }
  return result;
}

/// Converts to the unit of the target, in f64, because values such as a date in seconds need more digits than f32 has.
/// With deviations, each second number is one, to which the target's shift does not apply.
Tensor in_units(std::span<const float> raw, const Shape& shape, const data::Affine& unit, bool deviations) {
  Tensor result(shape, f64);
  const auto out = result.mutable_values<double>();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const auto y = static_cast<double>(raw[i]);
    out[i] = deviations && i % 2 == 1 ? y / unit.scale : unit.inverse(y);
  }
  return result;
}

}  // namespace

Tensor Model::predict_encoded(const Tensor& input) const {
  const Signature row = parts_->recipe.input();
  Shape wanted{input.shape().rank() > 0 ? input.shape()[0] : 0};
  for (const std::int64_t size : row.shape) wanted.push_back(size);
  if (input.shape() != wanted || input.dtype() != row.dtype) {
    fail<UsageError>("[model] the input is {} {}. Wanted: {} {}", input.dtype(), input.shape(), row.dtype, wanted);
  }
  const std::int64_t rows = wanted[0], outputs = parts_->outputs;
  std::vector<float> raw(static_cast<std::size_t>(rows * outputs));
  for (std::int64_t begin = 0; begin < rows; begin += Parts::block_rows) {
    parts_->run(input.raw() + static_cast<std::size_t>(begin) * parts_->input_bytes(),
                std::min(Parts::block_rows, rows - begin), raw.data() + begin * outputs);
  }
  const data::Preprocessing& preprocessing = parts_->recipe.preprocessing;
  const auto* table = preprocessing.table();
  if (preprocessing.task() == data::Task::binary && outputs == 1) return both_classes(raw);
  const data::Affine own = table ? table->target() : data::Affine{};
  const bool as_it_is = own == data::Affine{} && parts_->recipe.unit == data::Affine{};
  if (preprocessing.task() != data::Task::regression || as_it_is) return Tensor::from(raw, {rows, outputs});
  const data::Affine& unit = table ? own : parts_->recipe.unit;
  return in_units(raw, {rows, outputs}, unit, parts_->has_deviation);
}

namespace {

Prediction prediction_of(const Tensor& row, const Model::Parts& parts) {
  if (parts.recipe.preprocessing.task() == data::Task::regression)
    return {.value = row.at(0), .deviation = parts.has_deviation ? std::optional(row.at(1)) : std::nullopt};
  const auto values = row.values<float>();
  const auto likeliest = std::ranges::max_element(values) - values.begin();
  return {.value = static_cast<double>(likeliest), .probabilities = {values.begin(), values.end()}};
}

}  // namespace

Prediction Model::predict_cells(std::span<const std::string_view> cells, std::span<std::int64_t> unknown) const {
  const data::TablePreprocessing* table = parts_->recipe.preprocessing.table();
  if (!table) fail<UsageError>("[model] only a model of a table has cells to predict from");
  Tensor input({1, table->width()});
  table->encode_row(cells, input.mutable_values<float>(), unknown);
  return prediction_of(predict_encoded(input), *parts_);
}

Prediction Model::predict_row(std::span<const float> row) const {
  if (const data::TablePreprocessing* table = parts_->recipe.preprocessing.table()) {
    if (row.size() != parts_->input_names.size()) {
      fail<UsageError>("[model] the row has {} numbers. Wanted: {}", row.size(), parts_->input_names.size());
    }
    Tensor encoded({1, table->width()});
    table->encode_numbers(row, encoded.mutable_values<float>());
    return prediction_of(predict_encoded(encoded), *parts_);
  }
  const Signature input = parts_->recipe.input();
  if (std::ssize(row) != input.shape.size())
    fail<UsageError>("[model] the row has {} numbers. Wanted: {}, as many as the shape {} holds", row.size(),
                     input.shape.size(), input.shape);
  const Tensor image = Tensor::from(row, input.shape).to(input.dtype);
  Shape batch{1};
  for (const std::int64_t size : input.shape) batch.push_back(size);
  return prediction_of(predict_encoded(image.reshape(batch)), *parts_);
}

Tensor Model::predict(const Tensor& rows) const {
  if (!parts_->is_table()) return predict_encoded(rows.to(parts_->recipe.input().dtype));
  const data::TablePreprocessing& table = *parts_->recipe.preprocessing.table();
  const auto features = static_cast<std::int64_t>(parts_->input_names.size());
  if (rows.shape().rank() != 2 || rows.shape()[1] != features) {
    fail<UsageError>("[model] the rows are {}. Wanted: (rows, {}), a number for each column the model reads",
                     rows.shape(), features);
  }
  const Tensor numbers = rows.to(f32);
  Tensor input({rows.shape()[0], table.width()});
  const auto from = numbers.values<float>();
  const auto into = input.mutable_values<float>();
  const auto width = static_cast<std::size_t>(table.width()), count = static_cast<std::size_t>(features);
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows.shape()[0]); ++row) {
    table.encode_numbers(from.subspan(row * count, count), into.subspan(row * width, width));
  }
  return predict_encoded(input);
}

Evaluation Model::evaluate(const Dataset& data) const {
  Evaluator evaluator(evaluation_of(parts_->model, *parts_->loss), parts_->device.far());
  BlockPool pool(parts_->device.far());
  Workers workers;
  const auto run = [&](const Dataset& rows, Tensor& predictions) {
    return evaluator(parts_->state, rows, predictions, pool, workers);
  };
  return evaluation_by(run, &*parts_->loss, data);
}

const std::vector<std::string>& Model::input_names() const { return parts_->input_names; }
const std::vector<std::string>& Model::classes() const { return parts_->recipe.preprocessing.classes(); }
const std::vector<std::pair<std::string, Tensor>>& Model::parameters() const { return parts_->parameters; }

}  // namespace thalweg
