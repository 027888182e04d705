// The loss of connectionist temporal classification and its gradient against PyTorch, and the decoding of logits.

#include "thalweg/ctc.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "evaluate.hpp"
#include "reference_file.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

struct Given {
  Tensor logits, labels, frames, lengths;
  CtcOptions options = {};

  [[nodiscard]] std::vector<Tensor> inputs() const { return {logits, labels, frames, lengths}; }
  /// The losses of the samples, and the gradient of their sum by the logits.
  [[nodiscard]] std::vector<Tensor> losses_and_gradient(int threads = 1) const {
    return evaluate(
        [this](const std::vector<Var>& x) {
          const Var losses = ctc_loss(x[0], x[1], x[2], x[3], options);
          return std::vector<Var>{losses, gradients(sum(losses), {x[0]})[0]};
        },
        inputs(), {}, threads);
  }
};

Tensor whole(const std::vector<std::int32_t>& values, const Shape& shape) { return Tensor::from(values, shape); }

Given given(const nlohmann::json& item, DType dtype) {
  const auto frames = item.at("frames").get<std::vector<std::int32_t>>();
  const auto batch = static_cast<std::int64_t>(frames.size());
  std::vector<std::int32_t> labels;
  for (const auto& row : item.at("labels")) labels.insert(labels.end(), row.begin(), row.end());
  Tensor logits({batch, item.at("time"), item.at("classes")}, f64);
  for (std::int64_t i = 0; i < logits.size(); ++i)
    logits.set(i, 2 * std::sin(0.37 * static_cast<double>(i) + 0.05 * static_cast<double>(i * i % 101)));
  return {logits.to(dtype),
          whole(labels, {batch, static_cast<std::int64_t>(labels.size()) / batch}),
          whole(frames, {batch}),
          whole(item.at("lengths").get<std::vector<std::int32_t>>(), {batch}),
          {.blank = item.at("blank"), .zero_infinity = item.at("zero_infinity")}};
}

void expect_as_pytorch(DType dtype, double loss_tolerance, double gradient_tolerance) {
  for (const auto& item : testing::reference("ctc")) {
    SCOPED_TRACE("time " + item.at("time").dump() + ", labels " + item.at("labels").dump().substr(0, 60));
    const auto got = given(item, dtype).losses_and_gradient();
    for (std::int64_t i = 0; i < got[0].size(); ++i) {
      const double wanted = item.at("losses")[static_cast<std::size_t>(i)];
      EXPECT_NEAR(got[0].at(i), wanted, loss_tolerance * std::max(1.0, wanted));
    }
    const std::int64_t every = item.at("every");
    std::int64_t place = 0;
    for (const double wanted : item.at("gradient")) {
      EXPECT_NEAR(got[1].at(place), wanted, gradient_tolerance) << "element " << place;
      place += every;
    }
    EXPECT_GE(place, got[1].size());
  }
}

TEST(Ctc, MatchesPyTorchInValueAndGradient) { expect_as_pytorch(f64, 1e-12, 1e-10); }

// In the gradient of the longest case, PyTorch's own f32 differs from its f64 by 7e-4.
TEST(Ctc, InF32IsCloseToF64) { expect_as_pytorch(f32, 1e-6, 5e-6); }

TEST(Ctc, LabelsThatDoNotFitTheirFramesHaveInfiniteLoss) {
  Given two{random_normal({2, 3, 4}, 1, f64), whole({1, 1, 2, 3}, {2, 2}), whole({2, 3}, {2}), whole({2, 2}, {2})};
  const auto got = two.losses_and_gradient();
  EXPECT_EQ(got[0].at(0), std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isfinite(got[0].at(1)));
  EXPECT_TRUE(std::isnan(got[1].at(0)));         // the first frame of the first sample
  EXPECT_EQ(got[1].at(2 * 4), 0);                // a frame after its end
  EXPECT_TRUE(std::isfinite(got[1].at(3 * 4)));  // the second sample
  two.options.zero_infinity = true;
  const auto zeroed = two.losses_and_gradient();
  EXPECT_EQ(zeroed[0].at(0), 0);
  for (std::int64_t i = 0; i < 3 * 4; ++i) EXPECT_EQ(zeroed[1].at(i), 0);
  EXPECT_EQ(zeroed[0].at(1), got[0].at(1));
}

TEST(Ctc, ASampleWithoutFramesCanOnlyHaveNoLabels) {
  const Given none{random_normal({2, 3, 4}, 1, f64), whole({1, 1}, {2, 1}), whole({0, 0}, {2}), whole({0, 1}, {2})};
  const auto got = none.losses_and_gradient();
  EXPECT_EQ(got[0].at(0), 0);
  EXPECT_EQ(got[0].at(1), std::numeric_limits<double>::infinity());
}

