// What a trainer refuses leaves it as it was, and what it goes on with is what it had.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"
#include "thalweg/find_lr.hpp"
#include "thalweg/model.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

Var line(Scope s, Var x) { return nn::dense(s / "out", x, 1); }

Dataset rows(std::int64_t inputs = 3) {
  Dataset data;
  data.set("input", random_normal({40, inputs}, 1));
  data.set("target", random_normal({40, 1}, 2));
  return data;
}

Trainer trainer(const Optimizer& optimizer = optim::adam({.lr = 0.01})) { return {line, loss::mse, optimizer, 1}; }

class Refusals : public testing::TemporaryFolderTest {};

TEST_F(Refusals, ARefusedFitChangesNothing) {
  Trainer one = trainer();
  Dataset first = rows(), other = rows(5);
  first.set_unit({.shift = 100, .scale = 10});
  (void)one.fit(first, {.epochs = 2});
  const double before = one.predict(first).at(0);
  one.save(path("before"));
  EXPECT_THROW((void)one.fit(other, {.batch_size = -1}), UsageError);
  one.save(path("after"));
  EXPECT_EQ(read("after"), read("before"));
  EXPECT_EQ(one.predict(first).at(0), before);
  // nor does one that cannot go on with the checkpoints of another model
  (void)trainer().fit(rows(5), {.epochs = 1, .checkpoints = path("others")});
  EXPECT_THROW((void)one.fit(first, {.epochs = 1, .checkpoints = path("others"), .resume = true}), ModelError);
  EXPECT_EQ(one.predict(first).at(0), before);
  // and an untrained one has its first parameters from the fit that works
  Trainer fresh = trainer(), straight = trainer();
  EXPECT_THROW((void)fresh.fit(rows(), {.batch_size = -1, .seed = 3}), UsageError);
  (void)fresh.explain(rows());
  try {
    (void)fresh.measure(rows());
  } catch (const UsageError&) {  // on a device other than this CPU, where nothing is measured
  }
  (void)fresh.fit(rows(), {.steps = 1, .seed = 7});
  (void)straight.fit(rows(), {.steps = 1, .seed = 7});
  EXPECT_TRUE(identical(fresh.state().parameters, straight.state().parameters));
}

TEST_F(Refusals, AFileThatDoesNotFitLeavesTheState) {
  Trainer plain([](Scope s, Var x) { return nn::dense(s / "out", x, 1, {.bias = false}); }, loss::mse, optim::sgd(), 1);
  (void)plain.fit(rows(), {.epochs = 1});
  plain.save(path("no_bias"));
  Trainer one = trainer();
  (void)one.fit(rows(), {.epochs = 1});
  const State before = one.state();
  EXPECT_THROW(one.load(path("no_bias"), rows()), ModelError);
  EXPECT_TRUE(identical(one.state().parameters, before.parameters));
  EXPECT_EQ(one.state().step, before.step);
}

/// The parameters that are evaluated are not those of the last step: an average, or a point between two sequences.
TEST_F(Refusals, ASecondFitGoesOnFromTheLastStep) {
  for (const char* kind : {"schedule_free_adamw", "schedule_free_sgd"}) {
    const Optimizer plain = optimizer_named(kind).make({{"lr", {0.05}}});
    Trainer parts = trainer(plain), whole = trainer(plain);
    for (int part = 0; part < 4; ++part) (void)parts.fit(rows(), {.steps = 5, .batch_size = 0, .shuffle = false});
    (void)whole.fit(rows(), {.steps = 20, .batch_size = 0, .shuffle = false});
    EXPECT_TRUE(identical(parts.state().parameters, whole.state().parameters)) << kind;
  }
}

