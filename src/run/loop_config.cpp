#include "run/loop_config.hpp"

#include <algorithm>

#include "options/differences.hpp"
#include "run/sections.hpp"

namespace fs = std::filesystem;

namespace thalweg {

Fields LoopConfig::train_fields() {
  const Range count{.low = 1};
  return {
      {"epochs", &epochs, "passes over the data", count},
      {"batch_size", &batch_size, "what a step takes", {.low = 1, .high = 1 << 20}},
      {"save_every", &save_every, "steps between checkpoints, from which a run can be resumed", count},
      {"threads", &threads, "0 is THALWEG_THREADS, or every core; the result is the same for any number", not_negative},
      {.name = "device",
       .place = &device,
       .doc = "cpu: its steps touch few rows of large tables, which no GPU would do faster",
       .choices = {"cpu"}}};
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
  check_sections(tree, {"seed", "data", "system", "optimizer", "schedule", "train"});
  into.seed = seed_in(tree, into.seed);
  read_section(tree, "data", [&](const OptionMap& values) { read_fields(into.data_fields(), values, "data"); });
  for (std::string* place : into.places()) {
    if (!place->empty()) *place = (folder / *place).lexically_normal().string();
  }
  read_section(tree, "system", [&](OptionMap values) {
    values.erase("kind");
    read_fields(into.system_fields(), values, into.kind());
  });
  read_section(tree, "optimizer", [&](OptionMap values) {
    const std::string standard = into.optimizer.kind;
    into.optimizer.kind = take_kind(values, "optimizer", standard);
    if (into.optimizer.kind == standard) {
      for (const auto& [key, value] : into.optimizer_defaults()) values.emplace(key, value);
    }
    into.optimizer.options = registry.optimizer(into.optimizer.kind).make(values).options;
  });
  read_section(tree, "schedule", [&](OptionMap values) {
    into.schedule.kind = take_kind(values, "schedule", into.schedule.kind);
    into.schedule.options = registry.schedule(into.schedule.kind).make(values).options();
  });
  read_section(tree, "train", [&](const OptionMap& values) {
    read_fields(into.train_fields(), values, fmt::format("train of {}", into.kind()));
  });
  into.check();
}

}  // namespace thalweg