TEST(Ctc, AClassOfProbabilityZeroGivesFiniteResults) {
  Tensor logits = random_normal({1, 4, 3}, 2, f32);
  logits.set(5, -std::numeric_limits<double>::infinity());  // class 2 at frame 1
  const Given one{logits, whole({1, 2}, {1, 2}), whole({4}, {1}), whole({2}, {1})};
  const auto got = one.losses_and_gradient();
  EXPECT_TRUE(std::isfinite(got[0].at(0)));
  EXPECT_EQ(got[1].at(5), 0);
  for (std::int64_t i = 0; i < got[1].size(); ++i) EXPECT_TRUE(std::isfinite(got[1].at(i))) << i;
}

TEST(Ctc, ALongSampleIsAccurateInF32) {
  constexpr std::int64_t time = 5000;
  const Tensor logits = random_normal({1, time, 30}, 3, f64);
  std::vector<std::int32_t> labels;
  for (std::int32_t i = 0; i < 400; ++i) labels.push_back(1 + i * 7 % 29);
  const auto run = [&](DType dtype) {
    return Given{logits.to(dtype), whole(labels, {1, 400}), whole({time}, {1}), whole({400}, {1})}
        .losses_and_gradient();
  };
  const auto narrow = run(f32), wide = run(f64);
  EXPECT_NEAR(narrow[0].at(0) / wide[0].at(0), 1, 1e-6);
  EXPECT_LE(distance(narrow[1].to(f64), wide[1]), 3e-4);
}

TEST(Ctc, ThreadsDoNotChangeABit) {
  const std::int64_t batch = 37;
  std::vector<std::int32_t> labels, frames, lengths;
  for (std::int32_t i = 0; i < batch; ++i) {
    frames.push_back(100 + i);
    lengths.push_back(5 + i % 20);
    for (std::int32_t k = 0; k < 25; ++k) labels.push_back(1 + (i + k * k) % 19);
  }
  for (const DType dtype : {f32, f64}) {
    const Given many{random_normal({batch, 140, 20}, 4, f64).to(dtype), whole(labels, {batch, 25}),
                     whole(frames, {batch}), whole(lengths, {batch})};
    const auto one = many.losses_and_gradient(1);
    for (const int threads : {2, 3}) {
      const auto several = many.losses_and_gradient(threads);
      EXPECT_TRUE(identical(one[0], several[0]));
      EXPECT_TRUE(identical(one[1], several[1]));
    }
  }
}