/// In the middle of a fit, or of a loop of steps, the trainer measures and saves what the optimizer evaluates with.
TEST_F(Refusals, TheMiddleOfATrainingIsMeasuredAsItsEndIs) {
  const Optimizer free = optimizer_named("schedule_free_sgd").make({{"lr", {0.05}}});
  Trainer one = trainer(free);
  std::vector<double> during;
  const auto measure = [&](const EpochReport& report) {
    during.push_back(one.evaluate(rows())["loss"]);
    const auto validated = std::ranges::find(report.metrics, "validation.loss", &Metrics::value_type::first);
    EXPECT_EQ(during.back(), validated->second);
    one.save(path("middle"));
  };
  (void)one.fit(rows(), {.epochs = 3, .validation_data = rows(), .on_epoch = measure});
  ASSERT_EQ(during.size(), 3U);
  EXPECT_EQ(one.evaluate(rows())["loss"], during.back());
  Trainer saved = trainer(free);
  saved.load(path("middle"), rows());
  EXPECT_EQ(saved.evaluate(rows())["loss"], during.back());

  Trainer steps = trainer(free), fits = trainer(free);
  for (int step = 1; step <= 5; ++step) {
    (void)steps.step("", rows());
    (void)fits.fit(rows(), {.steps = 1, .batch_size = 0, .shuffle = false});
    EXPECT_EQ(steps.evaluate(rows())["loss"], fits.evaluate(rows())["loss"]) << step;
  }
  (void)fits.step("", rows());  // goes on from the last step, not from what is measured
  (void)steps.step("", rows());
  EXPECT_TRUE(identical(fits.state().parameters, steps.state().parameters));
}

TEST_F(Refusals, AFitThatIsRefusedKeepsTheEvaluatedParameters) {
  Trainer one = trainer(make_optimizer({{"kind", {"schedule_free_sgd"}}, {"lr", {0.05}}}));
  (void)one.fit(rows(), {.epochs = 3});
  const double before = one.evaluate(rows())["loss"];
  EXPECT_THROW((void)one.fit(rows(), {.epochs = -1}), UsageError);
  EXPECT_EQ(one.evaluate(rows())["loss"], before);
  // a file that was loaded is what the next fit begins with
  one.save(path("saved"));
  Trainer fresh = trainer(make_optimizer({{"kind", {"schedule_free_sgd"}}, {"lr", {0.05}}}));
  for (Trainer* each : {&one, &fresh}) {
    each->load(path("saved"), rows());
    (void)each->fit(rows(), {.steps = 3});
  }
  EXPECT_TRUE(identical(one.state().parameters, fresh.state().parameters));
}

TEST_F(Refusals, EarlyStoppingWaitsForAnObjectiveThatTookNoTurn) {
  const auto loss = [](const char* name) {
    return [name](Scope s, const Batch& b) {
      return Loss::of_samples(square(nn::dense(s / name, b["input"], 1) - b["target"]));
    };
  };
  const auto fit = [&](std::int64_t stop_after, bool resume) {
    Trainer two({{"a", loss("a"), optim::sgd({.lr = 0.01})}, {"b", loss("b"), optim::sgd({.lr = 0.01}), {.every = 5}}});
    return two.fit(rows(), {.epochs = 12,
                            .batch_size = 0,
                            .early_stopping = EarlyStopping{.metric = "b.loss", .patience = "1 epochs"},
                            .stop_after = stop_after,
                            .checkpoints = path(std::to_string(stop_after)),
                            .resume = resume});
  };
  const History whole = fit(0, false);
  EXPECT_EQ(whole.best_epoch, 10) << "the turns of b are the steps 5 and 10, and an epoch is a step";
  EXPECT_EQ(whole.epochs.size(), 12U) << "epochs in which it took none do not use up the patience";
  (void)fit(7, false);
  const History resumed = fit(7, true);
  EXPECT_EQ(resumed.reason, StopReason::stop_after) << "the same length, so it stops there again";
}

TEST_F(Refusals, NamesOfObjectivesAreCheckedForOneToo) {
  const Objective objective = objective_of(line, loss::mse);
  EXPECT_THROW(TrainStep({"a:b", objective, optim::adam()}, 1), UsageError);
  EXPECT_NO_THROW(TrainStep({"a", objective, optim::adam()}, 1));
}

