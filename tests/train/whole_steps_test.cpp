// A Trainer with an optimizer that owns its steps, such as L-BFGS.

#include <gtest/gtest.h>

#include <cmath>

#include "temporary_folder.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t rows = 200, columns = 5;

Dataset data_of() {
  Dataset data;
  Tensor x({rows, columns}), y({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) {
    double score = 0.3;
    for (std::int64_t j = 0; j < columns; ++j) {
      const double value = std::cos(1 + static_cast<double>(i * (j + 1)) / 7);
      x.set(i * columns + j, value);
      score += (1.0 - 0.5 * static_cast<double>(j)) * value;
    }
    y.set(i, score + 0.5 * std::sin(3 * static_cast<double>(i)));
  }
  data.set("input", x);
  data.set("target", y);
  return data;
}

Var line(Scope s, Var x) { return nn::dense(s / "y", x, 1); }
Var net(Scope s, Var x) {
  return nn::dense(s / "out", nn::dropout(s / "drop", tanh(nn::dense(s / "in", x, 8)), 0.2), 1);
}

const FitOptions all_rows{.epochs = 200, .batch_size = 0};

TEST(WholeSteps, ALineAgreesWithTheClosedForm) {
  const Dataset data = data_of();
  const Tensor x = data["input"].to(f64), y = data["target"].to(f64);
  const auto residuals = [&](Var v) {
    return matmul(constant(x), reshape(slice(v, 0, columns), {columns, 1})) + slice(v, columns, columns + 1) -
           constant(y);
  };
  const auto closed = least_squares(residuals, zeros({columns + 1}, f64));
  for (const Optimizer& method : {optim::lbfgs(), optim::newton_cg(), optim::levenberg_marquardt(),
                                  optim::nonlinear_cg(), optim::gauss_newton(), optim::gradient_descent()}) {
    Trainer trainer(line, loss::mse, method);
    const History history = trainer.fit(data, all_rows);
    EXPECT_LT(history.steps.size(), 200U) << method.name;
    EXPECT_EQ(history.reason, StopReason::finished);
    EXPECT_NEAR(history.steps.back().loss, closed.sum_of_squares / rows, 1e-10) << method.name;
    const Tensor weights = trainer.state().parameter("y/weight");
    for (std::int64_t j = 0; j < columns; ++j) EXPECT_NEAR(weights.at(j), closed.x.at(j), 1e-6) << method.name;
    EXPECT_NEAR(trainer.state().parameter("y/bias").at(0), closed.x.at(columns), 1e-6);
  }
}

TEST(WholeSteps, HaveTheSameBitsOnOneAndThreeThreads) {
  for (const Optimizer& method : {optim::lbfgs(), optim::newton_cg(), optim::levenberg_marquardt()}) {
    Trainer one(net, loss::mse, method, 1), three(net, loss::mse, method, 3);
    const FitOptions options{.epochs = 6, .batch_size = 0, .shard_size = 64};
    (void)one.fit(data_of(), options);
    (void)three.fit(data_of(), options);
    EXPECT_TRUE(identical(one.state().parameters, three.state().parameters)) << method.name;
  }
}

/// Random numbers are the same in the whole run, because otherwise the loss could rise in a step.
TEST(WholeSteps, DecreaseTheLossWithDropout) {
  Trainer trainer(net, loss::mse, optim::lbfgs());
  const History history = trainer.fit(data_of(), {.epochs = 30, .batch_size = 0});
  for (std::size_t i = 1; i < history.steps.size(); ++i)
    EXPECT_LE(history.steps[i].loss, history.steps[i - 1].loss) << i;
}

TEST(WholeSteps, ResumeWithTheSameBits) {
  for (const Optimizer& method : {optim::lbfgs(), optim::nonlinear_cg(), optim::newton_cg(),
                                  optim::levenberg_marquardt(), optim::gradient_descent()}) {
    const testing::TemporaryFolder folder;
    FitOptions whole{.epochs = 12, .batch_size = 0}, first = whole, second = whole;
    first.stop_after = 5, first.checkpoints = folder / "checkpoints";
    second.checkpoints = folder / "checkpoints", second.resume = true;
    Trainer uncut(net, loss::mse, method), begun(net, loss::mse, method), resumed(net, loss::mse, method);
    (void)uncut.fit(data_of(), whole);
    (void)begun.fit(data_of(), first);
    (void)resumed.fit(data_of(), second);
    EXPECT_TRUE(identical(uncut.state().parameters, resumed.state().parameters)) << method.name;
    EXPECT_EQ(uncut.state().step, resumed.state().step);
  }
}

TEST(WholeSteps, AFinishedRunTakesNoStepWhenItIsResumed) {
  const testing::TemporaryFolder folder;
  FitOptions options = all_rows;
  options.checkpoints = folder / "checkpoints", options.resume = true;
  Trainer first(line, loss::mse, optim::lbfgs()), second(line, loss::mse, optim::lbfgs());
  (void)first.fit(data_of(), options);
  (void)second.fit(data_of(), options);
  EXPECT_EQ(first.state().step, second.state().step);
  EXPECT_TRUE(identical(first.state().parameters, second.state().parameters));
}

void expect_refused(const std::function<void()>& call, const std::string& part) {
  try {
    call();
    ADD_FAILURE() << "not refused: " << part;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(WholeSteps, UnsupportedCasesAreRefusedWithTheReason) {
  const auto normed = [](Scope s, Var x) { return nn::dense(s / "y", nn::batch_norm(s / "norm", x), 1); };
  expect_refused([&] { (void)Trainer(line, loss::mse, optim::lbfgs()).fit(data_of(), {.epochs = 1}); },
                 "batch_size = 32");
  expect_refused([&] { (void)Trainer(normed, loss::mse, optim::lbfgs()).fit(data_of(), all_rows); },
                 "running statistics");
  expect_refused(
      [&] {
        FitOptions options = all_rows;
        options.layer_norms = true;
        (void)Trainer(line, loss::mse, optim::lbfgs()).fit(data_of(), options);
      },
      "layer_norms");
  expect_refused([&] { (void)find_lr(line, loss::mse, optim::lbfgs(), data_of(), all_rows); }, "takes no rate");
  Optimizer grouped = optim::lbfgs();
  grouped.groups = {{.pattern = "y/*", .frozen = true}};
  expect_refused([&] { (void)Trainer(line, loss::mse, grouped); }, "no groups");
}

}  // namespace
}  // namespace thalweg