TEST(Ctc, RefusesValuesOutOfRangeWithTheirRow) {
  const auto refused = [](const std::vector<std::int32_t>& labels, std::int32_t frames, std::int32_t length) {
    const Given one{random_normal({1, 4, 3}, 2), whole(labels, {1, 2}), whole({frames}, {1}), whole({length}, {1})};
    try {
      (void)one.losses_and_gradient();
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  EXPECT_EQ(refused({1, 3}, 4, 2),
            "[ctc_loss] label 3 at place 1, of 3 classes. Hint: labels run from 0 to 2, without the blank, 0.");
  EXPECT_EQ(refused({1, 0}, 4, 2),
            "[ctc_loss] label 0 at place 1, of 3 classes. Hint: labels run from 0 to 2, without the blank, 0.");
  EXPECT_EQ(refused({1, 2}, 5, 2),
            "[ctc_loss] 5 frames at place 0, of 4. Hint: frames are those of the sample that are no padding.");
  EXPECT_EQ(refused({1, 2}, 4, 3),
            "[ctc_loss] 3 labels at place 0, of 2. Hint: lengths are those of the labels that are no padding.");
  EXPECT_EQ(refused({1, 99}, 4, 1), "nothing");  // labels after the length are ignored
}

TEST(Ctc, RefusesShapesThatDoNotFit) {
  const auto loss = [](const Shape& logits, const Shape& labels, DType dtype, std::int64_t blank) {
    (void)evaluate(
        [&](const std::vector<Var>& x) { return std::vector<Var>{ctc_loss(x[0], x[1], x[2], x[2], {.blank = blank})}; },
        {Tensor(logits), Tensor(labels, dtype), Tensor({2}, i32)});
  };
  EXPECT_THROW(loss({2, 3}, {2, 1}, i32, 0), UsageError);
  EXPECT_THROW(loss({2, 3, 4}, {1, 1}, i32, 0), UsageError);
  EXPECT_THROW(loss({2, 3, 4}, {2, 1}, f32, 0), UsageError);
  EXPECT_THROW(loss({2, 3, 4}, {2, 1}, i32, 4), UsageError);
  EXPECT_NO_THROW(loss({2, 3, 4}, {2, 1}, i32, 3));
}

using Labels = std::vector<std::int32_t>;

/// Logits whose softmax is these probabilities.
Tensor logs_of(const std::vector<std::vector<double>>& probabilities) {
  Tensor logits({std::ssize(probabilities), std::ssize(probabilities[0])}, f64);
  std::int64_t place = 0;
  for (const auto& row : probabilities) {
    for (const double p : row) logits.set(place++, std::log(p));
  }
  return logits;
}

TEST(CtcDecoding, GreedyRemovesRepetitionsAndBlanks) {
  const auto path = [](const Labels& classes) {
    std::vector<std::vector<double>> rows;
    for (const std::int32_t c : classes) {
      rows.push_back({0.1, 0.1, 0.1});
      rows.back()[static_cast<std::size_t>(c)] = 0.8;
    }
    return ctc::greedy(logs_of(rows)).labels;
  };
  EXPECT_EQ(path({1, 1, 0, 1, 2, 2}), (Labels{1, 1, 2}));
  EXPECT_EQ(path({0, 0}), Labels{});
  EXPECT_EQ(path({2, 1, 2, 0}), (Labels{2, 1, 2}));
}

TEST(CtcDecoding, TheBeamAddsUpPathsWithTheSameLabels) {
  // the likeliest path is two blanks with 0.36, but three paths give the label 1: 0.24 + 0.24 + 0.16
  const Tensor logits = logs_of({{0.6, 0.4}, {0.6, 0.4}});
  EXPECT_EQ(ctc::greedy(logits).labels, Labels{});
  EXPECT_NEAR(ctc::greedy(logits).log_probability, std::log(0.36), 1e-12);
  const auto readings = ctc::beam(logits, 4);
  EXPECT_EQ(readings[0].labels, Labels{1});
  EXPECT_NEAR(readings[0].log_probability, std::log(0.64), 1e-12);
  EXPECT_EQ(readings[1].labels, Labels{});
}

TEST(CtcDecoding, TheProbabilitiesOfAWideBeamAgreeWithTheLoss) {
  const Tensor logits = random_normal({5, 3}, 11, f64);
  double total = 0;
  for (const auto& [labels, log_probability] : ctc::beam(logits, 10'000)) {
    total += std::exp(log_probability);
    Labels padded = labels;
    padded.resize(5);
    const Given one{logits.reshape({1, 5, 3}), whole(padded, {1, 5}), whole({5}, {1}),
                    whole({static_cast<std::int32_t>(labels.size())}, {1})};
    EXPECT_NEAR(one.losses_and_gradient()[0].at(0), -log_probability, 1e-12);
  }
  EXPECT_NEAR(total, 1, 1e-12);  // the beam contains all possible labels
}

/// Compares with the sums over all paths: a beam that keeps all prefixes gives the same sums in descending order, and a
/// narrow one never gives more.
TEST(CtcDecoding, TheBeamHasTheSumsOfAllPaths) {
  for (const std::int64_t blank : {0, 1, 2}) {
    constexpr std::int64_t time = 6, classes = 3;
    const Tensor logits = random_normal({time, classes}, 11 + static_cast<std::uint64_t>(blank));
    std::vector<std::vector<double>> probability(time, std::vector<double>(classes));
    for (std::size_t t = 0; t < time; ++t) {
      double total = 0;
      for (std::size_t c = 0; c < classes; ++c)
        total += probability[t][c] = std::exp(2 * logits.at(static_cast<std::int64_t>(t * classes + c)));
      for (double& one : probability[t]) one /= total;
    }
    Tensor sharper(logits.shape());
    for (std::int64_t i = 0; i < logits.size(); ++i) sharper.set(i, 2 * logits.at(i));
    std::map<std::vector<std::int32_t>, double> sums;
    for (int path = 0; path < 729; ++path) {  // 3^6
      double product = 1;
      std::vector<std::int32_t> labels;
      std::int64_t before = blank;
      for (std::size_t t = 0, rest = static_cast<std::size_t>(path); t < time; ++t, rest /= classes) {
        const auto c = static_cast<std::int64_t>(rest % classes);
        product *= probability[t][rest % classes];
        if (c != blank && c != before) labels.push_back(static_cast<std::int32_t>(c));
        before = c;
      }
      sums[labels] += product;
    }
    const auto readings = ctc::beam(sharper, 1000, blank);
    ASSERT_EQ(readings.size(), sums.size());
    for (std::size_t i = 0; i < readings.size(); ++i) {
      EXPECT_NEAR(std::exp(readings[i].log_probability), sums.at(readings[i].labels), 1e-6);
      if (i > 0) {
        EXPECT_LE(readings[i].log_probability, readings[i - 1].log_probability);
      }
    }
    for (const auto& [labels, log_probability] : ctc::beam(sharper, 2, blank))
      EXPECT_LE(std::exp(log_probability), sums.at(labels) + 1e-6);
  }
}

TEST(CtcDecoding, TheBlankMayBeAnyClass) {
  const Tensor logits = logs_of({{0.1, 0.8, 0.1}, {0.1, 0.1, 0.8}, {0.8, 0.1, 0.1}});
  EXPECT_EQ(ctc::greedy(logits, 2).labels, (Labels{1, 0}));
  EXPECT_EQ(ctc::beam(logits, 8, 2)[0].labels, (Labels{1, 0}));
}

TEST(CtcDecoding, RefusesInvalidArguments) {
  EXPECT_THROW((void)ctc::greedy(Tensor({2, 3, 4})), UsageError);
  EXPECT_THROW((void)ctc::greedy(Tensor({2, 3}), 3), UsageError);
  EXPECT_THROW((void)ctc::beam(Tensor({2, 3}), 0), UsageError);
  EXPECT_EQ(ctc::beam(Tensor({0, 3}), 2)[0].labels, Labels{});
}

}  // namespace
}  // namespace thalweg
