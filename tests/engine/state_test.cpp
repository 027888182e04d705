// States that do not fit the model or the optimizer are refused, and steps do not depend on where their data lies.
#include <gtest/gtest.h>

#include "engine/engine.hpp"
#include "engine/row_order.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

Dataset numbers(std::int64_t features = 3) {
  Dataset data;
  data.set("input", random_normal({16, features}, 1));
  data.set("target", random_normal({16, 1}, 2));
  return data;
}

Trainer trainer_with(const Optimizer& optimizer, std::int64_t hidden = 4) {
  return {nn::mlp(1, {.hidden = {hidden}}), loss::mse, optimizer, 1};
}

template <class E>
void expect_error(const std::function<void()>& run, std::string_view part) {
  try {
    run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const E& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(States, OfAnotherModelAreRefusedWithBothShapes) {
  Trainer trainer = trainer_with(optim::adam()), wider = trainer_with(optim::adam(), 5);
  trainer.init(numbers(), 1);
  wider.init(numbers(), 1);
  expect_error<ModelError>([&] { trainer.set_state(wider.state()); }, "'layer1/weight' is (3, 5). Wanted: (3, 4)");
  State cut = trainer.state();
  cut.parameters = zeros({1});
  expect_error<UsageError>([&] { trainer.set_state(cut); }, "'layer1/weight' (3, 4)");
  expect_error<UsageError>([&] { trainer.set_state({}); }, "empty");
  State early = trainer.state();
  early.step = -1;
  expect_error<UsageError>([&] { trainer.set_state(early); }, "step = -1");
  State outside = trainer.state();
  auto layout = std::make_shared<Layout>(*outside.layout);
  layout->entries[0].offset = 1000;
  outside.layout = layout;
  expect_error<UsageError>([&] { trainer.set_state(outside); }, "outside");

  Trainer fresh = trainer_with(optim::adam());  // has not traced its model yet
  fresh.set_state(wider.state());
  expect_error<ModelError>([&] { (void)fresh.fit(numbers(), {.epochs = 1}); }, "'layer1/weight'");
}

TEST(States, WithFewerParametersThanBeforeAreRefused) {
  TrainStep step(objective_of(nn::linear(1), loss::mse), optim::sgd({.lr = 0.1}), 1);
  State state = step.init(numbers(), 1);
  (void)step(state, numbers());
  state.parameters = zeros({1});
  EXPECT_THROW((void)step(state, numbers()), UsageError);
}

TEST(States, WithTheSlotsOfAnotherOptimizerAreRefused) {
  const Objective objective = objective_of(nn::linear(1), loss::mse);
  TrainStep adam(objective, optim::adam(), 1), momentum(objective, optim::sgd({.lr = 0.1, .momentum = 0.9}), 1);
  State state = adam.init(numbers(), 1);
  (void)adam(state, numbers());
  expect_error<UsageError>([&] { (void)momentum(state, numbers()); }, "another optimizer");
  State without = state;
  without.slots.clear();
  (void)momentum(without, numbers());
  EXPECT_EQ(without.step, 2);
  (void)adam(state, numbers());  // the slots of adam have not changed
  EXPECT_EQ(state.step, 2);
}

/// The vector of slots may be at the same address with the same size, so the step must compare the names.
TEST(States, WithAsManySlotsOfAnotherOptimizerAreRefused) {
  const Objective objective = objective_of(nn::linear(1), loss::mse);
  TrainStep adam(objective, optim::adam(), 1), adopt(objective, optim::adopt(), 1);
  const Dataset data = numbers();
  State state = adam.init(data, 1);
  for (int i = 0; i < 5; ++i) (void)adam(state, data);  // the later ones repeat the calls of those before
  const auto slots = state.slots.size();
  state.slots.clear();
  (void)adopt(state, data);
  ASSERT_EQ(state.slots.size(), slots);
  expect_error<UsageError>([&] { (void)adam(state, data); }, "another optimizer");
}

/// A step caches the addresses of its rows and parameters. Here these move between steps.
TEST(Steps, AreRightWhenRowsAndParametersMoveInMemory) {
  const Dataset data = numbers();
  std::vector<std::int64_t> all(16);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const auto walked = [&](bool moves) {
    Engine engine(evaluation_of(nn::linear(1), loss::mse), optim::sgd({.lr = 0.1, .momentum = 0.9}), 1);
    State state = engine.init(data, 1, f32);
    std::vector<State> kept;
    for (int step = 0; step < 24; ++step) {
      const bool in_place = moves && step / 4 % 2 == 1;  // all rows in order are read without a copy
      (void)engine.step(state, in_place ? RowSelection{data} : RowSelection{data, all});
      if (moves && step % 5 == 0) kept.push_back(state);  // so the next step writes to new memory
    }
    return state.parameters;
  };
  EXPECT_TRUE(identical(walked(true), walked(false)));
}

TEST(RowOrder, OfAStepDoesNotDependOnTheStepsBefore) {
  const FitOptions fit{.epochs = 3, .batch_size = 4};
  const RunLength length = run_length(fit, 10);
  const auto rows_of = [](RowOrder& order, std::int64_t step) {
    const auto rows = order.rows_of(step);
    return std::vector<std::int64_t>(rows.begin(), rows.end());
  };
  RowOrder order(fit, length, 10);
  std::vector<std::vector<std::int64_t>> forward;
  for (std::int64_t step = 0; step < 9; ++step) forward.push_back(rows_of(order, step));
  EXPECT_EQ(forward[2].size(), 2U);
  EXPECT_NE(forward[0], forward[3]);
  for (std::int64_t step = 9; step-- > 0;) EXPECT_EQ(rows_of(order, step), forward[static_cast<std::size_t>(step)]);
  RowOrder resumed(fit, length, 10);
  EXPECT_EQ(rows_of(resumed, 7), forward[7]);
}

/// Two models have the same parameters in a different order, because one of them freezes a layer.
TEST(States, WithParametersInAnotherOrderAreUsedCorrectly) {
  const auto model = [](bool frozen) {
    return [=](Scope s, Var x) {
      const Var w = s.parameter("first", {3, 3}, {.initializer = init::he_normal(), .frozen = frozen});
      return nn::dense(s / "second", matmul(x, w), 1);
    };
  };
  Trainer whole(model(false), loss::mse, optim::sgd({.lr = 0.1}), 1);
  Trainer part(model(true), loss::mse, optim::sgd({.lr = 0.1}), 1);
  const Dataset data = numbers();
  (void)whole.fit(data, {.steps = 1});
  (void)part.fit(data, {.steps = 3});
  const double wanted = part.evaluate(data)["loss"];
  (void)whole.evaluate(data);
  whole.set_state(part.state());
  EXPECT_EQ(whole.evaluate(data)["loss"], wanted);
  const double before = wanted;
  (void)whole.fit(data, {.steps = 30, .batch_size = 0});
  EXPECT_LT(whole.evaluate(data)["loss"], before);
}

TEST(Objectives, FailInEvaluationBeforeTheFirstStep) {
  const Objective objective = [](Scope s, const Batch& b) {
    if (s.mode() == Mode::evaluate) (void)b["no such column"];
    return Loss::of_samples(square(nn::dense(s / "layer", b["input"], 1) - b["target"]));
  };
  const auto steps_of = [&](FitOptions options) {
    int steps = 0;
    options.on_step = [&](const StepReport&) { ++steps; };
    options.steps = 2;
    try {
      Trainer trainer(objective, optim::sgd({.lr = 0.01}), 1);
      (void)trainer.fit(numbers(), options);
    } catch (const UsageError&) {
      return std::pair(steps, true);
    }
    return std::pair(steps, false);
  };
  EXPECT_EQ(steps_of({}), std::pair(2, false)) << "without validation data nothing is evaluated";
  EXPECT_EQ(steps_of({.validation_data = numbers()}), std::pair(0, true));
}

TEST(Objectives, AnUnknownMetricIsNamedBeforeTheFirstStep) {
  int steps = 0;
  FitOptions options{.epochs = 1, .validation = 0.5, .early_stopping = EarlyStopping{.metric = "validation.accuracy"}};
  options.on_step = [&](const StepReport&) { ++steps; };
  Trainer trainer = trainer_with(optim::adam());
  expect_error<UsageError>([&] { (void)trainer.fit(numbers(), options); }, "validation.rmse");
  EXPECT_EQ(steps, 0);
}

}  // namespace
}  // namespace thalweg
