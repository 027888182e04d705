#include "thalweg/model.hpp"
#include "thalweg/optimizers.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "core/error.hpp"
#include "core/escape.hpp"
#include "engine/objective.hpp"
#include "run/model_parts.hpp"
#include "run/run.hpp"

namespace thalweg {

namespace {

using TensorsByName = std::map<std::string_view, const Tensor*>;

/// What the file lacks or has otherwise than the model, one difference.
void check_parameters(const TracedObjective& traced, const TensorsByName& tensors, const std::string& name) {
  for (const TracedParameter& p : traced.parameters) {
    const auto found = tensors.find(p.name);
    if (found == tensors.end()) fail<ModelError>("[model] {} has no parameter '{}'", name, p.name);
    const Tensor& tensor = *found->second;
    if (tensor.shape() != p.var.shape() || tensor.dtype() != p.var.dtype()) {
      fail<ModelError>("[model] {}: parameter '{}' is {} {}. Wanted: {} {}", name, p.name, tensor.dtype(),
                       tensor.shape(), p.var.dtype(), p.var.shape());
    }
  }
  if (tensors.size() != traced.parameters.size()) {
    fail<ModelError>("[model] {} has {} parameters. Wanted: {}", name, tensors.size(), traced.parameters.size());
  }
}

/// A prediction is as large as whoever reads it takes it to be: classes are named, and tokens looked up, by its places.
void check_prediction(const Var& y, const Recipe& recipe, const std::string& name) {
  const auto refuse = [&](std::string_view wanted) {
    fail<ModelError>("[model] {}: it predicts {} {} for {} rows. Wanted: {}", name, y.dtype(), y.shape(),
                     Model::Parts::block_rows, wanted);
  };
  if (y.dtype() != f32 || y.rank() == 0 || y.dim(0) != Model::Parts::block_rows) refuse("f32, row by row");
  const bool regression = recipe.preprocessing.task() == data::Task::regression;
  if (y.size() == 0) refuse("at least one number a row");
  if (regression) return;
  if (y.dim(-1) != recipe.outputs) refuse(fmt::format("{} in the last axis", recipe.outputs));
  if (!recipe.preprocessing.text() && y.size() != Model::Parts::block_rows * recipe.outputs)
    refuse(fmt::format("{} a row", recipe.outputs));
}

void plan_blocks(Model::Parts& parts, const TracedObjective& traced, const TensorsByName& tensors) {
  std::vector<Bound> inputs = {{traced.columns.front(), {first_user_base, 0}}};
  int base = first_user_base + 2;
  for (const TracedParameter& p : traced.parameters) {
    parts.parameters.emplace_back(p.name, *tensors.at(p.name));
    inputs.push_back({p.var, {base++, 0}});
  }
  for (auto& [parameter, tensor] : parts.parameters) parts.bases.push_back(tensor.mutable_raw());
  const Var y = traced.result.prediction;
  parts.outputs = y.size() / Model::Parts::block_rows;
  parts.program = std::make_unique<Program>(*traced.graph, inputs, std::vector<Bound>{{y, {first_user_base + 1, 0}}});
}

std::filesystem::path file_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  if (RunFolder::finished(path) && !std::filesystem::exists(path / "model.safetensors")) {
    fail<UsageError>("[model] {} holds the runs of variants. Hint: name one of the folders in it.", path.string());
  }
  if (RunFolder::finished(path)) return path / "model.safetensors";
  if (!std::filesystem::exists(path / "config.toml")) fail<UsageError>("[model] {} is no run folder", path.string());
  fail<ModelError>("[model] {} has not finished. Hint: thalweg train {} --resume", path.string(),
                   shell_quoted(path.string()));
}

}  // namespace

Model Model::load(const Path& path, const Registry& registry) {
  const std::filesystem::path place = file_of(path.string());
  const SafetensorsFile file = read_safetensors(place);
  const std::string name = place.string();
  auto parts = std::make_shared<Parts>(recipe_of(file, name));
  try {
    parts->model = parts->recipe.make_model(registry);
    parts->loss = parts->recipe.make_loss(registry);
    const nn::ModelRow& row = registry.model(parts->recipe.model.kind);
    if (row.step) parts->step = row.step(parts->recipe.outputs, parts->recipe.model.options);
    const TracedObjective traced =
        trace_objective(evaluation_of(parts->model, *parts->loss), {{"input", parts->recipe.input()}},
                        Parts::block_rows, Mode::evaluate, f32);
    TensorsByName tensors;
    for (const auto& [parameter, tensor] : file.tensors) tensors.emplace(parameter, &tensor);
    check_parameters(traced, tensors, name);
    check_prediction(traced.result.prediction, parts->recipe, name);
    plan_blocks(*parts, traced, tensors);
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
  if (const auto* table = parts->recipe.preprocessing.table()) {
    for (const auto& feature : table->schema().features) parts->input_names.push_back(feature.name);
  }
  return Model(std::move(parts));
}

void Model::Parts::run(const std::byte* input, std::int64_t rows, float* output) const {
  const std::size_t all = input_bytes() * block_rows, given = input_bytes() * static_cast<std::size_t>(rows);
  const std::size_t in_bytes = (all + 63) / 64 * 64, outs = static_cast<std::size_t>(outputs * block_rows);
  const std::size_t out_bytes = (outs * sizeof(float) + 63) / 64 * 64;
  const auto memory = arenas.take(in_bytes + out_bytes + program->arena_bytes());
  std::byte* const in = memory.data();
  std::byte* const out = in + in_bytes;
  std::memcpy(in, input, given);
  std::memset(in + given, 0, all - given);
  std::vector<std::byte*> places = {in, out};
  places.insert(places.end(), bases.begin(), bases.end());
  Workers alone(1);
  const FlushDenormals flush;
  program->run(places, out + out_bytes, alone);
  std::memcpy(output, out, static_cast<std::size_t>(rows * outputs) * sizeof(float));
}

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
  const Parts& parts = *parts_;
  const bool two_classes = parts.recipe.preprocessing.task() == data::Task::binary;
  Tensor result({rows, two_classes ? 2 : outputs});
  const auto out = result.mutable_values<float>();
  const auto* table = parts.recipe.preprocessing.table();
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (two_classes) {
      out[2 * i] = 1 - raw[i];
      out[2 * i + 1] = raw[i];
    } else if (table && table->schema().task == data::Task::regression) {
      out[i] = static_cast<float>(table->target().inverse(static_cast<double>(raw[i])));
    } else {
      out[i] = raw[i];
    }
  }
  return result;
}

