// fit_whole: fits of a model on all rows at once.

#include "thalweg/whole_fit.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "reference_file.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

constexpr std::int64_t rows = 400, columns = 6;

Var line(Scope s, Var x) { return nn::dense(s / "y", x, 1); }

/// The data of tests/reference/whole_fit.py.
Tensor inputs() {
  Tensor x({rows, columns});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      x.set(i * columns + j, std::cos(1 + static_cast<double>(i * (j + 1)) / 7));
    }
  }
  return x;
}

double score(std::int64_t i) {
  const auto x = [&](std::int64_t j) { return std::cos(1 + static_cast<double>(i * (j + 1)) / 7); };
  return 2 * x(0) - x(1) + 0.5 * x(2) + std::sin(3 * static_cast<double>(i));
}

Dataset data_of(bool labels) {
  Dataset data;
  data.set("input", inputs());
  Tensor target({rows, 1});
  for (std::int64_t i = 0; i < rows; ++i) target.set(i, labels ? (score(i) > 0.3 ? 1 : 0) : score(i));
  data.set("target", target);
  return data;
}

TEST(WholeFit, OfALineAgreesWithTheClosedForm) {
  const Dataset data = data_of(false);
  const Tensor x = data["input"].to(f64), y = data["target"].to(f64);
  const auto residuals = [&](Var v) {
    return matmul(constant(x), reshape(slice(v, 0, columns), {columns, 1})) + slice(v, columns, columns + 1) -
           constant(y);
  };
  const auto closed = least_squares(residuals, zeros({columns + 1}, f64));  // exact, because the problem is linear
  for (const Optimizer& method :
       {optim::lbfgs(), optim::newton_cg(), optim::levenberg_marquardt(), optim::nonlinear_cg()}) {
    const WholeFit fit = fit_whole(line, loss::mse, data, method);
    EXPECT_TRUE(fit.result.converged()) << method.name << ": " << fit.result.summary();
    EXPECT_NEAR(fit.result.value, closed.sum_of_squares / rows, 1e-12);
    const Tensor weights = fit.state.parameter("y/weight"), bias = fit.state.parameter("y/bias");
    for (std::int64_t j = 0; j < columns; ++j) EXPECT_NEAR(weights.at(j), closed.x.at(j), 1e-6) << method.name;
    EXPECT_NEAR(bias.at(0), closed.x.at(columns), 1e-6);
  }
}

/// Reaches scikit-learn's optimum, to 1e-6 in the loss.
TEST(WholeFit, OfALogisticModelWithAPenaltyAgreesWithScikitLearn) {
  for (const nlohmann::json& row : reference("whole_fit")) {
    const WholeFit fit =
        fit_whole(line, loss::binary_cross_entropy, data_of(true), optim::lbfgs(), {.l2 = row["l2"].get<double>()});
    EXPECT_TRUE(fit.result.converged()) << fit.result.summary();
    EXPECT_NEAR(fit.result.value, row["value"].get<double>(), 1e-8);
    const Tensor weights = fit.state.parameter("y/weight");
    for (std::int64_t j = 0; j < columns; ++j) {
      EXPECT_NEAR(weights.at(j), row["weights"][static_cast<std::size_t>(j)].get<double>(), 2e-5);
    }
  }
}

Var net(Scope s, Var x) {
  return nn::dense(s / "out", nn::dropout(s / "drop", tanh(nn::dense(s / "in", x, 8)), 0.2), 1);
}

TEST(WholeFit, HasTheSameBitsForAnyNumberOfThreads) {
  const Dataset data = data_of(false);
  for (const Optimizer& method : {optim::lbfgs(), optim::newton_cg(), optim::levenberg_marquardt()}) {
    const auto ends = [&](int threads) {
      return fit_whole(net, loss::mse, data, method, {.max_steps = 8, .threads = threads}).result;
    };
    const MinimizeResult one = ends(1), three = ends(3);
    EXPECT_TRUE(identical(one.x, three.x)) << method.name;
    EXPECT_EQ(one.value, three.value);
    EXPECT_LT(one.value, 1);  // at the start it is 2.6, the mean square of the targets
  }
}

