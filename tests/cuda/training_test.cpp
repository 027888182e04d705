// Training on a GPU, simulated by the stand-ins: every optimizer takes the same steps as on this CPU, except for
// rounding in products.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "moons.hpp"
#include "opened_gpu.hpp"
#include "thalweg/thalweg.hpp"
#include "tried.hpp"

namespace thalweg {
namespace {

State trained(const Optimizer& optimizer, std::int64_t batch_size) {
  Trainer trainer(nn::mlp(2, {.hidden = {16}, .activation = "tanh", .norm = "layer"}), loss::cross_entropy, optimizer,
                  1);
  (void)trainer.fit(two_moons(40), {.epochs = 3, .batch_size = batch_size});
  return trainer.state();
}

/// The largest difference between two tensors, relative to the largest absolute value in them.
double difference(const Tensor& a, const Tensor& b) {
  double largest = 0, apart = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    largest = std::max({largest, std::abs(a.at(i)), std::abs(b.at(i))});
    apart = std::max(apart, std::abs(a.at(i) - b.at(i)));
  }
  return largest > 0 ? apart / largest : 0;
}

TEST(TrainingOnTheGpu, ByEveryOptimizerAgreesWithTheCpu) {
  Gpu gpu(testing::open_driver());
  for (const OptimizerRow& row : optimizers()) {
    SCOPED_TRACE(std::string(row.name));
    const bool has_rate = std::ranges::any_of(row.options, [](const OptionDoc& o) { return o.name == "lr"; });
    const Optimizer optimizer = row.make(has_rate ? OptionMap{{"lr", {0.01}}} : OptionMap{});
    const std::int64_t batch_size = row.owns_steps ? 40 : 10;
    const State here = trained(optimizer, batch_size);
    const ChosenDevice chosen(gpu);
    const State there = trained(optimizer, batch_size);
    // rules that use signs or whole matrices amplify rounding errors, and a matrix with equal eigenvalues has no unique
    // basis of eigenvectors
    const bool has_basis = row.name == "soap";
    EXPECT_LT(difference(there.parameters, here.parameters), has_basis ? 1e-1 : 2e-2);
    ASSERT_EQ(there.slots.size(), here.slots.size());
    for (std::size_t i = 0; i < here.slots.size() && !has_basis; ++i)
      EXPECT_LT(difference(there.slots[i].second, here.slots[i].second), 5e-2) << here.slots[i].first;
    EXPECT_TRUE(identical(trained(optimizer, batch_size).parameters, there.parameters));
  }
}

/// L-BFGS finds an invalid class while it computes the loss of all rows, in the same shards as on the CPU.
TEST(TrainingOnTheGpu, AnInvalidLabelIsReportedAsOnTheCpu) {
  Dataset data = two_moons(40);
  Tensor labels = data["target"];
  labels.set(17, 2);
  data.set("target", labels);
  const auto said = [&]() -> std::string {
    try {
      Trainer trainer(nn::mlp(2), loss::cross_entropy, optim::lbfgs(), 1);
      (void)trainer.fit(data, {.epochs = 1, .batch_size = 40});
      return "nothing was thrown";
    } catch (const UsageError& error) {
      return error.what();
    }
  };
  const std::string here = said();
  Gpu gpu(testing::open_driver());
  const ChosenDevice chosen(gpu);
  EXPECT_EQ(said(), here);
  EXPECT_NE(here, "nothing was thrown");
}

/// On this CPU the same batch is cut into two shards for its cores.
TEST(TrainingOnTheGpu, ABatchIsOneShard) {
  Dataset data;
  data.set("input", random_normal({64, 200}, 1));
  data.set("target", random_uniform({64}, 0, 3, 2, f64).to(i32));
  const auto trained_in = [&](std::int64_t shard_size) {
    Trainer trainer(nn::mlp(3, {.hidden = {256}}), loss::cross_entropy, optim::sgd({.lr = 0.1}), 1);
    (void)trainer.fit(data, {.epochs = 2, .batch_size = 64, .shard_size = shard_size});
    return trainer.state().parameters;
  };
  ASSERT_TRUE(identical(trained_in(0), trained_in(32)));
  ASSERT_FALSE(identical(trained_in(0), trained_in(64)));
  Gpu gpu(testing::open_driver());
  const ChosenDevice chosen(gpu);
  const Tensor by_default = trained_in(0);
  EXPECT_TRUE(identical(by_default, trained_in(64)));
  EXPECT_FALSE(identical(by_default, trained_in(32)));
}

/// All layers share two plans of cuDNN: one for attention, and one for its gradient.
TEST(TrainingOnTheGpu, OfAGptInBf16AgreesWithTheCpu) {
  Dataset data;
  data.set("input", random_uniform({23, 12}, 0, 9, 3, f64).to(i32));
  data.set("target", random_uniform({23, 12}, 0, 9, 4, f64).to(i32));
  for (const std::string positions : {"learned", "rotary"}) {
    SCOPED_TRACE(positions);
    const auto trained_in_bf16 = [&] {
      Trainer trainer(nn::gpt(9, {.layers = 2, .width = 16, .heads = 2, .context = 12, .positions = positions}),
                      loss::cross_entropy, optim::sgd({.lr = 0.5}), 1);
      (void)trainer.fit(data, {.epochs = 2, .batch_size = 8, .shard_size = 8, .precision = Precision::bf16});
      return trainer.state().parameters;
    };
    const Tensor here = trained_in_bf16();
    Gpu gpu(testing::open_driver());
    const ChosenDevice chosen(gpu);
    const auto plans_asked = [] { return testing::times_asked("libcudnn.so.9", "thalweg_stand_in_plans_asked"); };
    const int before = plans_asked();
    const Tensor there = trained_in_bf16();
    EXPECT_EQ(plans_asked() - before, 4);  // two for batches of 8 rows and two for the last one of 7
    EXPECT_LT(difference(there, here), 1e-3);
    EXPECT_TRUE(identical(trained_in_bf16(), there));
  }
}

}  // namespace
}  // namespace thalweg
