#include "train/trials.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "moons.hpp"

namespace thalweg {
namespace {

const FitOptions run{.epochs = 5, .batch_size = 20};

MakeTrainer maker(const nn::MlpOptions& options = {.hidden = {16}}) {
  return [options](Optimizer optimizer) {
    return Trainer(nn::mlp(2, options), loss::cross_entropy, std::move(optimizer), 1);
  };
}

TEST(Trials, DoNotChangeTheRun) {
  const Dataset data = two_moons(200);
  const Optimizer optimizer = optim::adam({.lr = 1e-3});
  Trainer trainer = maker()(optimizer);
  trainer.fit(data, run);
  const Tensor before = trainer.state().parameters;
  const double loss = trainer.evaluate(data)["loss"];
  const auto trials = trials_of(maker(), optimizer, data, run, trainer.state());
  ASSERT_TRUE(trials);
  EXPECT_EQ(trials->steps, 8);  // two trials of 20 steps are the minimum; 3 % of 50 steps would be fewer
  EXPECT_DOUBLE_EQ(trials->now(), loss);
  EXPECT_LT(trials->onward(1e-2), trials->onward(1e-3));  // the run is crawling, so a higher rate is better
  EXPECT_LT(trials->onward(1e-3), loss);
  EXPECT_EQ(trials->onward(1e-3), trials->onward(1e-3));
  EXPECT_TRUE(identical(trainer.state().parameters, before));
}

/// The data is sorted, so the first rows have one class only; a trial must measure a sample of all rows.
TEST(Trials, OfSortedRowsAreMeasuredOnASampleOfAll) {
  const Dataset moons = two_moons(8192);
  std::vector<std::int64_t> order;
  for (const double wanted : {0.0, 1.0}) {
    for (std::int64_t row = 0; row < moons.rows(); ++row) {
      if (moons["target"].at(row) == wanted) order.push_back(row);
    }
  }
  const Dataset data = moons.take(order);
  const FitOptions few{.steps = 20, .batch_size = 64};
  const Optimizer optimizer = optim::adam({.lr = 1e-2});
  Trainer trainer = maker()(optimizer);
  trainer.fit(data.slice(0, 4096), few);  // the trainer has seen only the first class
  const double loss = trainer.evaluate(data)["loss"];
  const auto trials = trials_of(maker(), optimizer, data, few, trainer.state());
  ASSERT_TRUE(trials);
  EXPECT_NEAR(trials->now(), loss, 0.1 * loss);
  EXPECT_EQ(trials->now(), trials->now());
}

TEST(Trials, AreInfiniteIfTheRateDiverges) {
  const Dataset data = two_moons(200);
  const Optimizer optimizer = optim::sgd({.lr = 1e30});
  Trainer trainer = maker()(optimizer);
  trainer.init(data.slice(0, 1), 1);
  const auto trials = trials_of(maker(), optimizer, data, run, trainer.state());
  EXPECT_EQ(trials->afresh(1e30), INFINITY);
  EXPECT_LT(trials->afresh(0.1), 1);
}

/// On a quadratic loss the best length is g'g / g'Hg. The search tries lengths in steps of a factor of four.
TEST(Trials, SearchTheLineAlongTheGradient) {
  const std::int64_t rows = 20;
  Dataset data;
  data.set("input", full({rows, 1}, 2));
  data.set("target", full({rows, 1}, 6));
  const MakeTrainer make = [](Optimizer optimizer) {
    return Trainer(nn::linear(1), loss::mse, std::move(optimizer), 1);
  };
  const Optimizer optimizer = optim::adam({.lr = 1e-4, .weight_decay = 0.1});
  Trainer trainer = make(optimizer);
  trainer.fit(data, {.epochs = 1, .batch_size = rows});
  const auto trials = trials_of(make, optimizer, data, {.epochs = 1, .batch_size = rows}, trainer.state());
  constexpr double best = 1.0 / (2 * (2 * 2 + 1));  // the Hessian is 2 (x^2 + 1) along the gradient
  for (const double from : {best / 64, best / 4, best, best * 4, best * 256}) {
    const LineSearch line = trials->along(from);
    EXPECT_EQ(line.rows, rows);
    EXPECT_NEAR(line.before, 36, 0.1) << from;
    EXPECT_NEAR(line.lr, best, 1e-9) << from;
    EXPECT_NEAR(line.after, 0, 1e-3) << from;
  }
  EXPECT_EQ(trials->along(best / 4096).lr, best / 4) << "the search tries six lengths";
}

TEST(Trials, FindLayersWithoutAGradient) {
  const Dataset data = two_moons(200);
  const MakeTrainer zeros = maker({.hidden = {16}, .initializer = init::named("zeros")});
  const Optimizer optimizer = optim::sgd({.lr = 0.1});
  Trainer trainer = zeros(optimizer);
  trainer.fit(data, run);
  const std::vector<double> norms = trials_of(zeros, optimizer, data, run, trainer.state())->norms();
  ASSERT_EQ(norms.size(), 2U);
  EXPECT_EQ(norms[0], 0);
  EXPECT_GT(norms[1], 0);
}

/// Norms at the start and at the end are separate: here the layer has no gradient only at the end.
TEST(Trials, FindWhetherALayerHadAGradientAtTheStart) {
  const Dataset data = two_moons(200);
  const MakeTrainer alive = maker({.hidden = {16}});
  const Optimizer optimizer = optim::sgd({.lr = 0.1});
  Trainer trainer = maker({.hidden = {16}, .initializer = init::named("zeros")})(optimizer);
  trainer.fit(data, run);
  const auto trials = trials_of(alive, optimizer, data, run, trainer.state());
  EXPECT_EQ(trials->norms()[0], 0);
  EXPECT_GT(trials->norms_at_start()[0], 0);
}

}  // namespace
}  // namespace thalweg
