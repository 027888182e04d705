#pragma once
// A trained system: its kind, its options and its parameters, in one file.

#include "data/preprocessing.hpp"
#include "run/config.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

struct TrainedSystem {
  Choice choice;
  data::Preprocessing preprocessing;
  State state = {};
  System system = {};
};

/// The properties of the training data from which a system is made.
[[nodiscard]] SystemData system_data(const data::Preprocessing& preprocessing, int threads,
                                     std::span<const EnvironmentRow> environments);

/// Parameters under their names, and the rest as metadata.
void save_system(const std::filesystem::path& path, const Choice& choice, const data::Preprocessing& preprocessing,
                 const State& state);
/// Whether a run folder or a file holds a trained system. Throws as `model_file` and `read_safetensors` do.
[[nodiscard]] bool holds_system(const std::filesystem::path& path);
/// The encoding of the data of a system in a file. Throws ModelError if the file does not contain it.
[[nodiscard]] data::Preprocessing preprocessing_in(const std::filesystem::path& file);
/// Loads from a run folder or a file. Throws UsageError if it does not exist, ModelError if it is damaged or of a kind
/// that the registry does not have.
[[nodiscard]] TrainedSystem load_system(const std::filesystem::path& path, const Registry& registry, int threads = 0);

}  // namespace thalweg
