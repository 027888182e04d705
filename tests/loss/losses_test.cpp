// Every loss against PyTorch's values and gradients, with its options: tests/reference/losses.py.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "evaluate.hpp"
#include "graph/samples.hpp"
#include "reference_file.hpp"
#include "thalweg/error.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using Vars = std::vector<Var>;

void collect(const nlohmann::json& value, std::vector<double>& numbers, std::vector<std::int64_t>& shape,
             std::size_t depth = 0) {
  if (!value.is_array()) return numbers.push_back(value.get<double>());
  if (shape.size() == depth) shape.push_back(static_cast<std::int64_t>(value.size()));
  for (const auto& element : value) collect(element, numbers, shape, depth + 1);
}

Tensor tensor_of(const nlohmann::json& value) {
  std::vector<double> numbers;
  std::vector<std::int64_t> shape;
  collect(value, numbers, shape);
  return Tensor::from(numbers, Shape(shape));
}

struct Case {
  LossFunction loss;
  Tensor prediction, target, gradient;
  double value;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& entry : testing::reference("losses")) {
    const Tensor target = tensor_of(entry["target"]);
    all.push_back({loss_named(entry["name"].get<std::string>()).make(testing::options_of(entry["options"])),
                   tensor_of(entry["prediction"]), entry["labels"].get<bool>() ? target.to(i32) : target,
                   tensor_of(entry["gradient"]), entry["value"].get<double>()});
  }
  return all;
}

Tensor typed(const Tensor& x, DType dtype) { return is_float(x.dtype()) ? x.to(dtype) : x; }

/// The loss and its gradient by the prediction.
std::vector<Tensor> value_and_gradient(const Case& c, DType dtype) {
  return evaluate(
      [&](const Vars& x) {
        const Loss loss = c.loss(x[0], x[1]);
        const Var value = loss.sum / loss.weight;
        return Vars{value, gradients(value, {x[0]})[0]};
      },
      {typed(c.prediction, dtype), typed(c.target, dtype)});
}

TEST(Losses, MatchPyTorchInValueAndGradient) {
  const auto all = cases();
  EXPECT_GE(all.size(), 59U);
  for (std::size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].loss.name() + ", case " + std::to_string(i));
    for (DType dtype : {f64, f32}) {
      const double tolerance = dtype == f64 ? 1e-12 : 1e-5;
      const auto got = value_and_gradient(all[i], dtype);
      EXPECT_NEAR(got[0].item(), all[i].value, tolerance * std::max(1.0, std::abs(all[i].value)));
      EXPECT_LE(distance(got[1], all[i].gradient), tolerance);
    }
  }
}

/// The derivative of p^gamma at p near 0 may be infinite, but the gradient of the loss must not become NaN.
TEST(Losses, FocalHasAFiniteGradientForEveryGammaAndConfidence) {
  for (const double gamma : {0.0, 0.1, 0.5, 1.0, 1.5, 2.0, 5.0}) {
    const LossFunction focal = loss::focal({.gamma = gamma});
    for (const DType dtype : {f32, f64}) {
      for (const double target : {0.0, 1.0}) {
        const double side = target == 1 ? 1 : -1;
        const Tensor logits = Tensor::of({side * 10, side * 30, side * 200, -side * 200}).to(dtype);
        const Tensor targets = full({4}, target, dtype);
        const auto each = [&](const Vars& x) {
          const Var values = focal.samples(x[0], x[1]);
          return Vars{values, gradients(sum(values), {x[0]})[0]};
        };
        const auto got = evaluate(each, {logits, targets});
        for (std::int64_t i = 0; i < 4; ++i) {
          const double t = side * logits.at(i), wrong = 1 / (1 + std::exp(t)),
                       loss = std::max(-t, 0.0) + std::log1p(std::exp(-std::abs(t)));
          const double factor = std::pow(wrong, gamma), alpha = target == 1 ? 0.25 : 0.75;
          const double noise = 1e-6 * std::abs(t) * gamma * factor * loss + 1e-30;
          EXPECT_NEAR(got[0].at(i), alpha * factor * loss, 1e-5 * alpha * factor * loss + noise);
          // d/dt wrong^gamma loss = -wrong^gamma (gamma (1 - wrong) loss + wrong)
          const double slope = -side * alpha * factor * (gamma * (1 - wrong) * loss + wrong);
          EXPECT_NEAR(got[1].at(i), slope, 1e-5 * std::abs(slope) + noise)
              << "gamma " << gamma << ", logit " << logits.at(i);
        }
      }
    }
  }
}

