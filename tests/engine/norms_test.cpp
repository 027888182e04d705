// Norms of gradients, also of those whose squares overflow or underflow in f32.

#include <gtest/gtest.h>

#include "engine/norms.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

/// Takes one step of gradient descent with rate 1 on the sum of w * input, whose gradient by w is the input.
std::pair<Tensor, double> stepped(const Tensor& input, double clip_norm) {
  TrainStep step(
      [](Scope s, const Batch& batch) -> Loss {
        const Var w = s.parameter("w", {2}, {});
        return Loss::of_samples(sum(batch["input"] * w, 1));
      },
      optim::sgd({.lr = 1, .clip_norm = clip_norm}), 1);
  Dataset data;
  data.set("input", input.reshape({1, 2}));
  State state = step.init(data, 1);
  const StepReport report = step(state, data);
  return {state.parameter("w"), report.gradient_norm};
}

TEST(GradientNorm, ClipsGradientsWhoseSquaresOverflow) {
  const auto [w, norm] = stepped(Tensor::of({3e19F, 1.F}), 1);
  EXPECT_NEAR(norm, 3e19, 1e13);
  EXPECT_NEAR(w.at(0), -1, 1e-6);
  EXPECT_NEAR(w.at(1), 0, 1e-6);
}

TEST(GradientNorm, IsRightIfSquaresUnderflow) {
  EXPECT_NEAR(stepped(Tensor::of({3e-25F, -4e-25F}), 1).second, 5e-25, 1e-31);
  EXPECT_EQ(stepped(Tensor::of({0.F, 0.F}), 1).second, 0);
}

TEST(LayerNorms, LayersAreFoundFromThePathsOfTheParameters) {
  const auto layers = [](std::initializer_list<const char*> names) {
    Layout layout;
    for (const char* name : names) layout.entries.push_back({.name = name, .shape = {1}});
    layout.entries.back().frozen = true;  // the last one is frozen, so it must not count
    return layers_of(layout);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(layers({"d/conv/weight", "d/conv/bias", "d/out/weight", "g/w"}), (Names{"d/conv", "d/out"}));
  EXPECT_EQ(layers({"d/conv/weight", "g/conv/weight", "x/w"}), (Names{"d", "g"}));
  EXPECT_EQ(layers({"out/weight", "out/bias", "x/w"}), (Names{"out"}));
  EXPECT_EQ(layers({"net/d/norm/weight", "net/d/weight", "x/w"}), (Names{"net/d"}));
}

}  // namespace
}  // namespace thalweg
