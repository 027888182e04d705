#pragma once
// Losses. A loss is a sum over samples and a weight; the sum is divided by the weight once, over the whole batch. So
// masks, class weights and a smaller last batch count correctly, and the value does not depend on how a batch is cut
// into shards.

#include <functional>
#include <string>

#include "thalweg/options.hpp"
#include "thalweg/task.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

/// The result of an objective: the loss is sum / weight over all samples of a batch. `Trainer::fit` divides the
/// gradient of the sum by the batch's rows times the mean weight of all rows, so that a row counts the same in whatever
/// batch it is; a single step divides it by the batch's own weight. Where all rows weigh 1, both are the same.
struct Loss {
  Var sum;                ///< a scalar: over the samples
  Var weight;             ///< a scalar: the number of samples, or the sum of their weights
  bool separable = true;  ///< false: the value depends on several samples together, so a step is one shard

  Loss() = default;
  Loss(Var sum_over_samples, Var total_weight) : sum(sum_over_samples), weight(total_weight) {}
  /// A scalar, used as it is. It may mix samples, so a step is one shard. Throws UsageError for any other shape.
  Loss(Var scalar, Source source = Source::here());
  /// One value per sample (batch) or more (batch, ...), averaged over all but the first axis; optionally one weight per
  /// sample.
  static Loss of_samples(Var values, Var weights = {});
};

/// The result of a loss function for a batch: one value per sample, (batch) or (batch, ...). If the loss has its own
/// weights (class weights, ignored labels), `values` are already multiplied by them, and the total is divided by their
/// sum.
struct SampleLosses {
  Var values;
  Var weights;  ///< with the shape of values; empty: each value counts once
  SampleLosses(Var each, Var own_weights = {}) : values(each), weights(own_weights) {}
};

/// A loss of predictions and targets, by name and options.
class LossFunction {
 public:
  using Samples = std::function<SampleLosses(Var output, Var target)>;
  /// The kind of the targets, and how predictions follow from a model's outputs.
  struct Traits {
    Task task = Task::regression;
    bool standardise = true;                         ///< false: targets keep their own unit, for example counts
    std::int64_t outputs = 1;                        ///< number of model outputs for each number of a target
    std::function<Var(Var output)> prediction = {};  ///< empty: the usual prediction of the task
    std::vector<std::int64_t> ignored_labels = {};   ///< labels that neither the loss nor a metric counts
    bool scores = false;                             ///< binary: an output is a score of the class, not a probability
  };
  /// The task decides what a model's output is: a number, a logit (binary), or a logit for each class (multiclass,
  /// language).
  LossFunction(std::string name, OptionMap options, Task task, Samples samples)
      : LossFunction(std::move(name), std::move(options), Traits{.task = task}, std::move(samples)) {}
  LossFunction(std::string name, OptionMap options, Traits traits, Samples samples)
      : name_(std::move(name)),
        options_(std::move(options)),
        traits_(std::move(traits)),
        samples_(std::move(samples)) {}

  /// Weights, one per sample, are optional.
  [[nodiscard]] Loss operator()(Var prediction, Var target, Var weights = {}) const;
  /// One value per sample.
  [[nodiscard]] Var samples(Var prediction, Var target) const { return samples_(prediction, target).values; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const OptionMap& options() const { return options_; }
  [[nodiscard]] Task task() const { return traits_.task; }
  [[nodiscard]] const Traits& traits() const { return traits_; }
  /// The task with such targets, (rows, ...). A loss of classes serves `language` where a row has several labels, and
  /// `other` where targets are probabilities: no single class is right. A binary loss with several targets per row is
  /// `other` as well.
  [[nodiscard]] Task task_with(const Shape& target, DType dtype) const;
  /// Predictions from a model's outputs: sigmoid(outputs) for `binary`, softmax(outputs) for classes, else the outputs;
  /// or the function in the traits, such as e^output if the output is the logarithm of a rate. For a loss that gives
  /// scores, the scores of both classes, (rows, 2): minus the output, and the output, which is above 0 for class 1.
  [[nodiscard]] Var prediction(Var output) const;

 private:
  std::string name_;
  OptionMap options_;
  Traits traits_;
  Samples samples_;
};

/// A row of the table of losses.
struct LossRow {
  std::string_view name, summary, formula, when, source;
  std::vector<OptionDoc> options = {};
  std::function<LossFunction(const OptionMap&)> make = {};  ///< throws UsageError for invalid options
};
[[nodiscard]] const std::vector<LossRow>& losses();
/// Throws UsageError for an unknown name, naming the nearest.
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
  double delta = 1;  ///< the difference at which the square becomes a line
};
struct SmoothL1Options {
  double beta = 1;  ///< the difference at which the square becomes a line; 0: the absolute error
};
struct QuantileOptions {
  double quantile = 0.5;  ///< the wanted quantile
};
struct PoissonOptions {
  bool log_input = true;  ///< predictions are logarithms of rates, rather than rates
  bool full = false;      ///< adds Stirling's approximation of log y! where y > 1
  double eps = 1e-8;      ///< added to a rate before its logarithm is taken
};
struct GaussianOptions {
  bool full = false;           ///< adds the constant log(2 pi) / 2
  double min_variance = 1e-6;  ///< lower variances are raised to it
};
struct CrossEntropyOptions {
  double label_smoothing = 0;                     ///< this much of each label is spread over all classes
  std::vector<double> class_weights = {};         ///< one per class; empty: all 1
  std::vector<std::int64_t> ignored_labels = {};  ///< samples with these labels do not count
};
struct BinaryCrossEntropyOptions {
  std::vector<double> positive_weight = {};  ///< factor of the positive term: one value, or one per column; empty: 1
};
struct FocalOptions {
  double alpha = 0.25;  ///< weight of positive samples; negative ones have 1 - alpha; below 0: no weights
  double gamma = 2;     ///< how strongly easy samples are reduced
};
struct HingeOptions {
  double margin = 1;  ///< the score at which the loss of a positive sample becomes 0
};
struct KlOptions {
  bool log_target = false;  ///< targets are logarithms of probabilities
};
struct CosinePairsOptions {
  double margin = 0;  ///< the largest similarity of a different pair without a loss
};
struct TripletOptions {
  double margin = 1;  ///< how much farther away the negative sample should be
  double p = 2;       ///< exponent of the norm
  bool swap = false;  ///< takes |p - n| in place of |a - n| if it is smaller (Balntas et al. 2016)
  double eps = 1e-6;  ///< added to each difference
};