/// Value, gradient and second derivative, in f32, against softplus(-t) = log1p(e^-t), t = z or -z, in f64.
TEST(Losses, BinaryCrossEntropyIsAccurateForEveryConfidence) {
  const Tensor logits = Tensor::of<float>({-80, -30, -10, -1, 0, 1, 10, 30, 80});
  for (const double target : {0.0, 0.3, 1.0}) {
    for (const double weight : {1.0, 3.0}) {
      const LossFunction bce = weight == 1 ? LossFunction(loss::binary_cross_entropy)
                                           : loss::binary_cross_entropy({.positive_weight = {weight}});
      const auto each = [&](const Vars& x) {
        const Var values = bce.samples(x[0], x[1]), slope = gradients(sum(values), {x[0]})[0];
        return Vars{values, slope, gradients(sum(slope), {x[0]})[0]};
      };
      const auto got = evaluate(each, {logits, full(logits.shape(), target, f32)});
      for (std::int64_t i = 0; i < logits.size(); ++i) {
        const double z = logits.at(i), no = (1 - target), yes = weight * target;
        const auto softplus_of = [](double t) { return std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t))); };
        const auto sigmoid_of = [](double t) { return 1 / (1 + std::exp(-t)); };
        const double wanted[] = {no * softplus_of(z) + yes * softplus_of(-z), no * sigmoid_of(z) - yes * sigmoid_of(-z),
                                 (no + yes) * sigmoid_of(z) * sigmoid_of(-z)};
        for (int order = 0; order < 3; ++order) {
          // for a target between 0 and 1, two terms are added that may cancel
          const double mixed = target == 0 || target == 1 ? 0 : 1e-6;
          EXPECT_NEAR(got[static_cast<std::size_t>(order)].at(i), wanted[order], 3e-6 * std::abs(wanted[order]) + mixed)
              << "order " << order << ", logit " << z << ", target " << target << ", weight " << weight;
        }
      }
    }
  }
}

/// Also for logits around 1e8, where neighbouring f32 numbers differ by more than the loss.
TEST(Losses, CrossEntropyDoesNotDependOnAnOffsetOfAllLogits) {
  const Tensor labels = Tensor::of<std::int32_t>({0, 1});
  const auto of_labels = [](const Vars& x) {
    const Var each = cross_entropy_with_labels(x[0], x[1]);
    return Vars{each, gradients(sum(each), {x[0]})[0]};
  };
  for (const float offset : {0.F, 1e3F, 1e6F, 1e8F, -1e8F}) {
    const Tensor logits = Tensor::of({offset, offset, offset, offset, offset, offset}).reshape({2, 3});
    const auto got = evaluate(of_labels, {logits, labels});
    for (std::int64_t row = 0; row < 2; ++row) {
      EXPECT_NEAR(got[0].at(row), std::log(3), 1e-6) << offset;
      for (std::int64_t k = 0; k < 3; ++k)
        EXPECT_NEAR(got[1].at(3 * row + k), (k == row ? -2. : 1.) / 3, 1e-6) << offset;
    }
  }
}

/// The gradient of logsumexp is softmax, which does not depend on an offset.
TEST(Losses, TheGradientOfLogsumexpIsSoftmaxAtEveryOffset) {
  for (const float offset : {0.F, 1e6F, -1e8F}) {
    const Tensor x = Tensor::of({offset, offset, offset, offset});
    const auto got = evaluate([](const Vars& v) { return Vars{gradients(logsumexp(v[0]), {v[0]})[0]}; }, {x});
    for (std::int64_t i = 0; i < 4; ++i) EXPECT_NEAR(got[0].at(i), 0.25, 1e-7) << offset;
  }
}

