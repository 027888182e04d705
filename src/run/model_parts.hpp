#pragma once
// The implementation of a Model.

#include "engine/forward.hpp"
#include "engine/shards.hpp"
#include "run/recipe.hpp"
#include "thalweg/model.hpp"

namespace thalweg {

struct Model::Parts {
  explicit Parts(Recipe r) : recipe(std::move(r)) {}

  Recipe recipe;
  ModelFunction model = {};
  std::optional<LossFunction> loss = {};
  nn::SequenceStep step = {};  ///< only for a model that can generate
  State state = {};
  std::vector<std::pair<std::string, Tensor>> parameters = {};  ///< by name; they share the state's memory
  std::vector<std::string> input_names = {};

  /// Every row is computed by a program for exactly this many rows, so that its bits do not depend on the other rows.
  static constexpr std::int64_t block_rows = 16;
  std::optional<ForwardProgram> forward = {};
  std::int64_t outputs = 1;    ///< of the program, per row
  bool has_deviation = false;  ///< whether each value is followed by its standard deviation
  mutable BlockPool arenas = {};
  Device& device = chosen_device();  ///< of the program
  mutable BlockPool there{device.far()};

  [[nodiscard]] bool is_table() const { return recipe.preprocessing.table() != nullptr; }
  [[nodiscard]] std::size_t input_bytes() const { return recipe.input().bytes(); }
  /// Computes the outputs of `rows` rows of the input, at most block_rows.
  void run(const std::byte* input, std::int64_t rows, float* output) const;
};

}  // namespace thalweg
