#pragma once
// Layers: functions of a Scope and Vars.

#include <span>

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"

namespace thalweg::nn {

struct DenseOptions {
  bool bias = true;
  Initializer initializer = init::he_normal();
  Initializer bias_initializer = init::zeros();
};
/// x W + b: (..., inputs) -> (..., units). Parameters "weight" (inputs, units) and "bias" (units).
Var dense(Scope s, const Arg& x, std::int64_t units, const DenseOptions& options = {});

struct EmbeddingOptions {
  std::int64_t count = 0;  ///< rows of the table
  std::int64_t width = 0;
  Initializer initializer = init::normal(1);
};
/// Rows of a table by i32 indices: (...) -> (..., width). Parameter "table" (count, width).
Var embedding(Scope s, const Arg& indices, const EmbeddingOptions& options);

struct LayerNormOptions {
  double eps = 1e-5;
  bool bias = true;
};
/// (x - mean) / sqrt(variance + eps) * weight + bias along the last axis (Ba et al. 2016).
Var layer_norm(Scope s, const Arg& x, const LayerNormOptions& options = {});
struct RmsNormOptions {
  double eps = 1e-6;
};
/// x / sqrt(mean x^2 + eps) * weight along the last axis (Zhang and Sennrich 2019).
Var rms_norm(Scope s, const Arg& x, const RmsNormOptions& options = {});

/// An activation by name ("relu"), as a configuration gives it. Throws UsageError naming the nearest.
[[nodiscard]] std::function<Var(Var)> activation(const std::string& name);
[[nodiscard]] const std::vector<std::string>& activations();

struct LinearOptions {};
struct MlpOptions {
  std::vector<std::int64_t> hidden = {256, 128};
  std::string activation = "relu";
  std::string initializer = "he_normal";
};
/// One dense layer, "output".
[[nodiscard]] ModelFunction linear(std::int64_t outputs, const LinearOptions& options = {});
/// Dense layers "layer1", "layer2", ... with an activation after each, then "output". The input is flattened.
[[nodiscard]] ModelFunction mlp(std::int64_t outputs, const MlpOptions& options = {});

/// A model of sequences one place at a time, as it generates: the tokens i32 (batch, 1) at a position i32 (1), and what
/// earlier places left behind (keys and values, or the carry of recurrent layers), zeros to begin with.
struct SequenceStep {
  struct Result {
    Var logits;  ///< (batch, 1, vocabulary)
    std::vector<Var> state;
  };
  std::int64_t context = 0;  ///< places that it can look back on; 0: no limit
  std::function<std::vector<Shape>(std::int64_t batch)> state;
  std::function<Result(Scope, Var tokens, Var position, std::span<const Var> state)> run;
};

/// A row of the table of model kinds.
struct ModelRow {
  std::string_view name, summary;
  std::vector<OptionDoc> options = {};
  /// The model and its options with every default written out. Throws UsageError for what the options cannot be.
  std::function<std::pair<ModelFunction, OptionMap>(std::int64_t outputs, const OptionMap&)> make = {};
  /// Of a model that can generate: the same parameters, one place at a time.
  std::function<SequenceStep(std::int64_t outputs, const OptionMap&)> step = {};
};
[[nodiscard]] const std::vector<ModelRow>& models();
/// Throws UsageError for a kind that is not there, naming the nearest.
[[nodiscard]] const ModelRow& model_named(const std::string& kind);

}  // namespace thalweg::nn
