#pragma once
// Scope: where parameters are declared. A model is a function of a Scope and Vars; its parameters are declared where
// they are used, and their shapes follow from the input.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

/// The initial distribution of a parameter, whose spread may depend on the parameter's shape. For a matrix (inputs,
/// outputs) fan_in = inputs and fan_out = outputs; for a filter (height, width, in, out) both are multiplied by height
/// * width.
class Initializer {
 public:
  enum class Kind { constant, uniform, normal, truncated_normal, orthogonal };
  enum class Scale { fixed, fan_in, fan_average };
  Kind kind = Kind::constant;
  double value = 0;  ///< the constant, half the width, the standard deviation, or the gain
  Scale scale = Scale::fixed;

  /// The initial values of a parameter. They depend only on seed, path and place.
  [[nodiscard]] Tensor make(const Shape& shape, DType dtype, std::uint64_t seed, std::string_view path) const;
  friend bool operator==(const Initializer&, const Initializer&) = default;
};

/// A row of the table of initializers.
struct InitializerRow {
  std::string_view name, formula, source;
  Initializer initializer;
  std::string_view option = {};  ///< the name of its `value` in a configuration; empty if it cannot be set
};
[[nodiscard]] const std::vector<InitializerRow>& initializers();

namespace init {
[[nodiscard]] Initializer zeros();
[[nodiscard]] Initializer constant(double value);
[[nodiscard]] Initializer uniform(double half_width = 0.05);  ///< in [-half_width, half_width)
[[nodiscard]] Initializer normal(double deviation = 1);
[[nodiscard]] Initializer truncated_normal(double deviation = 0.02);  ///< redrawn beyond two deviations
/// Glorot and Bengio 2010: variance gain^2 * 2 / (fan_in + fan_out).
[[nodiscard]] Initializer xavier_uniform(double gain = 1);
[[nodiscard]] Initializer xavier_normal(double gain = 1);
/// He et al. 2015: variance 2 / fan_in, for ReLU.
[[nodiscard]] Initializer he_uniform();
[[nodiscard]] Initializer he_normal();
/// LeCun et al. 1998: variance gain^2 / fan_in, with a gain of 1.
[[nodiscard]] Initializer lecun_uniform(double gain = 1);
[[nodiscard]] Initializer lecun_normal(double gain = 1);
/// In [-1, 1) / sqrt(fan_in): the rule of thumb before 2010, a third of LeCun's variance. Signals fade in deep
/// networks.
[[nodiscard]] Initializer naive_uniform();
/// All axes but the last are taken as one. Then W is a matrix with W^T W = gain^2 I, or W W^T = gain^2 I if it has more
/// columns than rows, drawn uniformly from all such matrices (Saxe, McClelland and Ganguli 2014). It needs two axes.
[[nodiscard]] Initializer orthogonal(double gain = 1);
/// By name ("he_normal"), as a configuration gives it. Throws UsageError naming the nearest.
[[nodiscard]] Initializer named(const std::string& name);
}  // namespace init

enum class Mode { train, evaluate };

struct ParameterOptions {
  Initializer initializer = init::zeros();
  bool frozen = false;    ///< not trained
  bool optional = false;  ///< the loss need not depend on it
  bool decay = true;      ///< false for biases and parameters of normalisations, which get no weight decay
};

struct TraceContext;

/// A place in the tree of names while a function is traced. `s / "hidden"` is the place below.
class Scope {
 public:
  Scope(TraceContext& context, std::string path) : context_(&context), path_(path), call_(std::move(path)) {}

  [[nodiscard]] Scope operator/(std::string_view name) const;
  /// The place below, for a part that is called several times: the first call declares its parameters and statistics,
  /// and later calls get the same ones. `D(s.share("d"), real)` and `D(s.share("d"), fake)` are one discriminator. Each
  /// call draws its own random numbers, and updates the statistics that it observes, in the order of the calls.
  [[nodiscard]] Scope share(std::string_view name) const;
  /// The same place, but parameters are not trained, statistics are not updated and mode() is evaluate: for a part that
  /// was trained in another run.
  [[nodiscard]] Scope frozen() const;
  /// The same place, but parameters are read from their moving averages, as constants: for targets. See MovingAverage.
  /// Statistics have no averages, so their present values are used; mode() is evaluate.
  [[nodiscard]] Scope average(std::string_view name) const;
  /// Declares a parameter. Throws UsageError if the name is taken, or if a later call of a shared part asks for another
  /// shape.
  [[nodiscard]] Var parameter(std::string_view name, const Shape& shape, const ParameterOptions& options = {}) const;

  /// Uniform random numbers in [0, 1), new at every step; the first axis is that of the batch. They are a function of
  /// the seed, the step, the sample's place in the whole batch and the path, so shards, threads and a resume do not
  /// change them. Evaluation uses one seed for all its rows, so that the same data get the same numbers. Throws
  /// UsageError where the name is taken.
  [[nodiscard]] Var uniform(std::string_view name, const Shape& shape) const;
  /// Standard normal numbers, drawn as `uniform` draws them.
  [[nodiscard]] Var normal(std::string_view name, const Shape& shape) const;
  /// Whole numbers, i32, uniform in low, ..., high - 1, drawn as `uniform` draws them: the same numbers in f32 and in
  /// f64. Throws UsageError also where low >= high.
  [[nodiscard]] Var integers(std::string_view name, const Shape& shape, std::int64_t low, std::int64_t high) const;

  /// Reports a mean over the samples of a batch: in the progress, the history and the metrics of each epoch, and in an
  /// evaluation. `values` is one value per sample (batch) or more (batch, ...), or a scalar, which counts once for each
  /// sample of its shard. Throws UsageError where the name is taken, or is "loss".
  void report(std::string_view name, const Arg& values) const;

  /// A statistic of the data that the state keeps beside the parameters: not trained, but saved, resumed and read in
  /// evaluation. Throws UsageError where the name is taken.
  [[nodiscard]] Var statistic(std::string_view name, const Shape& shape, double initial) const;
  /// In training, moves a statistic of this scope at the end of the step: (1 - momentum) old + momentum observed. The
  /// observations of several shards are averaged, weighted by their numbers of samples. In evaluation nothing happens.
  void observe(std::string_view statistic, const Var& observed, double momentum) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] Mode mode() const;
  [[nodiscard]] DType dtype() const;
  [[nodiscard]] Graph& graph() const;

 private:
  [[nodiscard]] Var declare(std::string_view name, const Shape& shape, ParameterOptions options, bool statistic) const;
  [[nodiscard]] Var draw(std::string_view name, const Shape& shape, DType dtype, bool normal) const;

  TraceContext* context_;
  std::string path_;
  bool frozen_ = false;
  std::string average_ = {};  // the name of the moving average from which parameters are read
  std::string call_;  // the path; after a shared part it has the number of the call, from the second call on: "d#2"
};

/// A model: predictions from an input.
using ModelFunction = std::function<Var(Scope, Var)>;

}  // namespace thalweg
