// The maximal-update parametrisation (mup): how far a step changes the outputs does not depend on the width.

#include "run/width_rates.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.hpp"
#include "moons.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/loss.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/registry.hpp"
#include "thalweg/sequence.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

nn::WidthScaling scaling_of(const std::string& kind, const OptionMap& options) {
  for (const nn::ModelRow& row : nn::models()) {
    if (row.name == kind) return row.scaling(row.make(3, options).second);
  }
  return {};
}

double mean_distance(const Tensor& x, const Tensor& y) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.size(); ++i) sum += std::abs(x.at(i) - y.at(i));
  return sum / static_cast<double>(x.size());
}

/// The mean change of the outputs of a net of this width after some steps.
double movement(const std::string& parametrisation, std::int64_t width, Optimizer optimizer) {
  const nn::MlpOptions net{.hidden = {width, width}, .parametrisation = parametrisation};
  const OptionMap options{{"hidden", OptionList{width, width}}, {"parametrisation", parametrisation}};
  add_width_rates(optimizer, scaling_of("mlp", options));
  const Dataset data = two_moons(64);
  Trainer trainer(nn::mlp(2, net), loss::cross_entropy, optimizer);
  trainer.init(data, 1);
  const Apply outputs([&](Scope s, const Batch& b) { return nn::mlp(2, net)(s, b["x"]); });
  const Tensor before = outputs(trainer.state(), {{"x", data["input"]}});
  trainer.fit(data, {.steps = 5, .batch_size = 0});
  const Tensor after = outputs(trainer.state(), {{"x", data["input"]}});
  return mean_distance(before, after);
}

/// The coordinate check of Yang et al. 2021: from width 64 to 1,024 the change of the outputs stays the same, while in
/// the standard parametrisation it grows.
TEST(WidthRates, StepsChangeTheOutputsEquallyAtEveryWidth) {
  for (const Optimizer& optimizer :
       {optim::adam({.lr = 0.002}), optim::sgd({.lr = 0.05}), optim::sgd({.lr = 0.05, .weight_decay = 0.05})}) {
    const double narrow = movement("mup", 64, optimizer), wide = movement("mup", 1024, optimizer);
    EXPECT_GT(wide, 0.6 * narrow) << optimizer.name;
    EXPECT_LT(wide, 1.7 * narrow) << optimizer.name;
    const double standard = movement("standard", 1024, optimizer) / movement("standard", 64, optimizer);
    EXPECT_GT(standard, 2.5) << optimizer.name;
  }
}

TEST(WidthRates, ANetOfTheBaseWidthIsThatOfTheStandardParametrisation) {
  Optimizer optimizer = optim::adamw();
  add_width_rates(optimizer, scaling_of("mlp", {{"hidden", OptionList{64, 32}}, {"parametrisation", "mup"}}));
  EXPECT_TRUE(optimizer.groups.empty());
}

TEST(WidthRates, DecayKeepsItsSizeIfTheRateIsDivided) {
  Optimizer optimizer = optim::adamw({.weight_decay = 0.1});
  add_width_rates(optimizer, scaling_of("gpt", {{"width", 256}, {"parametrisation", "mup"}}));
  ASSERT_EQ(optimizer.groups.size(), 2U);
  EXPECT_EQ(optimizer.groups[0].lr_factor, 0.25);
  EXPECT_EQ(optimizer.groups[0].scalars.at("weight_decay"), 0.4);
}

/// The mean change of the logits of a transformer of this width after some steps of Adam. `frozen` has patterns of
/// parameters that are not trained.
double gpt_movement(const std::string& positions, const std::string& parametrisation, std::int64_t width,
                    const std::vector<std::string>& frozen = {}) {
  constexpr std::int64_t vocabulary = 13, rows = 32, time = 12, base = 32;
  const nn::GptOptions net{.layers = 2,
                           .width = width,
                           .heads = 4,
                           .context = time,
                           .positions = positions,
                           .tied = frozen.empty(),
                           .parametrisation = parametrisation,
                           .base_width = base};
  Optimizer optimizer = optim::adam({.lr = 0.002});
  for (const std::string& pattern : frozen) optimizer.groups.push_back({.pattern = pattern, .frozen = true});
  add_width_rates(optimizer, scaling_of("gpt", {{"width", width},
                                                {"heads", 4},
                                                {"context", time},
                                                {"positions", positions},
                                                {"parametrisation", parametrisation},
                                                {"base_width", base}}));
  Tensor input({rows, time}, i32), target({rows, time}, i32);
  for (std::int64_t i = 0; i < input.size(); ++i) {
    const std::int64_t row = i / time, place = i % time;  // the next token depends on the token and its position
    const std::int64_t token = (5 * row + 3 * place * row + place) % vocabulary;
    input.set(i, static_cast<double>(token));
    target.set(i, static_cast<double>((2 * token + place) % vocabulary));
  }
  Dataset data;
  data.set("input", input);
  data.set("target", target);
  Trainer trainer(nn::gpt(vocabulary, net), loss::cross_entropy, optimizer);
  trainer.init(data, 1);
  const Apply outputs([&](Scope s, const Batch& b) { return nn::gpt(vocabulary, net)(s, b["x"]); });
  const Tensor before = outputs(trainer.state(), {{"x", data["input"]}});
  trainer.fit(data, {.steps = 6, .batch_size = 0});
  return mean_distance(before, outputs(trainer.state(), {{"x", data["input"]}}));
}

