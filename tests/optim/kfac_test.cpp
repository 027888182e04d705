// K-FAC's update rule for given factors. engine/kfac_test.cpp tests the factors and whole trainings.

#include <gtest/gtest.h>

#include <cmath>

#include "allocations.hpp"
#include "optim/stepper.hpp"
#include "thalweg/error.hpp"
#include "thalweg/minimize.hpp"
#include "thalweg/natural_gradient.hpp"

namespace thalweg {
namespace {

/// Takes steps on a layer of two inputs, a bias and two outputs, and on a separate gain.
class LayerSteps {
 public:
  explicit LayerSteps(const Optimizer& optimizer, std::vector<FactoredLayer> layers = {{"w", "b", 3, 2}})
      : layers_(std::move(layers)),
        layout_(testing::layout_of({{"w", {2, 2}}, {"gain", {3}}, {"b", {2}, 0, false, false, false}})),
        lr_(optimizer.lr),
        update_(make_update(optimizer, layout_, {}, {}, layers_)),
        slots(initial_slots(update_)),
        arena_(update_.program->arena_bytes()),
        scalars_(update_.scalars.size()) {
    for (std::int64_t i = 0; i < 9; ++i) x.set(i, 1), gradient_.set(i, 0.25 * static_cast<double>(i) - 1);
    bases_.resize(3 + slots.size());
  }

  void set_factors(double diagonal) {
    for (const char* name : {"kfac.input_factor", "kfac.output_factor"}) {
      Tensor& factor = slot(name);
      const std::int64_t n = factor.size() == 9 ? 3 : 2;
      for (std::int64_t i = 0; i < n * n; ++i) factor.set(i, i % (n + 1) == 0 ? diagonal : 0.1);
    }
  }

  void step() {
    fill_scalars(update_, {.step = ++steps_, .lr = lr_}, scalars_);
    bases_[0] = x.mutable_raw();
    bases_[1] = gradient_.mutable_raw();
    bases_[2] = reinterpret_cast<std::byte*>(scalars_.data());
    for (std::size_t i = 0; i < slots.size(); ++i) bases_[3 + i] = slots[i].second.mutable_raw();
    update_.program->run(bases_, arena_.data(), workers_);
  }

  Tensor& slot(std::string_view name) {
    for (auto& [known, values] : slots) {
      if (known == name) return values;
    }
    throw UsageError("no such slot");
  }

 private:
  std::vector<FactoredLayer> layers_;
  Layout layout_;
  double lr_;
  UpdateProgram update_;
  Workers workers_{1};

 public:
  std::vector<std::pair<std::string, Tensor>> slots;
  Tensor x = zeros({9}, f64);

 private:
  Tensor gradient_ = zeros({9}, f64);
  Block arena_;
  std::vector<double> scalars_;
  std::vector<std::byte*> bases_;
  std::int64_t steps_ = 0;
};

TEST(KfacRule, AllocatesNothingInAStepWithOrWithoutInverses) {
  LayerSteps steps(optim::kfac({.inverse_every = 2}));
  steps.set_factors(1);
  steps.step();
  const long before = testing::allocations();
  for (int i = 0; i < 6; ++i) steps.step();
  EXPECT_EQ(testing::allocations(), before);
}

TEST(KfacRule, InversesAreComputedWhenDueAndOnlyOfPositiveDefiniteFactors) {
  LayerSteps steps(optim::kfac({.inverse_every = 3}));
  steps.set_factors(1);
  steps.step();
  const Tensor first = steps.slot("kfac.input_inverse");
  EXPECT_GT(first.at(0), 0.5);
  steps.set_factors(2);
  steps.step(), steps.step();
  EXPECT_TRUE(identical(steps.slot("kfac.input_inverse"), first));
  steps.step();
  const Tensor second = steps.slot("kfac.input_inverse");
  EXPECT_FALSE(identical(second, first));
  steps.set_factors(-1);  // not positive definite
  steps.step(), steps.step(), steps.step();
  EXPECT_TRUE(identical(steps.slot("kfac.input_inverse"), second));
  for (std::int64_t i = 0; i < 9; ++i) EXPECT_TRUE(std::isfinite(steps.x.at(i))) << i;
}

/// The step is scaled so that lr^2 <step, gradient> over all layers is at most kl_clip, whatever the rate is.
TEST(KfacRule, TheClipLimitsLargeStepsOnly) {
  const auto moved = [](double lr, double kl_clip) {
    LayerSteps steps(optim::kfac({.lr = lr, .momentum = 0, .kl_clip = kl_clip}));
    steps.set_factors(1);
    steps.step();
    return std::abs(1 - steps.x.at(0));
  };
  const double free = moved(0.5, 0);
  EXPECT_EQ(moved(0.5, 1e6), free);
  EXPECT_NEAR(moved(5, 1e-3), moved(0.5, 1e-3), 1e-12);
  EXPECT_NEAR(moved(0.5, 4e-3), 2 * moved(0.5, 1e-3), 1e-12);
}

/// The bias is a layer of its own with three times the rate. All factors are the identity.
TEST(KfacRule, TheClipCountsEachLayerByTheRateOfItsGroup) {
  constexpr double lr = 0.5, kl_clip = 1e-3;
  Optimizer optimizer = optim::kfac({.lr = lr, .momentum = 0, .kl_clip = kl_clip});
  optimizer.groups = {{.pattern = "b", .lr_factor = 3}};
  LayerSteps steps(optimizer, {{"w", "", 2, 2}, {"b", "", 1, 2}});
  for (const std::int64_t i : {0, 3, 4}) steps.slot("kfac.input_factor").set(i, 1);
  for (const std::int64_t i : {0, 3, 4, 7}) steps.slot("kfac.output_factor").set(i, 1);
  steps.step();
  const double part = 1 / std::pow(1 + std::sqrt(optim::KfacOptions{}.damping), 2);
  const double squares = 1 + 0.75 * 0.75 + 0.5 * 0.5 + 0.25 * 0.25, squares_of_bias = 0.75 * 0.75 + 1;
  const double clip = std::sqrt(kl_clip / (lr * lr * part * (squares + 9 * squares_of_bias)));
  EXPECT_NEAR(steps.x.at(0), 1 + lr * clip * part, 1e-12);
  EXPECT_NEAR(steps.x.at(8), 1 - 3 * lr * clip * part, 1e-12);
}

TEST(KfacRule, AFunctionOfOneTensorHasNoLayers) {
  const auto minimise = [] {
    (void)minimize([](Var x) { return sum(square(x)); }, Tensor::of({1.0, 2.0}), optim::kfac());
  };
  EXPECT_THROW(minimise(), UsageError);
}

}  // namespace
}  // namespace thalweg
