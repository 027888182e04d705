#include "thalweg/apply.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#include "thalweg/error.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/optimizers.hpp"
#include "thalweg/train.hpp"

namespace thalweg {
namespace {

Var encoder(Scope s, Var x) { return tanh(nn::dense(s / "encoder", x, 3)); }

/// The state of an autoencoder after one step, with separate parameters for encoder and decoder.
State trained() {
  Trainer trainer([](Scope s, Var x) { return nn::dense(s / "decoder", encoder(s, x), 5); }, loss::mse,
                  optim::sgd({.lr = 0.1}), 1);
  Dataset data;
  data.set("input", random_normal({8, 5}, 1));
  data.set("target", random_normal({8, 5}, 2));
  (void)trainer.fit(data, {.steps = 1});
  return trainer.state();
}

Apply encode(int threads = 1) {
  return Apply([](Scope s, const Batch& b) { return encoder(s, b["x"]); }, threads);
}

void expect_message(const std::function<void()>& run, std::string_view part) {
  try {
    run();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_NE(std::string_view(error.what()).find(part), std::string_view::npos) << error.what();
  }
}

TEST(Apply, RunsAPartOfATrainedModel) {
  const State state = trained();
  const Tensor x = random_normal({4, 5}, 3), w = state.parameter("encoder/weight"), b = state.parameter("encoder/bias");
  const Tensor y = encode()(state, {{"x", x}});
  ASSERT_EQ(y.shape(), Shape({4, 3}));
  for (std::int64_t row = 0; row < 4; ++row) {
    for (std::int64_t out = 0; out < 3; ++out) {
      double sum = b.at(out);
      for (std::int64_t i = 0; i < 5; ++i) sum += x.at(row * 5 + i) * w.at(i * 3 + out);
      EXPECT_NEAR(y.at(row * 3 + out), std::tanh(sum), 1e-6);
    }
  }
}

TEST(Apply, TakesNamedInputsOfAnyShapeAndGivesNamedOutputs) {
  const Apply apply([](Scope s, const Batch& b) {
    const Var z = encoder(s, b["x"]);
    return NamedVars{{"code", z}, {"scaled", z * b["t"]}, {"same", b["t"]}};
  });
  const State state = trained();
  const Tensor x = random_normal({2, 5}, 3);
  const NamedTensors outputs = apply.all(state, {{"x", x.to(f64)}, {"t", full({}, 2)}});
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0].first, "code");
  EXPECT_EQ(outputs[1].first, "scaled");
  EXPECT_TRUE(identical(outputs[0].second, encode()(state, {{"x", x}})));  // f64 inputs are converted
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_EQ(outputs[1].second.at(i), 2 * outputs[0].second.at(i));
  EXPECT_EQ(outputs[2].second.item(), 2);
}

TEST(Apply, UsesTheCurrentStateAndShapes) {
  const Apply apply = encode();
  State state = trained();
  const Tensor x = random_normal({9, 5}, 3);
  const Tensor all = apply(state, {{"x", x}});
  for (const std::int64_t rows : {1, 2, 9, 2}) {
    const Tensor some = apply(state, {{"x", x.rows(0, rows)}});
    for (std::int64_t i = 0; i < some.size(); ++i) EXPECT_NEAR(some.at(i), all.at(i), 1e-6);
  }
  state.set_parameter("encoder/bias", full({3}, 100));
  EXPECT_EQ(apply(state, {{"x", x}}).at(0), 1) << "tanh of a large number";
}

TEST(Apply, GivesTheSameBitsForAnyNumberOfThreadsAndCallers) {
  const State state = trained();
  std::vector<Tensor> inputs, wanted;
  for (std::int64_t rows = 1; rows <= 40; ++rows) {
    inputs.push_back(random_normal({rows, 5}, static_cast<std::uint64_t>(rows)));
    wanted.push_back(encode()(state, {{"x", inputs.back()}}));
  }
  const Apply shared = encode(2);  // the first caller of each shape plans it
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; i < 200; ++i) {
        const auto which = static_cast<std::size_t>((i * 7 + caller) % 40);
        wrong += !identical(shared(state, {{"x", inputs[which]}}), wanted[which]);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Apply, MayBeCalledWithManyShapes) {
  const Apply apply = encode();
  const State state = trained();
  const Tensor x = random_normal({100, 5}, 3);
  const Tensor first = apply(state, {{"x", x.rows(0, 1)}});
  for (std::int64_t rows = 1; rows <= 100; ++rows) {  // more shapes than there are cached plans
    EXPECT_EQ(apply(state, {{"x", x.rows(0, rows)}}).shape()[0], rows);
  }
  EXPECT_TRUE(identical(apply(state, {{"x", x.rows(0, 1)}}), first));
}

TEST(Apply, ErrorsNameTheMistake) {
  const State state = trained();
  const Tensor x = random_normal({4, 5}, 3);
  expect_message([&] { (void)encode()(State{}, {{"x", x}}); }, "empty state");
  expect_message([&] { (void)encode()(state, {{"y", x}}); }, "no column 'x'");
  expect_message([&] { (void)encode()(state, {{"x", x}, {"x", x}}); }, "given twice");
  expect_message([&] { (void)encode()(state, {{"x", random_normal({4, 6}, 3)}}); }, "'encoder/weight'");
  State cut = state;
  cut.parameters = zeros({1});
  expect_message([&] { (void)encode()(cut, {{"x", x}}); }, "parameters are");
  const Apply other([](Scope s, const Batch& b) { return nn::dense(s / "head", b["x"], 2); });
  expect_message([&] { (void)other(state, {{"x", x}}); }, "no parameter 'head/weight'");
  const Apply twin([](Scope s, const Batch& b) { return NamedVars{{"a", encoder(s, b["x"])}, {"a", b["x"]}}; });
  expect_message([&] { (void)twin.all(state, {{"x", x}}); }, "two outputs 'a'");
  const Apply both([](Scope s, const Batch& b) { return NamedVars{{"a", encoder(s, b["x"])}, {"b", b["x"]}}; });
  expect_message([&] { (void)both(state, {{"x", x}}); }, "2 outputs: a, b");
  EXPECT_NE(encode().explain(state, {{"x", x}}).find("tanh"), std::string::npos);
}

}  // namespace
}  // namespace thalweg