/// Random numbers are the same in all evaluations, because a line search must compare values of one function.
TEST(WholeFit, TheLossFallsAtEveryStepWithDropout) {
  double last = INFINITY;
  const auto falls = [&](const MinimizeStep& step) {
    EXPECT_LE(step.value, last) << step.step;
    last = step.value;
  };
  (void)fit_whole(net, loss::mse, data_of(false), optim::lbfgs(), {.max_steps = 40, .on_step = falls});
}

TEST(WholeFit, ATrainerAcceptsItsState) {
  const Dataset data = data_of(true);
  const WholeFit fit = fit_whole(line, loss::binary_cross_entropy, data, optim::lbfgs(), {.l2 = 1e-3});
  Trainer trainer(line, loss::binary_cross_entropy, optim::sgd({.lr = 0.1}));
  trainer.set_state(fit.state);
  EXPECT_GT(trainer.evaluate(data)["accuracy"], 0.8);
}

TEST(WholeFit, RowsOfWeightZeroDecideNothing) {
  const Dataset data = data_of(false);
  Tensor weights = ones({rows}), x = data["input"], y = data["target"];
  for (const std::int64_t row : {0, 7, 399}) {
    weights.set(row, 0);
    x.set(row * columns, NAN);
    y.set(row, INFINITY);
  }
  Dataset some = data, kept = data;
  some.set("input", x);
  some.set("target", y);
  some.set("weight", weights);
  std::vector<std::int64_t> counted;
  for (std::int64_t row = 0; row < rows; ++row) {
    if (weights.at(row) != 0) counted.push_back(row);
  }
  kept.set("weight", ones({rows}));
  const WholeFit fit = fit_whole(line, loss::mse, some, optim::lbfgs());
  EXPECT_TRUE(fit.result.converged()) << fit.result.summary();
  EXPECT_TRUE(identical(fit.result.x, fit_whole(line, loss::mse, kept.select(counted), optim::lbfgs()).result.x));
}

TEST(WholeFit, WeightsAreCheckedAsInATraining) {
  const auto complaint = [](const Dataset& data) -> std::string {
    try {
      (void)fit_whole(line, loss::mse, data, optim::lbfgs());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const auto weighted = [](double weight, double others) {
    Dataset data = data_of(false);
    Tensor weights = full({rows}, others);
    weights.set(2, weight);
    data.set("weight", weights);
    return data;
  };
  EXPECT_EQ(complaint(weighted(-5, 1)), "[data] the weight of row 2 is -5. Wanted: >= 0");
  EXPECT_EQ(complaint(weighted(NAN, 1)), "[data] the weight of row 2 is nan. Wanted: >= 0");
  EXPECT_EQ(complaint(weighted(INFINITY, 1)), "[data] the weight of row 2 is inf. Wanted: >= 0");
  EXPECT_EQ(complaint(weighted(0, 0)), "[fit_whole] every row has weight 0: nothing is to be learned");
  EXPECT_EQ(complaint(data_of(false).slice(0, 0)), "[fit_whole] the data has no rows to train on");
}

TEST(WholeFit, RefusesUnsupportedCases) {
  const Dataset data = data_of(false);
  EXPECT_THROW((void)fit_whole(line, loss::mse, data, optim::adam()), UsageError);
  EXPECT_THROW((void)fit_whole(line, loss::mse, data, optim::gauss_newton({.solver = "dense"})), UsageError);
  EXPECT_THROW((void)fit_whole(line, loss::mse, data, optim::lbfgs(), {.l2 = -1}), UsageError);
  const auto normed = [](Scope s, Var x) { return nn::dense(s / "y", nn::batch_norm(s / "norm", x), 1); };
  EXPECT_THROW((void)fit_whole(normed, loss::mse, data, optim::lbfgs()), UsageError);
}

}  // namespace
}  // namespace thalweg