LossFunction make_mse(NoOptions);
LossFunction make_mae(NoOptions);
LossFunction make_huber(HuberOptions);
LossFunction make_smooth_l1(SmoothL1Options);
LossFunction make_log_cosh(NoOptions);
LossFunction make_quantile(QuantileOptions);
LossFunction make_poisson(PoissonOptions);
LossFunction make_gaussian(GaussianOptions);
LossFunction make_cross_entropy(CrossEntropyOptions);
LossFunction make_binary_cross_entropy(BinaryCrossEntropyOptions);
LossFunction make_focal(FocalOptions);
LossFunction make_hinge(HingeOptions);
LossFunction make_squared_hinge(HingeOptions);
LossFunction make_kl_divergence(KlOptions);
LossFunction make_cosine(NoOptions);
LossFunction make_cosine_pairs(CosinePairsOptions);
LossFunction make_triplet(TripletOptions);
LossFunction make_pairwise_ranking(NoOptions);

inline constexpr Named<NoOptions> mse{make_mse};         ///< (prediction - target)^2
inline constexpr Named<NoOptions> mae{make_mae};         ///< |prediction - target|
inline constexpr Named<HuberOptions> huber{make_huber};  ///< d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
/// d^2 / (2 beta) where |d| < beta, else |d| - beta / 2.
inline constexpr Named<SmoothL1Options> smooth_l1{make_smooth_l1};
inline constexpr Named<NoOptions> log_cosh{make_log_cosh};  ///< log cosh(prediction - target)
/// max(q d, (q - 1) d) with d = target - prediction; the q-quantile minimises it.
inline constexpr Named<QuantileOptions> quantile{make_quantile};
/// e^prediction - target prediction: for counts; the prediction is the logarithm of their rate.
inline constexpr Named<PoissonOptions> poisson{make_poisson};
/// (s + (target - mean)^2 / e^s) / 2; predictions are (batch, 2): a mean and the logarithm s of a variance.
inline constexpr Named<GaussianOptions> gaussian{make_gaussian};

/// -log softmax(logits)[label]; targets are i32 labels (batch) or probabilities (batch, classes).
inline constexpr Named<CrossEntropyOptions> cross_entropy{make_cross_entropy};
/// -y log sigmoid(logit) - (1 - y) log(1 - sigmoid(logit)); targets in [0, 1].
inline constexpr Named<BinaryCrossEntropyOptions> binary_cross_entropy{make_binary_cross_entropy};
/// -alpha_y (1 - p_y)^gamma log p_y with p_y the probability of the true class; targets in [0, 1].
inline constexpr Named<FocalOptions> focal{make_focal};
/// max(0, margin - y score), y = 1 where the target is above 0, else -1.
inline constexpr Named<HingeOptions> hinge{make_hinge};
inline constexpr Named<HingeOptions> squared_hinge{make_squared_hinge};  ///< hinge^2
/// sum over classes of t (log t - log softmax(logits)); targets t are probabilities (batch, classes).
inline constexpr Named<KlOptions> kl_divergence{make_kl_divergence};

/// 1 - cos(prediction, target), along the last axis.
inline constexpr Named<NoOptions> cosine{make_cosine};
/// Predictions (batch, 2, size) are pairs: 1 - cos where the target is above 0, else max(0, cos - margin).
inline constexpr Named<CosinePairsOptions> cosine_pairs{make_cosine_pairs};
/// Predictions (batch, 3, size) are an anchor, a similar and a dissimilar sample: max(0, |a - p| - |a - n| + margin).
/// Targets have no effect.
inline constexpr Named<TripletOptions> triplet{make_triplet};
/// Predictions (batch, 2) are two scores: -log sigmoid(first - second) where the target is 1, the reverse where it is 0
/// (Bradley and Terry 1952).
inline constexpr Named<NoOptions> pairwise_ranking{make_pairwise_ranking};

}  // namespace loss
}  // namespace thalweg