TEST(Losses, CosineIsRightForVectorsOfEverySize) {
  const LossFunction cosine = loss::cosine;
  for (const float size : {1e-4F, 1.F, 1e20F, 1e30F}) {
    const Tensor p = Tensor::of({size, 0.F, size, size}).reshape({2, 2}),
                 t = Tensor::of({size, 0.F, size, -size}).reshape({2, 2});
    const auto got = evaluate([&](const Vars& x) { return Vars{cosine.samples(x[0], x[1])}; }, {p, t});
    EXPECT_NEAR(got[0].at(0), 0, 1e-6) << size;
    EXPECT_NEAR(got[0].at(1), 1, 1e-6) << size;
  }
}

TEST(Losses, EveryRowHasACaseAndItsTexts) {
  std::set<std::string> seen;
  for (const Case& c : cases()) seen.insert(c.loss.name());
  for (const LossRow& row : losses()) {
    EXPECT_TRUE(seen.contains(std::string(row.name))) << row.name;
    EXPECT_EQ(row.make({}).name(), row.name);
    EXPECT_EQ(row.make({}).options().size(), row.options.size()) << row.name;
    for (const auto text : {row.summary, row.formula, row.when, row.source}) EXPECT_FALSE(text.empty()) << row.name;
  }
}

/// Sum and weight of the loss over the rows `begin` to `end` of a case, as of a shard.
std::vector<Tensor> sum_and_weight(const Case& c, const Tensor& weights, std::int64_t begin, std::int64_t end) {
  return evaluate(
      [&](const Vars& x) {
        const Loss loss = c.loss(x[0], x[1], x[2]);
        return Vars{loss.sum, loss.weight};
      },
      {c.prediction.rows(begin, end), c.target.rows(begin, end), weights.rows(begin, end)});
}

TEST(Losses, ABatchIsTheSumOfItsShardsAndAWeightOfTwoCountsASampleTwice) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.loss.name());
    const std::int64_t rows = c.prediction.shape()[0];
    Tensor twice = ones({rows}, f64);
    twice.set(1, 2);
    const auto whole = sum_and_weight(c, twice, 0, rows);
    const auto first = sum_and_weight(c, twice, 0, 2), rest = sum_and_weight(c, twice, 2, rows);
    const Tensor alike = ones({rows}, f64);
    const auto plain = sum_and_weight(c, alike, 0, rows), again = sum_and_weight(c, alike, 1, 2);
    for (std::size_t k = 0; k < 2; ++k) {
      EXPECT_NEAR(whole[k].item(), first[k].item() + rest[k].item(), 1e-12 * std::max(1.0, std::abs(whole[k].item())));
      EXPECT_NEAR(whole[k].item(), plain[k].item() + again[k].item(), 1e-12 * std::max(1.0, std::abs(whole[k].item())));
    }
    EXPECT_NEAR(plain[0].item() / plain[1].item(), c.value, 1e-12 * std::max(1.0, std::abs(c.value)));
  }
}

TEST(Losses, NoneMixesSamplesSoAStepCanBeCutIntoShards) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.loss.name() + OptionValue{c.loss.options()}.str());
    Graph graph;
    const Var prediction = graph.input("prediction", c.prediction.shape(), f32);
    const Var target = graph.input("target", c.target.shape(), is_float(c.target.dtype()) ? f32 : c.target.dtype());
    const Loss loss = c.loss(prediction, target);
    const Var columns[] = {prediction, target};
    const std::int64_t rows = c.prediction.shape()[0];
    EXPECT_EQ(samples_in(graph, loss.sum, columns, rows), SampleAxis::summed());
    const Node& weight = graph.node(loss.weight);
    const bool counts_rows = weight.op->name == "number" && weight.attributes.number == static_cast<double>(rows);
    EXPECT_TRUE(counts_rows || samples_in(graph, loss.weight, columns, rows) == SampleAxis::summed());
  }
}

TEST(Losses, GradientsAreThoseOfDifferences) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.loss.name());
    const Function f = [&](Var x) {
      const Loss loss = c.loss(x, x.graph().constant(c.target));
      return loss.sum / loss.weight;
    };
    const GradientReport report = check_gradient(f, c.prediction);
    EXPECT_TRUE(report.ok) << report.str();
  }
}

