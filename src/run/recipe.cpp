#include "run/recipe.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/error.hpp"
#include "data/feature_columns.hpp"
#include "options/text.hpp"
#include "store/saved_options.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

/// Replaces the columns of embedded categories in the input of a table by learned numbers: x (rows, columns) times a
/// matrix (columns, numbers) with one row per level. The initial vector of a level has about the norm of its one-hot
/// column.
Var with_embeddings(Scope s, const Var& x, const std::vector<data::EmbeddedColumns>& embedded) {
  std::vector<Var> parts;
  std::int64_t end = 0;
  for (const data::EmbeddedColumns& own : embedded) {
    if (own.begin > end) parts.push_back(slice(x, end, own.begin, 1));
    end = own.begin + own.columns;
    const double deviation = 1 / std::sqrt(static_cast<double>(own.numbers));
    const Var table = (s / "embedding")
                          .parameter("feature" + std::to_string(own.feature + 1), {own.columns, own.numbers},
                                     {.initializer = init::normal(deviation)});
    parts.push_back(matmul(slice(x, own.begin, end, 1), table));
  }
  if (end < x.dim(1)) parts.push_back(slice(x, end, x.dim(1), 1));
  return concat(parts, 1);
}

}  // namespace

ModelFunction Recipe::make_model(const Registry& registry, const AugmentOptions& augmentation) const {
  ModelFunction inner = registry.model(model.kind).make(outputs, model.options).first;
  if (offset != 0) inner = [inner = std::move(inner), own = offset](Scope s, Var x) { return inner(s, x) + own; };
  const data::TensorPreprocessing* tensor = preprocessing.tensor();
  const data::TablePreprocessing* table = preprocessing.table();
  if (auto embedded = table ? data::embedded_columns(*table) : std::vector<data::EmbeddedColumns>{};
      !embedded.empty()) {
    return [inner = std::move(inner), embedded = std::move(embedded)](Scope s, Var x) {
      return inner(s, with_embeddings(s, x, embedded));
    };
  }
  if (!tensor) return inner;
  return [inner = std::move(inner), affine = tensor->affine, augmentation](Scope s, Var x) {
    return inner(s, (augment(s, cast(x, s.dtype()), augmentation) - affine.shift) * affine.scale);
  };
}

LossFunction Recipe::make_loss(const Registry& registry) const { return registry.loss(loss.kind).make(loss.options); }

Signature Recipe::input() const {
  if (const auto* tensor = preprocessing.tensor()) return {tensor->input, tensor->dtype};
  if (const auto* text = preprocessing.text()) return {{text->sequence_length}, i32};
  if (const auto* sound = preprocessing.sound()) return {{1, sound->steps.width()}, f32};  // the shape of one step
  if (const auto* words = preprocessing.words()) return {{words->length}, i32};
  if (preprocessing.sequences()) return {{1}, i32};  // the shape of one token
  return {{preprocessing.table()->width()}, f32};
}

namespace {

constexpr const char* format_version = "1";
constexpr const char* offset_version = "2";  // for files with an offset, which older versions would ignore

const std::string& entry(const SafetensorsFile& file, const std::string& key, const std::string& name) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) {
    if (file.metadata.contains("preprocessing") || file.metadata.contains("loss.kind"))
      fail<ModelError>(
          "[model] {} has no '{}' in its metadata: it holds the parameters of a program's own model. Hint: "
          "Model::load(PATH, model), with that function",
          name, key);
    fail<ModelError>("[model] {} has no '{}' in its metadata: it is not a model of Thalweg", name, key);
  }
  return found->second;
}

Choice choice_in(const SafetensorsFile& file, const std::string& section, const std::string& name) {
  (void)entry(file, section + ".options", name);  // which says more about a model that has none
  return {entry(file, section + ".kind", name), saved_options(file, section + ".options", name)};
}

/// The number of outputs that the data requires; empty if any number is possible.
std::optional<std::int64_t> outputs_wanted(const data::Preprocessing& preprocessing) {
  const auto classes = static_cast<std::int64_t>(preprocessing.classes().size());
  switch (preprocessing.task()) {
    case data::Task::binary: return 1;
    case data::Task::multiclass: return classes > 0 ? std::optional(classes) : std::nullopt;
    case data::Task::language:
      return preprocessing.text() ? std::optional(preprocessing.text()->tokenizer.size()) : std::nullopt;
    case data::Task::regression:
    case data::Task::other: return std::nullopt;
  }
  return std::nullopt;
}

