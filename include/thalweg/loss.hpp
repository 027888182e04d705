#pragma once
// Losses. What is trained is a sum over samples and the weight it is divided by, once, over the whole batch: so masks,
// class weights and a last, smaller batch count right, and the value does not depend on how a batch is cut up.

#include <functional>
#include <string>

#include "thalweg/options.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

/// What an objective returns: the loss is sum / weight over all samples of a batch.
struct Loss {
  Var sum;                ///< a scalar: over the samples
  Var weight;             ///< a scalar: the number of samples, or the sum of their weights
  bool separable = true;  ///< false: the value mixes samples, so a step is one shard

  Loss() = default;
  Loss(Var sum_over_samples, Var total_weight) : sum(sum_over_samples), weight(total_weight) {}
  /// A scalar as it is. Nothing is known of how it came about, so a step is one shard. Throws UsageError for any other
  /// shape.
  Loss(Var scalar, Source source = Source::here());
  /// One value a sample (batch) or more (batch, ...), averaged over all but the first axis; optionally one weight a
  /// sample.
  static Loss of_samples(Var values, Var weights = {});
};

/// A loss of predictions and targets, by name and options.
class LossFunction {
 public:
  using Samples = std::function<Var(Var prediction, Var target)>;
  /// What a prediction is: a number, one logit a sample, or one logit a class.
  enum class Output { value, logit, logits };
  LossFunction(std::string name, OptionMap options, Output output, Samples samples)
      : name_(std::move(name)), options_(std::move(options)), output_(output), samples_(std::move(samples)) {}

  /// Weights, one a sample, are optional.
  [[nodiscard]] Loss operator()(Var prediction, Var target, Var weights = {}) const;
  /// One value a sample.
  [[nodiscard]] Var samples(Var prediction, Var target) const { return samples_(prediction, target); }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const OptionMap& options() const { return options_; }
  [[nodiscard]] Output output() const { return output_; }

 private:
  std::string name_;
  OptionMap options_;
  Output output_;
  Samples samples_;
};

/// A row of the table of losses.
struct LossRow {
  std::string_view name, summary, formula, when, source;
  std::vector<OptionDoc> options = {};
  std::function<LossFunction(const OptionMap&)> make = {};  ///< throws UsageError for what the options cannot be
};
[[nodiscard]] const std::vector<LossRow>& losses();
/// Throws UsageError for a name that is not there, naming the nearest.
[[nodiscard]] const LossRow& loss_named(const std::string& name);

namespace loss {

/// A loss with its defaults; `loss::huber({.delta = 2})` gives one with options.
template <class Options>
struct Named {
  LossFunction (*make)(Options);
  [[nodiscard]] LossFunction operator()(Options options) const { return make(options); }
  [[nodiscard]] Loss operator()(Var prediction, Var target, Var weights = {}) const {
    return make({})(prediction, target, weights);
  }
  operator LossFunction() const { return make({}); }
};

struct NoOptions {};
struct HuberOptions {
  double delta = 1;  ///< where the square becomes a line
};

LossFunction make_mse(NoOptions);
LossFunction make_mae(NoOptions);
LossFunction make_huber(HuberOptions);
LossFunction make_cross_entropy(NoOptions);
LossFunction make_binary_cross_entropy(NoOptions);

inline constexpr Named<NoOptions> mse{make_mse};         ///< (prediction - target)^2
inline constexpr Named<NoOptions> mae{make_mae};         ///< |prediction - target|
inline constexpr Named<HuberOptions> huber{make_huber};  ///< d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
/// -log softmax(logits)[label]; targets are i32 labels (batch) or probabilities (batch, classes).
inline constexpr Named<NoOptions> cross_entropy{make_cross_entropy};
/// -y log sigmoid(logit) - (1 - y) log(1 - sigmoid(logit)); targets in [0, 1].
inline constexpr Named<NoOptions> binary_cross_entropy{make_binary_cross_entropy};

}  // namespace loss
}  // namespace thalweg
