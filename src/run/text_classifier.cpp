#include "run/text_classifier.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/nesting.hpp"
#include "options/differences.hpp"
#include "options/rows.hpp"
#include "run/sections.hpp"
#include "store/safetensors.hpp"

namespace fs = std::filesystem;

namespace thalweg {

Fields TextClassifierConfig::data_fields() {
  Fields all = {{"train", &train, "the texts to learn: a folder, a file, or - for standard input"},
                {"test", &test, "texts to test on at the end"}};
  const Fields own = texts.fields();
  all.insert(all.end(), own.begin(), own.end());
  return all;
}

Fields TextClassifierConfig::train_fields() {
  const Range count{.low = 1};
  return {{"epochs", &epochs, "passes over the training texts; --online makes only one", count},
          {"batch_size", &batch_size, "texts per step; --online uses one", count},
          {"save_every", &save_every,
           "steps after which the model is saved each time; 0: 2,000, or 100,000 with --online", not_negative},
          {"report_every", &report_every, "--online: rows between lines of progressive metrics", count},
          {"threads", &threads, "taken as by other runs, but one thread trains: a step is too little work for two",
           not_negative},
          {.name = "device", .place = &device, .doc = "cpu: a step is too little work for a GPU", .choices = {"cpu"}}};
}

namespace {

void make_absolute(std::string& place, const fs::path& folder) {
  if (!place.empty() && place != "-") place = (folder / place).lexically_normal().string();
}

}  // namespace

bool is_text_classifier(const ConfigTree& tree) {
  const OptionValue* format = tree.find("data.format");
  const auto* name = format ? format->get_if<std::string>() : nullptr;
  return name && *name == "texts";
}

TextClassifierConfig read_text_classifier(const ConfigTree& tree, const fs::path& folder, const Registry& registry) {
  check_sections(tree, {"seed", "data", "system", "loss", "optimizer", "schedule", "train"});
  TextClassifierConfig config;
  config.seed = seed_in(tree, config.seed);
  read_section(tree, "data", [&](OptionMap values) {
    values.erase("format");
    read_fields(config.data_fields(), values, "data");
    if (config.train.empty()) fail_option("train", "[data] train is not given. Wanted: a folder, a file, or -");
  });
  make_absolute(config.train, folder);
  make_absolute(config.test, folder);
  read_section(tree, "system", [&](OptionMap values) {
    const std::string kind = take_kind(values, "system", TextClassifierConfig::kind);
    if (kind != TextClassifierConfig::kind)
      fail_option("kind", "[system] kind = '{}'. Wanted: {}, for texts with classes", kind, TextClassifierConfig::kind);
    read_fields(config.hashing.fields(), values, kind);
  });
  const auto choose = [&](const std::string& name, Choice& into, const std::string& otherwise, const auto& complete) {
    read_section(tree, name, [&](OptionMap values) {
      into.kind = take_kind(values, name, otherwise);
      into.options = complete(into.kind, values);
    });
  };
  choose("optimizer", config.optimizer, "adagrad", [&](const std::string& kind, OptionMap values) {
    if (kind == "adagrad") values.emplace("lr", OptionValue{0.5});
    return registry.optimizer(kind).make(values).options;
  });
  choose("schedule", config.schedule, "constant", [&](const std::string& kind, const OptionMap& values) {
    return registry.schedule(kind).make(values).options();
  });
  choose("loss", config.loss, "", [&](const std::string& kind, const OptionMap& values) {
    return kind.empty() ? values : registry.loss(kind).make(values).options();
  });
  read_section(tree, "train", [&](const OptionMap& values) {
    read_fields(config.train_fields(), values, fmt::format("train of {}", TextClassifierConfig::kind));
  });
  return config;
}

std::string TextClassifierConfig::toml() const {
  TextClassifierConfig copy = *this;
  const auto chosen = [](std::string_view name, const Choice& choice) {
    return section_text(name, choice.options, choice.kind);
  };
  OptionMap data = field_values(copy.data_fields());
  data["format"] = {"texts"};
  return fmt::format("seed = {}\n", seed) + section_text("data", data) +
         section_text("system", field_values(copy.hashing.fields()), kind) +
         (loss.kind.empty() ? std::string() : chosen("loss", loss)) + chosen("optimizer", optimizer) +
         chosen("schedule", schedule) + section_text("train", field_values(copy.train_fields()));
}

std::string TextClassifierConfig::fingerprint(bool online) const {
  TextClassifierConfig copy = *this;
  FlatOptions flat = {{"seed", std::to_string(seed)}, {"online", online ? "true" : "false"}};
  const auto add = [&](const std::string& prefix, const OptionMap& values) {
    for (const auto& [key, value] : values) flat[prefix + key] = value.str();
  };
  add("system.", field_values(copy.hashing.fields()));
  for (const auto& [name, choice] : {std::pair("loss.", &loss), {"optimizer.", &optimizer}, {"schedule.", &schedule}}) {
    add(name, choice->options);
    flat[std::string(name) + "kind"] = choice->kind;
  }
  if (!online) add("train.", {{"epochs", {epochs}}, {"batch_size", {batch_size}}});
  return lines_of(flat);
}

Optimizer TextClassifierConfig::make_optimizer(const Registry& registry) const {
  Optimizer result = registry.optimizer(optimizer.kind).make(optimizer.options);
  result.schedule = registry.schedule(schedule.kind).make(schedule.options);
  return result;
}

std::int32_t predicted_class(std::span<const float> probabilities) {
  if (probabilities.size() == 1) return probabilities[0] > 0.5F ? 1 : 0;
  return static_cast<std::int32_t>(std::ranges::max_element(probabilities) - probabilities.begin());
}

void ProgressiveSums::add(std::span<const float> prediction, std::int32_t target, double loss_of_row) {
  const auto commonest = static_cast<std::int32_t>(std::ranges::max_element(of_class) - of_class.begin());
  rows += 1;
  right += predicted_class(prediction) == target ? 1 : 0;
  commonest_right += commonest == target ? 1 : 0;
  loss += loss_of_row;
  of_class[static_cast<std::size_t>(target)] += 1;
}

namespace {

std::int64_t outputs_for(std::size_t classes) { return classes == 2 ? 1 : static_cast<std::int64_t>(classes); }

LossFunction loss_for(const TextClassifierConfig& config, std::size_t classes, const Registry& registry) {
  const bool binary = classes == 2;
  const std::string kind = !config.loss.kind.empty() ? config.loss.kind
                           : binary                  ? "binary_cross_entropy"
                                                     : "cross_entropy";
  LossFunction loss = registry.loss(kind).make(config.loss.options);
  if (loss.task() != (binary ? Task::binary : Task::multiclass)) {
    fail<UsageError>("[loss] kind = '{}'. Wanted: a loss of {} classes, such as {}", kind, classes,
                     binary ? "binary_cross_entropy" : "cross_entropy");
  }
  return loss;
}

constexpr const char* kind_key = "thalweg.texts";

Tensor as_tensor(const std::vector<double>& numbers) {
  return Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())});
}

}  // namespace