/// Columns that are read when they are needed give the bits of those in memory, whichever they are.
TEST_F(Refusals, EveryColumnMayBeReadWhenItIsNeeded) {
  Dataset whole = rows();
  Tensor weights = random_uniform({40}, 0.5, 2, 3);
  weights.set(3, 0);
  whole.set("weight", weights);
  const auto streamed = [&](const std::vector<std::string>& names) {
    Dataset data = whole;
    for (const std::string& name : names) {
      const Tensor column = whole[name];
      const Shape row(column.shape().sizes().subspan(1));
      data.set(name,
               {.row = row,
                .dtype = column.dtype(),
                .read =
                    [column](std::int64_t number, std::span<std::byte> into) {
                      std::memcpy(into.data(), column.raw() + static_cast<std::size_t>(number) * into.size(),
                                  into.size());
                    }},
               whole.rows());
    }
    return data;
  };
  const auto measured = [](const Dataset& data) {
    Trainer one = trainer();
    const History history = one.fit(data, {.epochs = 2, .batch_size = 8, .validation = 0.2});
    Metrics metrics = one.evaluate(data).metrics;
    for (const auto& metric : history.epochs.back().metrics) metrics.push_back(metric);
    return metrics;
  };
  const Metrics wanted = measured(whole);
  for (const auto& names : {std::vector<std::string>{"target"}, {"weight"}, {"input", "target", "weight"}})
    EXPECT_EQ(measured(streamed(names)), wanted) << names.front();
}

TEST_F(Refusals, NumbersOfAStepOfAnOwnLoopAreChecked) {
  TrainStep step(objective_of(line, loss::mse), optim::sgd(), 1);
  State state = step.init(rows(), 1);
  EXPECT_THROW((void)step(state, rows(), {}, -1), UsageError);
  EXPECT_THROW((void)step(state, rows(), {.step = -1}), UsageError);
  EXPECT_NO_THROW((void)step(state, rows()));
}

TEST_F(Refusals, WeightsBelowZeroAreRefusedWithTheirRow) {
  Dataset data = rows();
  Tensor weights = full({40}, 1);
  weights.set(0, 0);
  weights.set(7, -1);
  data.set("weight", weights);
  Trainer one = trainer();
  try {
    (void)one.fit(data, {.epochs = 1});
    ADD_FAILURE();
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "[data] the weight of row 7 is -1. Wanted: >= 0");
  }
  EXPECT_THROW((void)one.step("", data), DataError);
  weights.set(7, 1);
  data.set("weight", weights);
  EXPECT_NO_THROW((void)one.step("", data));
  Dataset wide = rows();
  wide.set("weight", full({40, 2}, 1));
  EXPECT_THROW((void)one.fit(wide, {.epochs = 1}), UsageError);
}

TEST_F(Refusals, NumbersOfAGroupThatHaveNoEffectAreRefused) {
  const auto fit = [](const std::string& name) {
    Optimizer adamw = optim::adamw({.lr = 0.1, .weight_decay = 0.5});
    adamw.groups = {{.pattern = "*/weight", .scalars = {{name, 0.0}}}};
    (void)trainer(adamw).fit(rows(), {.epochs = 1});
  };
  EXPECT_NO_THROW(fit("weight_decay"));
  for (const auto& [name, hint] : {std::pair("lr", "Hint: lr_factor"), std::pair("weigth_decay", "weight_decay")}) {
    try {
      fit(name);
      ADD_FAILURE() << name;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(hint), std::string::npos) << error.what();
    }
  }
}