namespace {

/// A number as the shortest text that is that number: what a CSV file has.
std::string cell_of(float x) { return std::isnan(x) ? "" : fmt::format("{}", x); }

Prediction prediction_of(const Tensor& row, bool regression) {
  const auto values = row.values<float>();
  if (regression) return {.value = values[0]};
  const auto likeliest = std::ranges::max_element(values) - values.begin();
  return {.value = static_cast<float>(likeliest), .probabilities = {values.begin(), values.end()}};
}

}  // namespace

Prediction Model::predict_cells(std::span<const std::string_view> cells, std::span<std::int64_t> unknown) const {
  const data::TablePreprocessing* table = parts_->recipe.preprocessing.table();
  if (!table) fail<UsageError>("[model] only a model of a table has cells to predict from");
  Tensor input({1, table->width()});
  table->encode_row(cells, input.mutable_values<float>(), unknown);
  return prediction_of(predict_encoded(input), table->schema().task == data::Task::regression);
}

Prediction Model::predict_row(std::span<const float> row) const {
  if (parts_->is_table()) {
    if (row.size() != parts_->input_names.size()) {
      fail<UsageError>("[model] the row has {} numbers. Wanted: {}", row.size(), parts_->input_names.size());
    }
    std::vector<std::string> texts;
    for (const float x : row) texts.push_back(cell_of(x));
    return predict_cells(std::vector<std::string_view>(texts.begin(), texts.end()));
  }
  const Signature input = parts_->recipe.input();
  const Tensor image = Tensor::from(row, input.shape).to(input.dtype);
  Shape batch{1};
  for (const std::int64_t size : input.shape) batch.push_back(size);
  return prediction_of(predict_encoded(image.reshape(batch)),
                       parts_->recipe.preprocessing.task() == data::Task::regression);
}

Tensor Model::predict(const Tensor& rows) const {
  if (!parts_->is_table()) return predict_encoded(rows.to(parts_->recipe.input().dtype));
  const data::TablePreprocessing& table = *parts_->recipe.preprocessing.table();
  const auto features = static_cast<std::int64_t>(parts_->input_names.size());
  if (rows.shape().rank() != 2 || rows.shape()[1] != features) {
    fail<UsageError>("[model] the rows are {}. Wanted: (rows, {})", rows.shape(), features);
  }
  const Tensor numbers = rows.to(f32);
  Tensor input({rows.shape()[0], table.width()});
  const auto from = numbers.values<float>();
  const auto into = input.mutable_values<float>();
  std::vector<std::string> texts(static_cast<std::size_t>(features));
  for (std::int64_t row = 0; row < rows.shape()[0]; ++row) {
    for (std::size_t i = 0; i < texts.size(); ++i)
      texts[i] = cell_of(from[static_cast<std::size_t>(row * features) + i]);
    table.encode_row(
        std::vector<std::string_view>(texts.begin(), texts.end()),
        into.subspan(static_cast<std::size_t>(row * table.width()), static_cast<std::size_t>(table.width())));
  }
  return predict_encoded(input);
}

Evaluation Model::evaluate(const Dataset& data) const {
  State state;
  Trainer trainer(parts_->model, *parts_->loss, optim::sgd({.lr = 1}), 1);
  trainer.init(data.slice(0, std::min<std::int64_t>(1, data.rows())), 1);
  state = trainer.state();
  for (const auto& [name, tensor] : parts_->parameters) state.set_parameter(name, tensor);
  trainer.set_state(std::move(state));
  if (const auto* table = parts_->recipe.preprocessing.table()) {
    trainer.set_target_scale(table->target().shift, 1 / table->target().scale);
  }
  if (const auto* text = parts_->recipe.preprocessing.text()) trainer.set_token_bytes(text->token_bytes());
  return trainer.evaluate(data);
}

const std::vector<std::string>& Model::input_names() const { return parts_->input_names; }
const std::vector<std::string>& Model::classes() const { return parts_->recipe.preprocessing.classes(); }
const std::vector<std::pair<std::string, Tensor>>& Model::parameters() const { return parts_->parameters; }

}  // namespace thalweg