TextClassifier::TextClassifier(const TextClassifierConfig& config, std::vector<std::string> classes,
                               const Registry& registry)
    : classes_(std::move(classes)),
      hasher_(config.hashing),
      linear_(config.hashing.features, outputs_for(classes_.size()), loss_for(config, classes_.size(), registry),
              config.make_optimizer(registry)) {
  progressive.of_class.assign(classes_.size(), 0);
}

void TextClassifier::save(const fs::path& path, const std::string& fingerprint) const {
  SafetensorsFile file;
  file.tensors = linear_.table().state();
  file.tensors.emplace_back("inverse_frequency", Tensor::from(inverse_frequency_, {std::ssize(inverse_frequency_)}));
  std::vector<double> sums = {progressive.rows, progressive.right, progressive.loss, progressive.commonest_right};
  sums.insert(sums.end(), progressive.of_class.begin(), progressive.of_class.end());
  file.tensors.emplace_back("progressive", as_tensor(sums));
  file.tensors.emplace_back("epoch", as_tensor({epoch_loss, epoch_weight}));
  file.metadata = {{kind_key, nlohmann::json(classes_).dump()}, {"fingerprint", fingerprint}};
  write_safetensors(path, file);
}

std::vector<std::string> TextClassifier::saved_classes(const fs::path& path) {
  const SafetensorsFile file = read_safetensors(path);
  const auto found = file.metadata.find(kind_key);
  std::vector<std::string> classes;
  if (found != file.metadata.end() && nests_within(found->second, 1)) {
    const auto json = nlohmann::json::parse(found->second, nullptr, false);
    if (json.is_array() && std::ranges::all_of(json, [](const auto& name) { return name.is_string(); }))
      classes = json.get<std::vector<std::string>>();
  }
  if (classes.size() < 2) fail<ModelError>("[texts] {} is not a classifier of texts", path.string());
  return classes;
}

void TextClassifier::restore(const fs::path& path, const std::optional<std::string>& fingerprint) {
  SafetensorsFile file = read_safetensors(path);
  const auto changed = differences(options_in(file.metadata["fingerprint"]), options_in(fingerprint.value_or("")));
  if (fingerprint && !changed.empty()) {
    fail<UsageError>("[resume] the configuration is not that of {}: {}", path.string(), fmt::join(changed, "; "));
  }
  const Tensor &sums = file.tensor("progressive"), &frequencies = file.tensor("inverse_frequency"),
               &epoch = file.tensor("epoch");
  const bool fits = epoch.dtype() == f64 && epoch.size() == 2 && sums.dtype() == f64 &&
                    sums.size() == std::ssize(classes_) + 4 && frequencies.dtype() == f32 &&
                    (frequencies.size() == 0 || frequencies.size() == hasher_.options().features);
  if (!fits) fail<ModelError>("[texts] {} is another classifier", path.string());
  linear_.table().restore(file.tensors);
  epoch_loss = epoch.at(0);
  epoch_weight = epoch.at(1);
  const auto numbers = sums.values<double>();
  progressive = {numbers[0], numbers[1], numbers[2], {numbers.begin() + 4, numbers.end()}, numbers[3]};
  inverse_frequency_.assign(frequencies.values<float>().begin(), frequencies.values<float>().end());
}

}  // namespace thalweg