TEST_F(Refusals, ARateThatIsNoNumberIsRefused) {
  for (const double wrong : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Optimizer sgd = optim::sgd({.lr = 0.1});
    sgd.schedule = Schedule("mine", {}, [wrong](const Progress& p) { return p.step == 2 ? wrong : 1.0; });
    Trainer one = trainer(sgd);
    EXPECT_THROW((void)one.fit(rows(), {.steps = 3}), UsageError);
  }
  for (const std::int64_t steps : {1, 2, 4, 8}) {
    for (const double part : {0.25, 0.5, 1.0}) {
      const Schedule cycle = schedule::one_cycle({.pct_start = part});
      for (std::int64_t step = 0; step < steps; ++step)
        EXPECT_TRUE(std::isfinite(cycle.factor({step, steps, steps}))) << part << " " << step << " of " << steps;
    }
  }
}

TEST_F(Refusals, ASearchThatWasStoppedHasNoRate) {
  const LrFinding found =
      find_lr(line, loss::mse, optim::sgd(), rows(), {.epochs = 1}, {.stop = Stop([] { return true; })});
  EXPECT_TRUE(found.stopped);
  EXPECT_THROW((void)found.lr(), UsageError);
}

/// An element of the gradient is infinite, the loss is not.
TEST_F(Refusals, ZeroNonfiniteLeavesTheOtherElements) {
  const auto root = [](Scope s, const Batch& b) {
    const Var w = s.parameter("w", {2}, {.initializer = init::zeros()});
    return Loss::of_samples(sum(sqrt(slice(w, 0, 1))) + sum(slice(w, 1, 2)) + 0 * b["input"]);
  };
  Optimizer mended = optim::sgd({.lr = 1});
  mended.chain.insert(mended.chain.begin(), optim::zero_nonfinite());
  Trainer one(Objective(root), mended, 1), plain(Objective(root), optim::sgd({.lr = 1}), 1);
  EXPECT_THROW((void)plain.fit(rows(1), {.steps = 1}), NumericError);
  (void)one.fit(rows(1), {.steps = 1, .batch_size = 0});
  EXPECT_EQ(one.state().parameters.at(0), 0);
  EXPECT_NEAR(one.state().parameters.at(1), -1, 1e-6);
}

TEST_F(Refusals, RandomNumbersStayBelowTheirBound) {
  const Tensor drawn = random_uniform({1'000'000}, 100, 101, 3);
  double highest = 0;
  for (std::int64_t i = 0; i < drawn.size(); ++i) highest = std::max(highest, drawn.at(i));
  EXPECT_LT(highest, 101);
  EXPECT_GT(highest, 100.9999);
  EXPECT_EQ(random_uniform({2}, 5, 5, 1).at(0), 5);
}

/// Rows that are held out and rows of weight 0 are not trained on, and count in the number of a row all the same.
TEST_F(Refusals, AWrongRowIsNumberedInTheDataThatWasGiven) {
  const auto said = [](const FitOptions& options, bool label) {
    Tensor labels({40}, i32), inputs = random_normal({40, 2}, 1), weights = ones({40});
    for (std::int64_t row = 0; row < 40; row += 4) weights.set(row, 0);
    label ? labels.set(23, 7) : inputs.set(2 * 23, std::nan(""));
    Dataset data;
    data.set("input", inputs);
    data.set("target", labels);
    data.set("weight", weights);
    Trainer trainer(nn::linear(3), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
    try {
      trainer.fit(data, options);
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
    return std::string("nothing was refused");
  };
  int trained_on = 0;
  for (const bool label : {true, false}) {
    for (std::uint64_t seed = 1; seed < 8; ++seed) {
      const std::string text =
          said({.epochs = 1, .batch_size = 8, .shuffle = seed % 2 == 1, .seed = seed, .validation = 0.3}, label);
      const bool is_named = text.find("row 23 of the data") != std::string::npos;  // in training
      const char* const place = label ? "of the evaluated rows" : "of the validation rows";
      EXPECT_TRUE(is_named || text.find(place) != std::string::npos) << seed << ": " << text;
      trained_on += is_named;
    }
  }
  EXPECT_GT(trained_on, 6);
}

}  // namespace
}  // namespace thalweg
