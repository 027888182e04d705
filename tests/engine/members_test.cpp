// Models that give several outputs for each row in training: the members of an ensemble.

#include <gtest/gtest.h>

#include <cmath>

#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

Dataset rows_with(const Tensor& target) {
  Dataset data;
  data.set("input", Tensor::from(std::vector<float>{1, 2}, {2, 1}));
  data.set("target", target);
  return data;
}

/// A model with the same outputs, (members, outputs), for each row; in evaluation it returns their mean.
ModelFunction constants(const Tensor& outputs) {
  return [outputs](Scope s, Var x) {
    const Var own = expand_dims(s.parameter("own", outputs.shape()) + Constant{outputs}, 0);
    const Var each = broadcast_to(own, Shape{x.dim(0), outputs.shape()[0], outputs.shape()[1]});
    return s.mode() == Mode::train ? each : mean(each, 1);
  };
}

double loss_of_first_step(const Tensor& outputs, const LossFunction& loss, const Dataset& data) {
  TrainStep step(objective_of(constants(outputs), loss), optim::sgd({.lr = 0.1}), 1);
  State state = step.init(data, 1);
  return step(state, data).loss;
}

TEST(Members, EachHasItsOwnSquaredError) {
  const Tensor outputs = Tensor::from(std::vector<float>{0, 3}, {2, 1});
  const Dataset data = rows_with(Tensor::from(std::vector<float>{1, -1}, {2, 1}));
  EXPECT_NEAR(loss_of_first_step(outputs, loss::mse, data), (1 + 4 + 1 + 16) / 4.0, 1e-6);
}

TEST(Members, EachHasItsOwnCrossEntropyWithLabels) {
  const Tensor outputs = Tensor::from(std::vector<float>{0, 0, 0, 1, 0, 0}, {2, 3});
  const Dataset data = rows_with(Tensor::from(std::vector<std::int32_t>{0, 2}, {2}));
  const double first = std::log(3), second = std::log(std::exp(1) + 2);
  EXPECT_NEAR(loss_of_first_step(outputs, loss::cross_entropy, data), (2 * first + (second - 1) + second) / 4, 1e-6);
}

TEST(Members, RowsCountByTheirWeights) {
  const Tensor outputs = Tensor::from(std::vector<float>{0, 3}, {2, 1});
  Dataset data = rows_with(Tensor::from(std::vector<float>{1, -1}, {2, 1}));
  data.set("weight", Tensor::from(std::vector<float>{3, 1}, {2}));
  EXPECT_NEAR(loss_of_first_step(outputs, loss::mse, data), (3 * 2.5 + 8.5) / 4, 1e-6);
}

TEST(Members, ATrainerEvaluatesTheirMean) {
  const Tensor outputs = Tensor::from(std::vector<float>{0, 3}, {2, 1});
  const Dataset data = rows_with(Tensor::from(std::vector<float>{1, -1}, {2, 1}));
  Trainer trainer(constants(outputs), loss::mse, optim::sgd({.lr = 1e-9}), 1);
  trainer.fit(data, {.epochs = 1});
  EXPECT_NEAR(trainer.evaluate(data)["loss"], (0.25 + 6.25) / 2, 1e-5);
}

/// A model that does not average its members in evaluation is refused before the first step.
TEST(Members, MustBeAveragedInEvaluation) {
  const Dataset data = rows_with(Tensor::from(std::vector<float>{1, -1}, {2, 1}));
  Trainer trainer(
      [](Scope s, Var x) {
        return expand_dims(x, 1) * s.parameter("own", {2, 1});
      },
      loss::mse, optim::sgd({.lr = 0.1}), 1);
  EXPECT_THROW(trainer.fit(data, {.epochs = 1}), UsageError);
}

}  // namespace
}  // namespace thalweg
