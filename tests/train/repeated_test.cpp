// Small steps that repeat the calls of the one before.
#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "moons.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// A small step that is like the one before repeats its calls; with norms of layers to report, each step is taken anew.
TEST(Trainer, RepeatedStepsAreThoseTakenAnew) {
  const std::pair<const char*, Optimizer> optimizers[] = {
      {"sgd", optim::sgd({.lr = 0.05})},
      {"adam", optim::adam({.lr = 0.01})},
      {"momentum of a schedule",
       optim::sgd({.lr = 0.05, .momentum = 0.9, .schedule = schedule::cyclic({.cycle_momentum = true})})},
      {"averaged", optim::adamw({.lr = 0.01, .clip_norm = 0.1})}};
  for (const bool weighted : {false, true}) {
    Dataset data = two_moons(50);
    if (weighted) data.set("weight", random_uniform({50}, 0.5, 2, 3));
    for (const auto& [name, optimizer] : optimizers) {
      for (const std::int64_t batch : {1, 7}) {  // the last of an epoch has 1 row
        Trainer again(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optimizer, 1);
        Trainer anew(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optimizer, 1);
        FitOptions options{.epochs = 3, .batch_size = batch};
        const History repeated = again.fit(data, options);
        options.layer_norms = true;
        const History taken = anew.fit(data, options);
        EXPECT_TRUE(identical(again.state().parameters, anew.state().parameters)) << name << ", batch " << batch;
        ASSERT_EQ(repeated.steps.size(), taken.steps.size());
        for (std::size_t i = 0; i < taken.steps.size(); ++i) {
          const StepReport &a = repeated.steps[i], &b = taken.steps[i];
          const auto numbers = [](const StepReport& r) {
            return std::tuple(r.step, r.total_steps, r.epoch, r.loss, r.gradient_norm, r.lr, r.samples, r.weight);
          };
          EXPECT_EQ(numbers(a), numbers(b)) << name << ", batch " << batch << ", step " << i + 1;
        }
      }
    }
  }
}

TEST(Trainer, ARepeatedStepThatIsNotFiniteIsNamed) {
  Dataset data = two_moons(64);
  Tensor input = data["input"];
  input.set(2 * 40, std::nan(""));
  data.set("input", input);
  Trainer trainer(nn::mlp(2, {.hidden = {8}}), loss::cross_entropy, optim::adam(), 1);
  FitOptions options{.epochs = 1, .batch_size = 1};
  options.shuffle = false;
  try {
    (void)trainer.fit(data, options);
    FAIL() << "nothing was thrown";
  } catch (const NumericError& error) {
    EXPECT_NE(std::string(error.what()).find("step 41"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace thalweg
