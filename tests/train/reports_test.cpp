// Values that objectives report: their means over epochs and evaluations, also after a resume in the middle of an
// epoch.

#include <gtest/gtest.h>

#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t rows = 22;

Dataset numbers() {
  Dataset data;
  data.set("input", random_normal({rows, 3}, 3));
  return data;
}

Loss objective(Scope s, const Batch& b) {
  const Var x = b["input"];
  s.report("square", square(x));
  s.report("noise", s.normal("z", x.shape()));
  return Loss::of_samples(square(x - s.parameter("w", {3})));
}

double of(const Metrics& metrics, std::string_view name) {
  for (const auto& [known, value] : metrics) {
    if (known == name) return value;
  }
  ADD_FAILURE() << "no metric " << name;
  return 0;
}

TEST(Reports, AreMeansOverAllRowsOfAnEpochAndOfAnEvaluation) {
  const Dataset data = numbers();
  double squares = 0;
  for (const float v : data["input"].values<float>()) squares += static_cast<double>(v) * static_cast<double>(v);
  squares /= static_cast<double>(data["input"].size());
  Trainer trainer(objective, optim::sgd({.lr = 0.01}), 1);
  const History history =
      trainer.fit(data, {.epochs = 2, .batch_size = 8, .validation_data = data});  // batches of 8, 8 and 6 rows
  for (const EpochReport& epoch : history.epochs) {
    EXPECT_NEAR(of(epoch.metrics, "square"), squares, 1e-6 * squares);
    EXPECT_NEAR(of(epoch.metrics, "validation.square"), squares, 1e-6 * squares);
  }
  EXPECT_NE(of(history.epochs[0].metrics, "noise"), of(history.epochs[1].metrics, "noise"));
  EXPECT_EQ(of(history.epochs[0].metrics, "validation.noise"), of(history.epochs[1].metrics, "validation.noise"));
  EXPECT_NEAR(trainer.evaluate(data)["square"], squares, 1e-6 * squares);
}

TEST(Reports, AreRightAfterAResumeInTheMiddleOfAnEpoch) {
  const testing::TemporaryFolder folder;
  const auto metrics = [&](FitOptions options) {
    options.epochs = 2;
    options.batch_size = 5;
    Trainer trainer(objective, optim::sgd({.lr = 0.01}), 1);
    const History history = trainer.fit(numbers(), options);
    return history.epochs.empty() ? Metrics{} : history.epochs.back().metrics;
  };
  const Metrics whole = metrics({});
  (void)metrics({.stop_after = 7, .checkpoints = folder / "checkpoints"});
  EXPECT_EQ(metrics({.checkpoints = folder / "checkpoints", .resume = true}), whole);
}

TEST(Reports, CanBeTheMetricOfEarlyStopping) {
  Trainer trainer(objective, optim::sgd({.lr = 0.01}), 1);
  const EarlyStopping rule{.metric = "validation.noise", .patience = "2 epochs"};
  const History history = trainer.fit(numbers(), {.validation_data = numbers(), .early_stopping = rule});
  EXPECT_EQ(history.reason, StopReason::stopped_early);
  EXPECT_EQ(history.epochs.size(), 3U);  // the reported value never improves
}

}  // namespace
}  // namespace thalweg
