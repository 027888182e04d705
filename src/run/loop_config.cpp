#include "run/loop_config.hpp"

#include <algorithm>

#include "options/differences.hpp"
#include "options/nearest_name.hpp"

namespace fs = std::filesystem;

namespace thalweg {

namespace {

OptionMap section(const ConfigTree& tree, const std::string& name) {
  const OptionValue* value = tree.find(name);
  const auto* map = value ? value->get_if<OptionMap>() : nullptr;
  if (value && !map) fail_option(name, "[config] {} = {}. Wanted: a section [{}]", name, value->str(), name);
  return map ? *map : OptionMap{};
}

/// Hands a section to `read`; an error in it says its line.
template <class Read>
void with_line(const ConfigTree& tree, const std::string& name, const Read& read) {
  try {
    read(section(tree, name));
  } catch (const OptionError& error) {
    const auto line = tree.line_of(name, error.key());
    if (!line || tree.file.empty()) throw;
    fail_option(error.key(), "{}:{}: {}", tree.file, *line, error.what());
  }
}

void check_sections(const ConfigTree& tree) {
  static const std::vector<std::string> known = {"seed", "data", "system", "optimizer", "schedule", "train"};
  for (const auto& [key, value] : tree.values) {
    if (std::ranges::find(known, key) == known.end())
      fail<UsageError>("[config] there is no section '{}' for such a system. Hint: {}", key, name_hint(key, known));
  }
}

std::uint64_t seed_in(const ConfigTree& tree, std::uint64_t otherwise) {
  const OptionValue* seed = tree.find("seed");
  if (!seed) return otherwise;
  const auto* number = seed->get_if<std::int64_t>();
  if (!number || *number < 0) fail<UsageError>("[config] seed = {}. Wanted: a whole number >= 0", seed->str());
  return static_cast<std::uint64_t>(*number);
}

std::string take_kind(OptionMap& values, const std::string& otherwise) {
  const auto found = values.extract("kind");
  if (!found) return otherwise;
  const auto* text = found.mapped().get_if<std::string>();
  if (!text) fail_option("kind", "kind = {}. Wanted: a name in quotes", found.mapped().str());
  return *text;
}

std::string section_text(std::string_view name, const OptionMap& values, std::string_view kind = "") {
  std::string text = fmt::format("\n[{}]\n", name);
  if (!kind.empty()) text += fmt::format("kind = \"{}\"\n", kind);
  for (const auto& [key, value] : values) text += fmt::format("{} = {}\n", key, value.str());
  return text;
}

}  // namespace

Fields LoopConfig::train_fields() {
  const Range count{.low = 1};
  return {{"epochs", &epochs, "passes over the data", count},
          {"batch_size", &batch_size, "what a step takes", {.low = 1, .high = 1 << 20}},
          {"save_every", &save_every, "steps from one saving of all that a resumed run needs to the next", count},
          {"threads", &threads, "0 is THALWEG_THREADS, or every core", {.low = 0, .high = 1024}}};
}

std::string LoopConfig::toml() {
  return fmt::format("seed = {}\n", seed) + section_text("data", field_values(data_fields())) +
         section_text("system", field_values(system_fields()), kind()) +
         section_text("optimizer", optimizer.options, optimizer.kind) +
         section_text("schedule", schedule.options, schedule.kind) +
         section_text("train", field_values(train_fields()));
}

std::string LoopConfig::fingerprint() {
  FlatOptions flat = {{"seed", std::to_string(seed)}};
  const auto add = [&](const std::string& prefix, const OptionMap& values) {
    for (const auto& [key, value] : values) flat[prefix + key] = value.str();
  };
  const std::vector<std::string*> paths = places();
  for (const Field& field : data_fields()) {
    const bool is_path = field.place.visit([&](auto place) {
      if constexpr (std::is_same_v<decltype(place), std::string*>)
        return std::ranges::find(paths, place) != paths.end();
      else
        return false;
    });
    if (!is_path) add("data.", field_values({field}));
  }
  add("system.", field_values(system_fields()));
  for (const auto& [name, choice] : {std::pair("optimizer.", &optimizer), {"schedule.", &schedule}}) {
    add(name, choice->options);
    flat[std::string(name) + "kind"] = choice->kind;
  }
  add("train.", {{"epochs", {epochs}}, {"batch_size", {batch_size}}});
  return lines_of(flat);
}

Optimizer LoopConfig::make_optimizer(const Registry& registry) const {
  Optimizer result = registry.optimizer(optimizer.kind).make(optimizer.options);
  result.schedule = registry.schedule(schedule.kind).make(schedule.options);
  return result;
}

void read_loop_config(LoopConfig& into, const ConfigTree& tree, const fs::path& folder, const Registry& registry) {
  check_sections(tree);
  into.seed = seed_in(tree, into.seed);
  with_line(tree, "data", [&](const OptionMap& values) { read_fields(into.data_fields(), values, "data"); });
  for (std::string* place : into.places()) {
    if (!place->empty()) *place = (folder / *place).lexically_normal().string();
  }
  with_line(tree, "system", [&](OptionMap values) {
    values.erase("kind");
    read_fields(into.system_fields(), values, into.kind());
  });
  with_line(tree, "optimizer", [&](OptionMap values) {
    const std::string standard = into.optimizer.kind;
    into.optimizer.kind = take_kind(values, standard);
    if (into.optimizer.kind == standard) {
      for (const auto& [key, value] : into.optimizer_defaults()) values.emplace(key, value);
    }
    into.optimizer.options = registry.optimizer(into.optimizer.kind).make(values).options;
  });
  with_line(tree, "schedule", [&](OptionMap values) {
    into.schedule.kind = take_kind(values, into.schedule.kind);
    into.schedule.options = registry.schedule(into.schedule.kind).make(values).options();
  });
  with_line(tree, "train", [&](const OptionMap& values) { read_fields(into.train_fields(), values, "train"); });
  into.check();
}

}  // namespace thalweg
