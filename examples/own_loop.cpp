// Your own training loop, in place of the trainer's: a step is a function of a state and a batch.

#include <cmath>
#include <iostream>
#include <thalweg/thalweg.hpp>

namespace tw = thalweg;

namespace {

tw::Loss objective(tw::Scope s, const tw::Batch& b) {
  const auto hidden = tw::tanh(tw::nn::dense(s / "hidden", b["input"], 32));
  return tw::loss::mse(tw::nn::dense(s / "output", hidden, 1), b["target"]);
}

/// sin(3 x) at points in [-1, 1).
tw::Dataset batch_of(std::int64_t rows, std::uint64_t seed) {
  const auto x = tw::random_uniform({rows, 1}, -1, 1, seed);
  auto y = x;
  for (std::int64_t i = 0; i < rows; ++i) y.set(i, std::sin(3 * x.at(i)));
  tw::Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

}  // namespace

int main() {
  constexpr std::int64_t steps = 2000;
  auto step = tw::train_step(objective, tw::optim::adam({.lr = 1e-2, .schedule = tw::schedule::cosine()}));
  // The state has the parameters, the optimizer's slots and the step count. It is a value, which can be copied and
  // stored.
  auto state = step.init(batch_of(64, 0), /*seed=*/1);
  double loss = 0;
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto report = step(state, batch_of(64, static_cast<std::uint64_t>(i)), {.step = i, .total = steps});
    loss = report.loss;
    if (report.step % 400 == 0)
      std::cout << "step " << report.step << "  loss " << loss << "  lr " << report.lr << "\n";
  }
  std::cout << "first weights of the hidden layer: " << state.parameter("hidden/weight").str() << "\n";
  return loss < 5e-3 ? 0 : 1;
}
