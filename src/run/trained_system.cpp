#include "run/trained_system.hpp"

#include <algorithm>
#include <filesystem>

#include "core/error.hpp"
#include "core/mirrored.hpp"
#include "device/device.hpp"
#include "run/other_kind.hpp"
#include "run/run.hpp"
#include "store/safetensors.hpp"
#include "store/saved_options.hpp"

namespace thalweg {

namespace {

constexpr const char* format_version = "1";

/// The parameters in the order of the file; they are found by name.
State state_in(const SafetensorsFile& file, const std::string& name) {
  expect_finite(file, name);
  Layout layout;
  for (const auto& [parameter, tensor] : file.tensors) {
    if (tensor.dtype() != f32) fail<ModelError>("[model] {}: '{}' is {}. Wanted: f32", name, parameter, tensor.dtype());
    layout.entries.push_back({.name = parameter, .shape = tensor.shape(), .offset = layout.size});
    layout.size += tensor.size();
  }
  layout.decayed_size = layout.trained_size = layout.size;
  State state;
  state.layout = std::make_shared<const Layout>(std::move(layout));
  state.parameters = Tensor({state.layout->size});
  for (const auto& [parameter, tensor] : file.tensors) state.set_parameter(parameter, tensor);
  return state;
}

/// Marks the parameters that are moving averages of this name. Throws ModelError if there are none, or if one differs
/// from its parameter in shape.
void mark_average(Layout& layout, const std::string& average, const std::string& name) {
  const std::string prefix = average + "/";
  bool any = false;
  for (ParameterEntry& parameter : layout.entries) {
    if (parameter.average || !parameter.name.starts_with(prefix)) continue;
    const std::string_view own = std::string_view(parameter.name).substr(prefix.size());
    const auto averaged = std::ranges::find(layout.entries, own, &ParameterEntry::name);
    if (averaged == layout.entries.end()) continue;
    if (averaged->shape != parameter.shape)
      fail<ModelError>("[model] {}: '{}' is {}. Wanted: {}, as '{}'", name, parameter.name, parameter.shape,
                       averaged->shape, own);
    parameter.average = parameter.frozen = any = true;
    layout.averages_size += parameter.shape.size();
  }
  if (!any) fail<ModelError>("[model] {} has no moving average '{}'. Wanted: one of its parameters", name, average);
}

/// Marks the moving averages that the system's objectives name.
void mark_averages(State& state, const System& system, const std::string& name) {
  Layout layout = *state.layout;
  for (const SystemObjective& objective : system.objectives) {
    for (const MovingAverage& average : objective.options.averages) mark_average(layout, average.name, name);
  }
  state.layout = std::make_shared<const Layout>(std::move(layout));
}

std::string entry(const SafetensorsFile& file, const char* key, const std::string& name) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) fail<ModelError>("[model] {} has no '{}' in its metadata", name, key);
  return found->second;
}

Choice choice_in(const SafetensorsFile& file, const std::string& name) {
  return {entry(file, "system.kind", name), saved_options(file, "system.options", name)};
}

}  // namespace

SystemData system_data(const data::Preprocessing& preprocessing, int threads,
                       std::span<const EnvironmentRow> environments) {
  SystemData data{.classes = preprocessing.classes(),
                  .preprocessing = std::make_shared<const data::Preprocessing>(preprocessing),
                  .threads = threads,
                  .environments = {environments.begin(), environments.end()}};
  if (const auto* tensor = preprocessing.tensor()) {
    data.input = tensor->input;
    data.dtype = tensor->dtype;
  } else if (const auto* text = preprocessing.text()) {
    data.input = {text->sequence_length};
    data.dtype = i32;
  } else if (const auto* sound = preprocessing.sound()) {
    data.input = {sound->steps.width()};
  } else if (const auto* words = preprocessing.words()) {
    data.input = {words->length};
    data.dtype = i32;
  } else if (const auto* sequences = preprocessing.sequences()) {
    data.input = {sequences->longest};
    data.dtype = i32;
  } else {
    data.input = {preprocessing.table()->width()};
  }
  return data;
}

void save_system(const std::filesystem::path& path, const Choice& choice, const data::Preprocessing& preprocessing,
                 const State& state) {
  SafetensorsFile file;
  file.metadata = {{"thalweg.system", format_version},
                   {"system.kind", choice.kind},
                   {"system.options", OptionValue{choice.options}.str()},
                   {"preprocessing", preprocessing.json()}};
  for (const ParameterEntry& parameter : state.layout->entries)
    file.tensors.emplace_back(parameter.name, state.parameter(parameter.name));
  write_safetensors(path, file);
}

bool holds_system(const std::filesystem::path& path) {
  return read_safetensors(model_file(path)).metadata.contains("system.kind");
}

data::Preprocessing preprocessing_in(const std::filesystem::path& file) {
  return data::Preprocessing::from_json(entry(read_safetensors(file), "preprocessing", file.string()));
}

TrainedSystem load_system(const std::filesystem::path& path, const Registry& registry, int threads) {
  const std::filesystem::path place = model_file(path);
  const SafetensorsFile file = read_safetensors(place);
  refuse_other_kind(file, place);
  const std::string name = place.string();
  if (file.metadata.contains("thalweg.model") && !file.metadata.contains("thalweg.system"))
    fail<UsageError>("[model] {} holds a model of kind {}. Wanted: a system", name, entry(file, "model.kind", name));
  if (const std::string version = entry(file, "thalweg.system", name); version != format_version)
    fail<ModelError>("[model] {} is a system of format {}. Wanted: {}", name, version, format_version);
  try {
    TrainedSystem trained{choice_in(file, name), data::Preprocessing::from_json(entry(file, "preprocessing", name)),
                          state_in(file, name)};
    trained.system =
        registry.system(trained.choice.kind)
            .make(system_data(trained.preprocessing, threads, registry.environments()), trained.choice.options);
    mark_averages(trained.state, trained.system, name);
    if (Device* far = chosen_device().far())
      (void)Mirrored::write_there(*far, trained.state.parameters);  // only once, not in each call
    return trained;
  } catch (const UsageError& error) {
    fail<ModelError>("[model] {}: {}", name, error.what());
  }
}

}  // namespace thalweg