TEST(WidthRates, StepsChangeTheLogitsOfATransformerEquallyAtEveryWidth) {
  for (const char* positions : {"learned", "sinusoidal", "rotary"}) {
    const double narrow = gpt_movement(positions, "mup", 32), wide = gpt_movement(positions, "mup", 256);
    EXPECT_GT(wide, 0.6 * narrow) << positions;
    EXPECT_LT(wide, 1.7 * narrow) << positions;
    EXPECT_GT(gpt_movement(positions, "standard", 256), 1.8 * gpt_movement(positions, "standard", 32)) << positions;
  }
}

TEST(WidthRates, TokenEmbeddingsKeepTheirSizeRelativeToSinusoidalPositions) {
  const std::vector<std::string> all_but_tokens = {"block*", "norm*", "output*"};
  const double narrow = gpt_movement("sinusoidal", "mup", 32, all_but_tokens),
               wide = gpt_movement("sinusoidal", "mup", 256, all_but_tokens);
  EXPECT_GT(wide, 0.6 * narrow);
  EXPECT_LT(wide, 1.7 * narrow);
}

/// The relative decrease of a parameter in three steps by weight decay alone.
double decayed(const std::string& name, std::int64_t width, double decay) {
  const OptionMap options{{"hidden", OptionList{width, width}}, {"parametrisation", "mup"}};
  const Dataset data = two_moons(64);
  std::vector<Tensor> ends;
  for (const double weight_decay : {0.0, decay}) {
    Optimizer optimizer = optim::sgd({.lr = 0.05, .weight_decay = weight_decay});
    add_width_rates(optimizer, scaling_of("mlp", options));
    Trainer trainer(nn::mlp(2, {.hidden = {width, width}, .parametrisation = "mup"}), loss::cross_entropy, optimizer);
    trainer.init(data, 1);
    trainer.fit(data, {.steps = 3, .batch_size = 0});
    ends.push_back(trainer.state().parameter(name));
  }
  double change = 0, size = 0;
  for (std::int64_t i = 0; i < ends[0].size(); ++i) {
    change += std::pow(ends[1].at(i) - ends[0].at(i), 2);
    size += std::pow(ends[0].at(i), 2);
  }
  return std::sqrt(change / size);
}

TEST(WidthRates, CoupledDecayOfPlainDescentIsTheSameAtEveryWidth) {
  const double decay = 0.2, wanted = 1 - std::pow(1 - 0.05 * decay, 3);
  for (const char* name : {"layer1/weight", "layer2/weight", "output/weight"}) {
    EXPECT_NEAR(decayed(name, 64, decay), wanted, 0.1 * wanted) << name;
    EXPECT_NEAR(decayed(name, 1024, decay), wanted, 0.1 * wanted) << name;
  }
}

TEST(WidthRates, CoupledDecayOfAdaptiveMethodsIsRefused) {
  const nn::WidthScaling twice{.ratio = 2, .matrices = {"layer2/weight"}};
  for (const char* kind : {"adam", "adamax", "nadam", "radam", "rmsprop"}) {
    Optimizer optimizer = make_optimizer({{"kind", kind}, {"weight_decay", 0.01}});
    try {
      add_width_rates(optimizer, twice);
      ADD_FAILURE() << kind;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find(std::string("[") + kind + "] weight_decay = 0.01"), std::string::npos)
          << error.what();
    }
    Optimizer without = make_optimizer({{"kind", kind}, {"weight_decay", 0.0}});
    EXPECT_NO_THROW(add_width_rates(without, twice)) << kind;
  }
}

TEST(WidthRates, AMethodWithoutARuleIsRefused) {
  Optimizer optimizer = optim::lamb();
  EXPECT_THROW(add_width_rates(optimizer, {.ratio = 2}), UsageError);
}

}  // namespace
}  // namespace thalweg
