#pragma once
// Layers: functions of a Scope and Vars.

#include <optional>
#include <span>

#include "thalweg/options.hpp"
#include "thalweg/scope.hpp"
#include "thalweg/spatial.hpp"

namespace thalweg {

// How a configuration writes those options of layers that are neither numbers nor texts.

template <>
struct OptionForm<Extent> {
  static constexpr std::string_view wanted = "a number, or [height, width]";
  static OptionValue write(const Extent& extent);
  static std::optional<Extent> read(const OptionValue& value);
};

template <>
struct OptionForm<Padding> {
  static constexpr std::string_view wanted =
      "\"same\", \"valid\", a number, [height, width], or [[top, left], [bottom, right]]";
  static OptionValue write(const Padding& padding);
  static std::optional<Padding> read(const OptionValue& value);
};

/// Its name in the table of initializers, or { kind = "normal", deviation = 0.02 }.
template <>
struct OptionForm<Initializer> {
  static constexpr std::string_view wanted = "an initializer";
  static OptionValue write(const Initializer& initializer);
  static std::optional<Initializer> read(const OptionValue& value);
};

}  // namespace thalweg

namespace thalweg::nn {

struct DenseOptions {
  bool bias = true;
  Initializer initializer = init::he_normal();
  Initializer bias_initializer = init::zeros();
};
/// x W + b: (..., inputs) -> (..., units). Parameters "weight" (inputs, units) and "bias" (units).
Var dense(Scope s, const Arg& x, std::int64_t units, const DenseOptions& options = {});

struct EmbeddingOptions {
  std::int64_t count = 256;  ///< rows of the table
  std::int64_t width = 32;
  Initializer initializer = init::normal(1);
};
/// Rows of a table by i32 indices: (...) -> (..., width). Parameter "table" (count, width).
Var embedding(Scope s, const Arg& indices, const EmbeddingOptions& options);

struct ConvOptions {
  std::int64_t filters = 32;
  Extent kernel = 3;
  Extent stride = 1;
  Padding padding = "same";
  Extent dilation = 1;
  std::int64_t groups = 1;  ///< equal to the number of channels: depthwise
  bool bias = true;         ///< not needed if a normalisation follows
  Initializer initializer = init::he_normal();
  Initializer bias_initializer = init::zeros();
};
/// (batch, height, width, channels) -> (batch, ..., filters). Parameters "weight" (height, width, channels / groups,
/// filters) and "bias" (filters).
Var conv2d(Scope s, const Arg& x, const ConvOptions& options);
/// (batch, time, channels) -> (batch, time, filters). Parameters "weight" (width, channels / groups, filters), "bias".
Var conv1d(Scope s, const Arg& x, const ConvOptions& options);

struct ConvTransposeOptions {
  std::int64_t filters = 32;
  Extent kernel = 2;
  Extent stride = 2;
  Padding padding = "same";
  Extent output_padding = 0;
  Extent dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
  Initializer initializer = init::he_normal();
  Initializer bias_initializer = init::zeros();
};
/// (batch, height, width, channels) -> (batch, height * stride, width * stride, filters) with "same" padding.
/// Parameters "weight" (height, width, filters / groups, channels) and "bias" (filters).
Var conv_transpose2d(Scope s, const Arg& x, const ConvTransposeOptions& options);

// Normalisation: weight * (x - mean) / sqrt(variance + eps) + bias, the variance dividing by n. The layers differ in
// the axes of the mean. Parameters "weight" and "bias" of the size of the last axis, not decayed.

struct BatchNormOptions {
  double eps = 1e-5;
  double momentum = 0.1;  ///< how fast the running statistics move: (1 - momentum) old + momentum new
  bool affine = true;     ///< whether there are weight and bias
  double weight = 1;      ///< the initial value of the weight
};
/// Over all axes but the last (Ioffe and Szegedy 2015). In training each shard of a batch uses its own statistics, and
/// moves the running ones, "mean" and "variance" (which divides by n - 1, as PyTorch's); evaluation uses these.
Var batch_norm(Scope s, const Arg& x, const BatchNormOptions& options = {});

struct LayerNormOptions {
  double eps = 1e-5;
  bool affine = true;
  bool bias = true;  ///< whether there is a bias beside the weight
};
/// Over the last axis (Ba, Kiros and Hinton 2016).
Var layer_norm(Scope s, const Arg& x, const LayerNormOptions& options = {});

struct GroupNormOptions {
  std::int64_t groups = 32;  ///< must divide the channels
  double eps = 1e-5;
  bool affine = true;
};
/// Over the places of one sample and the channels of one group (Wu and He 2018).
Var group_norm(Scope s, const Arg& x, const GroupNormOptions& options = {});

struct InstanceNormOptions {
  double eps = 1e-5;
  bool affine = false;
};
/// Over the places of one sample and channel (Ulyanov, Vedaldi and Lempitsky 2016).
Var instance_norm(Scope s, const Arg& x, const InstanceNormOptions& options = {});

struct RmsNormOptions {
  double eps = 1e-6;
};
/// weight * x / sqrt(mean x^2 + eps) over the last axis (Zhang and Sennrich 2019). Parameter "weight".
Var rms_norm(Scope s, const Arg& x, const RmsNormOptions& options = {});

/// In training, each element is zero with probability `rate`, and the others are divided by 1 - rate (Srivastava et al.
/// 2014). Which elements are zero follows from seed, step, sample and path alone.
Var dropout(Scope s, const Arg& x, double rate = 0.5);

/// An activation by name ("relu"), as a configuration gives it. Throws UsageError naming the nearest.
[[nodiscard]] std::function<Var(Var)> activation(const std::string& name);
[[nodiscard]] const std::vector<std::string>& activations();

struct LinearOptions {};
struct MlpOptions {
  std::vector<std::int64_t> hidden = {256, 128};
  std::string activation = "relu";
  Initializer initializer = init::he_normal();
  std::string norm = "none";  ///< none, batch or layer: before each activation
  bool residual = false;      ///< a hidden layer of the same size as the one before adds its result to its input
  std::string parametrisation = "standard";  ///< or "mup": see WidthScaling
  std::int64_t base_width = 64;              ///< for mup: units of the first hidden layer of the tuned network
};
/// One dense layer, "output".
[[nodiscard]] ModelFunction linear(std::int64_t outputs, const LinearOptions& options = {});
/// Dense layers "layer1", "layer2", ... with an activation after each, then "output". The input is flattened.
/// x = activation(norm(x W + b)), or x + that.
[[nodiscard]] ModelFunction mlp(std::int64_t outputs, const MlpOptions& options = {});

/// A model of sequences that is run one place at a time, to generate: tokens i32 (batch, 1) at a position i32 (1), and
/// the state of the earlier places (keys and values, or the carry of recurrent layers), zeros at first.
struct SequenceStep {
  struct Result {
    Var logits;  ///< (batch, 1, vocabulary)
    std::vector<Var> state;
  };
  std::int64_t context = 0;  ///< the number of earlier places that it can use; 0: no limit
  std::function<std::vector<Shape>(std::int64_t batch)> state;
  std::function<Result(Scope, Var tokens, Var position, std::span<const Var> state)> run;
};

/// The scaling of a model's steps with its width in the maximal-update parametrisation (Yang et al. 2021, table 8): the
/// best rate of a narrow network is also the best of a wide one. With m = width / base_width the output is divided by
/// m, weights between two widths start with deviations of 1 / sqrt(fan_in), attention divides by the width of a head
/// and not by its root; and the rates are those of `run/width_rates.hpp`.
struct WidthScaling {
  double ratio = 1;                        ///< m; 1 in the standard parametrisation
  std::vector<std::string> matrices = {};  ///< patterns of parameters with a width on both sides
  std::vector<std::string> fixed = {};     ///< patterns of parameters without such a side, whose rate is not scaled
};

/// A row of the table of model kinds.
struct ModelRow {
  std::string_view name, summary;
  std::vector<OptionDoc> options = {};
  /// The model and its options with every default written out. Throws UsageError for invalid options.
  std::function<std::pair<ModelFunction, OptionMap>(std::int64_t outputs, const OptionMap&)> make = {};
  /// For a model that can generate: its form for one place at a time, with the same parameters.
  std::function<SequenceStep(std::int64_t outputs, const OptionMap&)> step = {};
  /// For a model with a parametrisation: how its steps scale with these options.
  std::function<WidthScaling(const OptionMap&)> scaling = {};
};
[[nodiscard]] const std::vector<ModelRow>& models();

}  // namespace thalweg::nn
