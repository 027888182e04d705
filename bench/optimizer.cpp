// A user's own optimizer compared with the built-in one of the same arithmetic. Both have the same start and take steps
// in turn. `ratio` is the median over all steps of the user's time divided by the built-in's.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "optim/descent.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

// Written as in a user's program, with the arithmetic of the built-in rules.
tw::Optimizer own_lion() {
  const tw::Transform direction{.name = "lion", .slots = {{"m", 0.0}}, .rule = [](tw::Update& u) {
                                  const auto b1 = u.scalar("beta1", 0.9), b2 = u.scalar("beta2", 0.99);
                                  const auto mixed = tw::sign(b1 * u["m"] + (1 - b1) * u.gradient);
                                  u["m"] = b2 * u["m"] + (1 - b2) * u.gradient;
                                  return mixed;
                                }};
  return tw::optim::chain(direction, tw::optim::scale_by_lr(1e-4));
}

tw::Optimizer own_adam() {
  const tw::Transform direction{.name = "adam", .slots = {{"m", 0.0}, {"v", 0.0}}, .rule = [](tw::Update& u) {
                                  const auto b1 = u.scalar("beta1", 0.9), b2 = u.scalar("beta2", 0.999);
                                  u["m"] = b1 * u["m"] + (1 - b1) * u.gradient;
                                  u["v"] = b2 * u["v"] + (1 - b2) * tw::square(u.gradient);
                                  const auto scale1 = 1 / (1 - tw::pow(b1, u.step()));
                                  const auto scale2 = 1 / tw::sqrt(1 - tw::pow(b2, u.step()));
                                  return u["m"] * scale1 / (tw::sqrt(u["v"]) * scale2 + 1e-8);
                                }};
  return tw::optim::chain(direction, tw::optim::scale_by_lr(1e-3));
}

// The paper's form, which divides each element by the bias corrections: two more divisions per element.
tw::Optimizer divided_adam() {
  const tw::Transform direction{.name = "adam", .slots = {{"m", 0.0}, {"v", 0.0}}, .rule = [](tw::Update& u) {
                                  const auto b1 = u.scalar("beta1", 0.9), b2 = u.scalar("beta2", 0.999);
                                  u["m"] = b1 * u["m"] + (1 - b1) * u.gradient;
                                  u["v"] = b2 * u["v"] + (1 - b2) * tw::square(u.gradient);
                                  const auto m = u["m"] / (1 - tw::pow(b1, u.step()));
                                  return m / (tw::sqrt(u["v"]) / tw::sqrt(1 - tw::pow(b2, u.step())) + 1e-8);
                                }};
  return tw::optim::chain(direction, tw::optim::scale_by_lr(1e-3));
}

/// Times the steps of one optimizer on a block of parameters.
class Turns {
 public:
  Turns(tw::Optimizer optimizer, std::int64_t size)
      : optimizer_(std::move(optimizer)), x_(tw::random_normal({size}, 1)), descent_(optimizer_, x_) {}

  double take(tw::Tensor& gradient) {
    const auto began = std::chrono::steady_clock::now();
    descent_.step(x_, gradient, 1, {.step = step_++, .total = 1'000'000});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  }
  [[nodiscard]] const tw::Tensor& x() const { return x_; }

 private:
  tw::Optimizer optimizer_;
  tw::Tensor x_;
  tw::Descent descent_;
  std::int64_t step_ = 0;
};

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
  return values[values.size() / 2];
}

void compare(benchmark::State& bench, const tw::Optimizer& built_in, const tw::Optimizer& own) {
  tw::Tensor gradient = tw::random_normal({bench.range(0)}, 2);
  Turns ours(built_in, bench.range(0)), theirs(own, bench.range(0));
  std::vector<double> built_in_seconds, own_seconds, ratios;
  for (auto _ : bench) {
    built_in_seconds.push_back(ours.take(gradient));
    own_seconds.push_back(theirs.take(gradient));
    ratios.push_back(own_seconds.back() / built_in_seconds.back());
  }
  bench.counters["built_in_us"] = 1e6 * median(std::move(built_in_seconds));
  bench.counters["own_us"] = 1e6 * median(std::move(own_seconds));
  bench.counters["ratio"] = median(std::move(ratios));
  for (std::int64_t i = 0; i < ours.x().size(); i += 1000) {
    if (std::abs(ours.x().at(i) - theirs.x().at(i)) > 1e-4)
      bench.SkipWithError("the two optimizers have different results");
  }
}

void lion(benchmark::State& bench) { compare(bench, tw::optim::lion({.lr = 1e-4}), own_lion()); }
void adam(benchmark::State& bench) { compare(bench, tw::optim::adam({.lr = 1e-3}), own_adam()); }
void adam_divided(benchmark::State& bench) { compare(bench, tw::optim::adam({.lr = 1e-3}), divided_adam()); }

BENCHMARK(lion)->Arg(10'000)->Arg(1'000'000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(adam)->Arg(10'000)->Arg(1'000'000)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(adam_divided)->Arg(1'000'000)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