TEST(Losses, LargeLogitsStayFinite) {
  const Tensor logits = Tensor::of({1000.0, -1000.0, 0.0, -1000.0, 1000.0, 0.0}).reshape({2, 3});
  for (const char* name : {"cross_entropy", "kl_divergence", "binary_cross_entropy", "focal"}) {
    const bool classes = std::string(name) == "cross_entropy" || std::string(name) == "kl_divergence";
    const Tensor target = Tensor::of({0.0, 1.0, 0.0, 0.0, 1.0, 0.0}).reshape({2, 3});
    const auto got = value_and_gradient({loss_named(name).make({}), logits, target, logits, 0}, f32);
    EXPECT_TRUE(std::isfinite(got[0].item())) << name;
    EXPECT_GT(got[0].item(), classes ? 900 : 100) << name;
    for (std::int64_t i = 0; i < got[1].size(); ++i) EXPECT_TRUE(std::isfinite(got[1].at(i))) << name;
  }
}

/// The loss of one sample and its gradient by the prediction.
std::vector<Tensor> of_one(const LossFunction& loss, const Tensor& prediction, const Tensor& target) {
  const auto both = [&](const Vars& x) {
    const Var value = sum(loss.samples(x[0], x[1]));
    return Vars{value, gradients(value, {x[0]})[0]};
  };
  return evaluate(both, {prediction, target});
}

/// e^100 overflows f32. The loss is (100 + (1 - 3)^2 e^-100) / 2, and its slope by s is (1 - 4 e^-100) / 2.
TEST(Losses, GaussianIsRightIfTheVarianceOverflows) {
  const auto got = of_one(loss::gaussian, Tensor::of({1.F, 100.F}).reshape({1, 2}), Tensor::of({3.F}));
  EXPECT_EQ(got[0].item(), 50);
  EXPECT_NEAR(got[1].at(0), 0, 1e-30);
  EXPECT_EQ(got[1].at(1), 0.5);
  // also if the squared difference overflows
  const auto far = of_one(loss::gaussian, Tensor::of({1e20F, 80.F}).reshape({1, 2}), Tensor::of({0.F}));
  EXPECT_NEAR(far[0].item(), 40 + 0.5 * std::exp(40 * std::log(10.0) - 80), 1);
}

TEST(Losses, AClassOfProbabilityZeroAddsNothingToTheDivergence) {
  constexpr double never = -std::numeric_limits<double>::infinity();
  const Tensor logits = Tensor::of({0.5, -1.0, 2.0}).reshape({1, 3});
  const Tensor p = Tensor::of({0.25, 0.75, 0.0}).reshape({1, 3});
  const Tensor log_p = Tensor::of({std::log(0.25), std::log(0.75), never}).reshape({1, 3});
  const auto plain = of_one(loss::kl_divergence, logits, p),
             logs = of_one(loss::kl_divergence({.log_target = true}), logits, log_p);
  EXPECT_NEAR(logs[0].item(), plain[0].item(), 1e-14);
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_NEAR(logs[1].at(i), plain[1].at(i), 1e-14);
}

/// The anchor is 0. The norm of p = infinity is the largest difference, as in PyTorch. No power may overflow.
TEST(Losses, TripletsAreRightForEveryNormAndSize) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto value = [](double p, double size) {
    const std::vector<double> x = {0, 0, 3 * size, 4 * size, size, 0};
    const LossFunction loss = loss::triplet({.margin = 0, .p = p, .eps = 0});
    return of_one(loss, Tensor::from(x, {1, 3, 2}), zeros({1}, f64));
  };
  for (const double size : {1.0, 1e-200, 1e200}) {
    EXPECT_NEAR(value(infinity, size)[0].item() / size, 3, 1e-12);
    EXPECT_NEAR(value(3, size)[0].item() / size, std::cbrt(27 + 64) - 1, 1e-12);
    EXPECT_EQ(value(infinity, size)[1].at(3), 1);
    EXPECT_NEAR(value(3, size)[1].at(2), 9 / std::pow(91, 2.0 / 3), 1e-12);
  }
  for (const double p : {1.0, 2.0, 3.0, infinity}) {  // equal vectors
    const auto got = of_one(loss::triplet({.margin = 1, .p = p, .eps = 0}), zeros({1, 3, 2}, f64), zeros({1}, f64));
    EXPECT_EQ(got[0].item(), 1);
    for (std::int64_t i = 0; i < 6; ++i) EXPECT_TRUE(std::isfinite(got[1].at(i))) << p;
  }
}