void expect_parts_that_fit(const Recipe& recipe, const std::string& name) {
  const data::Preprocessing& preprocessing = recipe.preprocessing;
  const data::Task task = preprocessing.task();
  if (const auto wanted = outputs_wanted(preprocessing); wanted && *wanted != recipe.outputs) {
    fail<ModelError>("[model] {}: {} outputs, where {} of {} classes or tokens wants {}", name, recipe.outputs,
                     data::name(task), std::max(*wanted, std::ssize(preprocessing.classes())), *wanted);
  }
  if (preprocessing.tensor() && (task == data::Task::language || task == data::Task::binary))
    fail<ModelError>("[model] {}: the task {} does not go with images", name, data::name(task));
  if (preprocessing.sound()) fail<ModelError>("[model] {}: sounds, which only systems are made for", name);
  if (preprocessing.words()) fail<ModelError>("[model] {}: words in rows, which only systems are made for", name);
  if (preprocessing.sequences()) fail<ModelError>("[model] {}: sequences, which only systems are made for", name);
  if (preprocessing.table() && task == data::Task::language)
    fail<ModelError>("[model] {}: the task language does not go with a table", name);
}

}  // namespace

namespace {

SafetensorsFile file_of(const Recipe& recipe) {
  SafetensorsFile file;
  file.metadata = {{"thalweg.model", format_version},
                   {"model.kind", recipe.model.kind},
                   {"model.options", OptionValue{recipe.model.options}.str()},
                   {"model.outputs", std::to_string(recipe.outputs)},
                   {"loss.kind", recipe.loss.kind},
                   {"loss.options", OptionValue{recipe.loss.options}.str()},
                   {"preprocessing", recipe.preprocessing.json()}};
  if (recipe.offset != 0) {
    file.metadata["thalweg.model"] = offset_version;
    file.metadata["model.offset"] = fmt::format("{}", recipe.offset);
  }
  return file;
}

}  // namespace

void save_recipe(const std::filesystem::path& path, const Recipe& recipe) { write_safetensors(path, file_of(recipe)); }

void save_model(const std::filesystem::path& path, const Recipe& recipe, const State& state) {
  SafetensorsFile file = file_of(recipe);
  for (const ParameterEntry& parameter : state.layout->entries) {
    file.tensors.emplace_back(parameter.name, state.parameter(parameter.name));
  }
  write_safetensors(path, file);
}

Recipe recipe_of(const SafetensorsFile& file, const std::string& name) {
  if (const auto system = file.metadata.find("system.kind"); system != file.metadata.end()) {
    fail<ModelError>("[model] {} is a system ({}). Wanted: a model of rows, images or texts. Hint: thalweg evaluate",
                     name, system->second);
  }
  const std::string& version = entry(file, "thalweg.model", name);
  if (version != format_version && version != offset_version)
    fail<ModelError>("[model] {} is of format {}. Wanted: {} or {}", name, version, format_version, offset_version);
  const auto outputs = parse_integer(entry(file, "model.outputs", name));
  if (!outputs || *outputs < 1) fail<ModelError>("[model] {}: model.outputs is not a number above 0", name);
  try {
    Recipe recipe{choice_in(file, "model", name), choice_in(file, "loss", name), *outputs,
                  data::Preprocessing::from_json(entry(file, "preprocessing", name))};
    if (version == offset_version) {
      const auto offset = parse_number(entry(file, "model.offset", name));
      if (!offset || !(std::abs(*offset) < std::numeric_limits<float>::max()))
        fail<ModelError>("[model] {}: model.offset is not an f32 number", name);
      recipe.offset = *offset;
    }
    expect_parts_that_fit(recipe, name);
    return recipe;
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

Recipe trained_recipe_of(const SafetensorsFile& file, const std::string& name) {
  const auto number = [&](const char* key, double usual) {
    const auto found = file.metadata.find(key);
    if (found == file.metadata.end()) return usual;
    const auto value = parse_number(found->second);
    if (!value || !std::isfinite(*value) || (usual == 1 && *value == 0))
      fail<ModelError>("[model] {}: {} is '{}'. Wanted: a number", name, key, found->second);
    return *value;
  };
  try {
    return {.model = {},
            .loss = choice_in(file, "loss", name),
            .preprocessing = data::Preprocessing::from_json(entry(file, "preprocessing", name)),
            .unit = {.shift = number("target.shift", 0), .scale = 1 / number("target.scale", 1)}};
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

}  // namespace thalweg
