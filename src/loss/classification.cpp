// Losses of classes and probabilities.

#include <limits>

#include "graph/graph.hpp"
#include "loss/row.hpp"

namespace thalweg::loss {

/// Of a weight: sums of larger ones, times the losses of their rows, could leave the range of f32.
constexpr Range weight_range{.low = 0, .high = 1e20};

Fields fields(CrossEntropyOptions& o) {
  return {{"label_smoothing", &o.label_smoothing, "this part of each label's probability is spread over all classes",
           unit_interval},
          {"class_weights", &o.class_weights, "a weight for each class; empty: all 1", weight_range},
          {"ignored_labels", &o.ignored_labels, "samples with these labels have weight 0"}};
}
Fields fields(BinaryCrossEntropyOptions& o) {
  return {{"positive_weight", &o.positive_weight,
           "factor of the positive term: one number, or one for each column; empty: 1", weight_range}};
}
Fields fields(FocalOptions& o) {
  return {{"alpha", &o.alpha, "weight of positive samples; negative samples have 1 - alpha; below 0: no weights",
           Range{.high = 1}},
          {"gamma", &o.gamma, "how strongly the loss of easy samples is reduced", not_negative}};
}
Fields fields(HingeOptions& o) {
  return {{"margin", &o.margin, "samples whose score is this far on the correct side of 0 have no loss"}};
}
Fields fields(KlOptions& o) { return {{"log_target", &o.log_target, "targets are logarithms of probabilities"}}; }

namespace {

/// One number for each element of the last axis, as a constant; a single number is repeated for all.
Var along_last(std::string_view option, const std::vector<double>& values, Var like) {
  const auto count = static_cast<std::int64_t>(values.size());
  if (count != 1 && (like.rank() == 0 || count != like.dim(-1))) {
    fail<UsageError>("[{}] {} numbers for predictions {}. Hint: one for each element of the last axis.", option, count,
                     like.shape());
  }
  return like.graph().constant(Tensor::from(values, {count}).to(like.dtype()));
}

/// Labels with ignored ones replaced by 0, and a mask that is 1 where a label counts.
std::pair<Var, Var> without_ignored(Var labels, const std::vector<std::int64_t>& ignored, DType dtype) {
  const Var numbers = cast(labels, f64);
  Var counts = broadcast_to(labels.graph().number(1, f64), labels.shape());
  for (std::int64_t label : ignored) counts = counts * not_equal(numbers, static_cast<double>(label));
  return {cast(numbers * counts, i32), cast(counts, dtype)};
}

SampleLosses labelled(const CrossEntropyOptions& o, Var logits, Var labels) {
  if (labels.rank() == logits.rank()) labels = squeeze(labels, -1);
  if (o.label_smoothing == 0 && o.class_weights.empty() && o.ignored_labels.empty()) {
    return cross_entropy_with_labels(logits, labels);
  }
  Var counts, weights;  // one for each label; empty where every label counts once
  if (!o.ignored_labels.empty()) {
    std::tie(labels, counts) = without_ignored(labels, o.ignored_labels, logits.dtype());
    weights = counts;
    logits = where(expand_dims(counts, -1), logits, 0);  // 0 times an infinite one, of a masked class, would be NaN
  }
  const auto times = [](Var factor, Var x) { return factor.defined() ? factor * x : x; };
  const Var surprise = -log_softmax(logits);
  Var spread = mean(surprise, -1);
  if (!o.class_weights.empty()) {
    const Var by_class = along_last("class_weights", o.class_weights, logits);
    weights = times(weights, gather(by_class, labels));
    spread = mean(surprise * by_class, -1);
  }
  const Var each = times(weights, (1 - o.label_smoothing) * pick(surprise, labels));
  return {o.label_smoothing == 0 ? each : each + times(counts, o.label_smoothing * spread), weights};
}

/// Refuses what can only be labels of another dtype: one number for each row of logits.
void expect_not_labels(Var logits, Var target) {
  const std::int64_t classes = logits.rank() == 0 ? 1 : logits.dim(-1);
  if (classes == 1 || target.size() * classes != logits.size()) return;
  fail<UsageError>("[cross_entropy] targets {} {} for logits {}. Hint: labels are i32, labels.to(tw::i32).",
                   target.dtype(), target.shape(), logits.shape());
}

SampleLosses with_probabilities(const CrossEntropyOptions& o, Var logits, Var target) {
  if (!o.ignored_labels.empty()) {
    fail<UsageError>("[cross_entropy] ignored_labels with targets of probabilities {}. Hint: targets of i32 labels.",
                     target.shape());
  }
  target = as_target("cross_entropy", logits, target);
  if (o.label_smoothing > 0) {
    target = (1 - o.label_smoothing) * target + o.label_smoothing / static_cast<double>(logits.dim(-1));
  }
  if (!o.class_weights.empty()) target = target * along_last("class_weights", o.class_weights, logits);
  return cross_entropy_with_probabilities(logits, target);
}

/// log(p (1 - y) + (1 - p) y) with p = sigmoid(logit): the logarithm of the probability of the wrong answer. For y = 0
/// or 1 this is -softplus(-logit) or -softplus(logit), whose derivative is finite however small the probability is.
Var log_of_wrong(Var logits, Var y) {
  const Var p = sigmoid(logits), is_hard = equal(y * (1 - y), 0);
  const Var of_hard = -softplus((2 * y - 1) * logits);
  return where(is_hard, of_hard, log(where(is_hard, 1, p * (1 - y) + (1 - p) * y)));
}

/// max(0, margin - y score) with y = 1 or -1.
Var shortfall(std::string_view name, double margin, Var score, Var target) {
  const Var y = where(as_target(name, score, target) > 0, 1, -1);
  return relu(margin - y * score);
}

}  // namespace

LossFunction make_cross_entropy(CrossEntropyOptions o) {
  LossFunction::Traits traits{.task = Task::multiclass, .ignored_labels = o.ignored_labels};
  return {"cross_entropy", checked_values("cross_entropy", o), std::move(traits), [o](Var logits, Var target) {
            if (target.dtype() == i32) return labelled(o, logits, target);
            expect_not_labels(logits, target);
            return with_probabilities(o, logits, target);
          }};
}

LossFunction make_binary_cross_entropy(BinaryCrossEntropyOptions o) {
  return {"binary_cross_entropy", checked_values("binary_cross_entropy", o), Task::binary, [o](Var logits, Var target) {
            const Var y = as_target("binary_cross_entropy", logits, target);
            if (o.positive_weight.empty()) return binary_cross_entropy_with_logits(logits, y);
            const Var factor = along_last("positive_weight", o.positive_weight, logits);
            const Var no = 1 - y, yes = factor * y, above = logits > 0;
            // binary_cross_entropy_with_logits, with its two terms weighted
            return softplus(where(above, -logits, logits)) * (no + yes) + logits * (no * above - yes * (1 - above));
          }};
}

LossFunction make_focal(FocalOptions o) {
  return {"focal", checked_values("focal", o), Task::binary, [o](Var logits, Var target) {
            const Var y = as_target("focal", logits, target);
            const Var each = exp(o.gamma * log_of_wrong(logits, y)) * binary_cross_entropy_with_logits(logits, y);
            return o.alpha < 0 ? each : (o.alpha * y + (1 - o.alpha) * (1 - y)) * each;
          }};
}

LossFunction make_hinge(HingeOptions o) {
  return {"hinge", checked_values("hinge", o), LossFunction::Traits{.task = Task::binary, .scores = true},
          [o](Var p, Var t) { return shortfall("hinge", o.margin, p, t); }};
}

LossFunction make_squared_hinge(HingeOptions o) {
  return {"squared_hinge", checked_values("squared_hinge", o),
          LossFunction::Traits{.task = Task::binary, .scores = true},
          [o](Var p, Var t) { return square(shortfall("squared_hinge", o.margin, p, t)); }};
}

LossFunction make_kl_divergence(KlOptions o) {
  return {"kl_divergence", checked_values("kl_divergence", o), Task::multiclass, [o](Var logits, Var target) {
            const Var t = as_target("kl_divergence", logits, target), log_p = log_softmax(logits);
            if (o.log_target) {
              const Var never = equal(t, -std::numeric_limits<double>::infinity());  // 0 log 0 = 0
              return sum(exp(t) * (where(never, 0, t) - log_p), -1);
            }
            const Var information = t * log(where(t > 0, t, 1));  // 0 log 0 = 0
            return sum(information - t * log_p, -1);
          }};
}

std::vector<LossRow> classification_losses() {
  return {
      row(make_cross_entropy, {.name = "cross_entropy",
                               .summary = "negative log probability of the correct class",
                               .formula = "-log softmax(logits)[y]",
                               .when = "one class of several",
                               .source = "PyTorch CrossEntropyLoss"}),
      row(make_binary_cross_entropy, {.name = "binary_cross_entropy",
                                      .summary = "negative log probability of the correct one of two classes",
                                      .formula = "-y log sigmoid(z) - (1 - y) log(1 - sigmoid(z))",
                                      .when = "yes or no, or several yes-or-no questions at once",
                                      .source = "PyTorch BCEWithLogitsLoss"}),
      row(make_focal, {.name = "focal",
                       .summary = "binary cross-entropy with less weight on easy samples",
                       .formula = "-alpha_y (1 - p_y)^gamma log p_y",
                       .when = "yes or no, where one of the two is very rare",
                       .source = "Lin et al. 2017; torchvision sigmoid_focal_loss"}),
      row(make_hinge,
          {.name = "hinge",
           .summary = "how far a score falls short of a margin",
           .formula = "max(0, margin - y z), y = 1 or -1",
           .when = "yes or no; a linear support vector machine. Its outputs are scores, above 0 for yes, not "
                   "probabilities",
           .source = "Cortes and Vapnik 1995"}),
      row(make_squared_hinge,
          {.name = "squared_hinge",
           .summary = "the square of hinge, which is smooth at the margin",
           .formula = "max(0, margin - y z)^2, y = 1 or -1",
           .when = "yes or no; a linear support vector machine. Its outputs are scores, above 0 for "
                   "yes, not probabilities",
           .source = "Cortes and Vapnik 1995"}),
      row(make_kl_divergence, {.name = "kl_divergence",
                               .summary = "how far the predicted distribution is from the target's",
                               .formula = "sum t (log t - log softmax(logits))",
                               .when = "targets are distributions, such as another model's predictions",
                               .source = "Kullback and Leibler 1951; PyTorch KLDivLoss, batchmean"}),
  };
}

}  // namespace thalweg::loss