TEST(Losses, OptionsInCppAreCheckedLikeThoseOfAConfiguration) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW((void)loss::huber({.delta = -1}), UsageError);
  EXPECT_THROW((void)loss::smooth_l1({.beta = nan}), UsageError);
  EXPECT_THROW((void)loss::quantile({.quantile = 1}), UsageError);
  EXPECT_THROW((void)loss::gaussian({.min_variance = 0}), UsageError);
  EXPECT_THROW((void)loss::cross_entropy({.label_smoothing = 1.5}), UsageError);
  EXPECT_THROW((void)loss::cross_entropy({.class_weights = {1, -1}}), UsageError);
  EXPECT_THROW((void)loss::cross_entropy({.class_weights = {1, 3e38}}), UsageError) << "sums are infinite in f32";
  EXPECT_THROW((void)loss::binary_cross_entropy({.positive_weight = {nan}}), UsageError);
  EXPECT_THROW((void)loss::focal({.gamma = -1}), UsageError);
  EXPECT_THROW((void)loss::hinge({.margin = nan}), UsageError);
  EXPECT_THROW((void)loss::cosine_pairs({.margin = 2}), UsageError);
  EXPECT_THROW((void)loss::triplet({.p = 0}), UsageError);
}

/// The reference is torch.nn.functional.cross_entropy with ignore_index = -1.
TEST(Losses, AnIgnoredRowDecidesNothingWhateverItsLogits) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const Tensor labels = Tensor::from(std::vector<double>{-1, 2}, {2}).to(i32);
  for (const double ignored : {-infinity, infinity, nan, 1e308}) {
    const Tensor logits = Tensor::from(std::vector<double>{ignored, 1, 2, -infinity, 2, 3}, {2, 3});
    const auto got = evaluate(
        [](const Vars& x) {
          const Loss each = loss::cross_entropy({.ignored_labels = {-1}})(x[0], x[1]);
          return Vars{each.sum, gradients(each.sum, {x[0]})[0]};
        },
        {logits, labels});
    EXPECT_NEAR(got[0].item(), 0.31326168751822286, 1e-15) << ignored;
    for (std::int64_t i = 0; i < 4; ++i) EXPECT_EQ(got[1].at(i), 0) << ignored;
    EXPECT_NEAR(got[1].at(5), -0.2689414213699951, 1e-15) << ignored;
  }
}

TEST(Losses, ErrorsNameTheMistake) {
  const auto message = [](const LossFunction& loss, const Tensor& prediction, const Tensor& target) -> std::string {
    try {
      evaluate([&](const Vars& x) { return Vars{loss(x[0], x[1]).sum}; }, {prediction, target});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  const Tensor two = zeros({4, 2}), three = zeros({4, 3});
  EXPECT_NE(message(loss::mse, two, three).find("[mse]"), std::string::npos);
  EXPECT_NE(message(loss::gaussian, three, zeros({4})).find("[gaussian]"), std::string::npos);
  EXPECT_NE(message(loss::triplet, two, zeros({4})).find("[triplet]"), std::string::npos);
  EXPECT_NE(message(loss::cosine_pairs, zeros({4, 3, 2}), zeros({4})).find("[cosine_pairs]"), std::string::npos);
  EXPECT_NE(message(loss::pairwise_ranking, three, zeros({4})).find("[pairwise_ranking]"), std::string::npos);
  EXPECT_NE(message(loss::cross_entropy({.class_weights = {1, 2}}), three, zeros({4}, i32)).find("[class_weights] 2"),
            std::string::npos);
  EXPECT_NE(message(loss::cross_entropy, three, zeros({4})).find("labels are i32"), std::string::npos);
  EXPECT_NE(message(loss::cross_entropy({.ignored_labels = {0}}), three, three).find("ignored_labels"),
            std::string::npos);
  EXPECT_THROW((void)loss_named("quantile").make({{"quantile", {1.5}}}), UsageError);
  EXPECT_THROW((void)loss_named("huber").make({{"detla", {1.5}}}), UsageError);
  EXPECT_THROW((void)loss_named("cros_entropy"), UsageError);
}

}  // namespace
}  // namespace thalweg
