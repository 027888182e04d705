#pragma once
// The description of a trained model without its parameters, from which its function can be built again.

#include <filesystem>

#include "core/signature.hpp"
#include "data/preprocessing.hpp"
#include "run/config.hpp"
#include "store/safetensors.hpp"
#include "thalweg/augment.hpp"
#include "thalweg/registry.hpp"
#include "thalweg/state.hpp"

namespace thalweg {

struct Recipe {
  Choice model, loss;
  std::int64_t outputs = 1;
  data::Preprocessing preprocessing;
  data::Affine unit = {};  ///< of the targets, for data other than tables
  double offset = 0;       ///< added to the output of the model: see usual_output

  /// The function from stored or encoded data to raw predictions. For images it begins with augmentation (in training)
  /// and the affine preprocessing, for tables with the embeddings of categories ("embedding/feature3" for the third
  /// feature).
  [[nodiscard]] ModelFunction make_model(const Registry& registry, const AugmentOptions& augmentation = {}) const;
  [[nodiscard]] LossFunction make_loss(const Registry& registry) const;
  /// One row of the input.
  [[nodiscard]] Signature input() const;
};

/// Stores the parameters under their names, and the recipe as metadata.
void save_model(const std::filesystem::path& path, const Recipe& recipe, const State& state);
/// Stores only the recipe, for a run that has no model yet.
void save_recipe(const std::filesystem::path& path, const Recipe& recipe);
/// Throws ModelError if the metadata is not that of a model, or if its parts are inconsistent: the number of outputs
/// must follow from task and classes, or from the vocabulary.
[[nodiscard]] Recipe recipe_of(const SafetensorsFile& file, const std::string& name);
/// For a file written by Trainer::save, which does not name a kind of model. Throws as above.
[[nodiscard]] Recipe trained_recipe_of(const SafetensorsFile& file, const std::string& name);

}  // namespace thalweg
