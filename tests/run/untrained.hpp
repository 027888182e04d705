#pragma once
// Writes the model file of an untrained system, for tests that need something that generates images.

#include "run/trained_system.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/registry.hpp"

namespace thalweg::testing {

/// `shape` is that of the u8 images, (height, width, channels).
inline void write_untrained(const std::filesystem::path& file, const std::string& kind, OptionMap options,
                            const Shape& image) {
  const Registry all = registry();
  options = all.system(kind).complete(options);
  const data::Preprocessing preprocessing = data::TensorPreprocessing{.input = image, .dtype = u8};
  const System system = all.system(kind).make(system_data(preprocessing, 1, {}), options);
  Dataset rows;
  rows.set("input", Tensor({1, image[0], image[1], image[2]}, u8));
  rows.set("target", Tensor({1}, i32));
  Trainer trainer(system.objectives[0].loss, optim::adam(), 1);
  trainer.init(rows, 1);
  save_system(file, {kind, options}, preprocessing, trainer.state());
}

}  // namespace thalweg::testing
