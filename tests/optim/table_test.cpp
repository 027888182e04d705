// The same checks for every row of the table of optimizers.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "allocations.hpp"
#include "optim/stepper.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

/// The initial rates with which a method must solve the problems; they decay to 0 over the run. `rosenbrock_value` is
/// the value that it must reach on Rosenbrock's function, from 24.2 at (-1.2, 1).
struct Budget {
  std::string_view name;
  double quadratic_lr, rosenbrock_lr;
  double rosenbrock_value = 1e-4;
};

const std::vector<Budget> budgets = {
    {"sgd", 0.3, 1e-3, 1e-2},
    {"asgd", 0.3, 1e-3, 1e-1},  // its average lags behind
    {"rprop", 0.01, 0.01},
    {"adagrad", 0.5, 0.5, 1e-2},
    {"rmsprop", 0.01, 0.01},
    {"adadelta", 10, 10, 5e-2},
    {"adam", 0.05, 0.05},
    {"adamw", 0.05, 0.05},
    {"adamax", 0.05, 0.05},
    {"nadam", 0.05, 0.05},
    {"radam", 0.05, 1e-3, 1e-2},
    {"adabelief", 0.05, 0.05},
    {"yogi", 0.05, 0.05},
    {"lamb", 0.01, 0.01},
    {"lars", 1, 1},
    {"lion", 0.01, 0.01},
    {"signum", 0.01, 0.01},
    {"adafactor", 0.05, 0.05},
    {"ftrl", 1, 0.5, 1e-2},
    {"adan", 0.05, 0.05},
    {"ademamix", 0.05, 0.01, 1e-2},
    {"adopt", 0.05, 0.05, 1e-2},
    {"prodigy", 1, 1},
    {"schedule_free_sgd", 0.3, 1e-3, 1e-1},
    {"schedule_free_adamw", 0.05, 0.05, 1e-2},
    {"muon", 0.05, 0.05},
    {"shampoo", 0.05, 0.1, 1e-2},
    {"soap", 0.05, 0.05},
    {"kfac", 0.5, 0.5},  // without layers: Adam with a tenth of the rate
    {"lookahead", 0.05, 0.05},
    {"sam", 0.05, 0.05},
    {"svrg", 0.05, 0.05},
    {"saga", 0.05, 0.05},
    {"hypergradient", 0.3, 1e-3, 0.3},  // its rate rises until the steep walls of the valley make it unstable
};

/// Whether the row wraps another method, which then has the options for rate and clipping.
bool wraps(const OptimizerRow& row) {
  return std::ranges::any_of(row.options, [](const OptionDoc& option) { return option.name == "optimizer"; });
}

OptionMap options_of(const OptimizerRow& row, double lr) {
  if (wraps(row)) {
    return {{"optimizer", {OptionMap{{"kind", {std::string("adam")}}, {"lr", {lr}}}}}};
  }
  OptionMap options = {{"lr", {lr}}};
  for (const OptionDoc& option : row.options) {
    if (option.name == "weight_decay") options["weight_decay"] = {0.0};
  }
  return options;
}

Tensor ramp(std::int64_t size, DType dtype) {
  Tensor x(Shape{size}, dtype);
  for (std::int64_t i = 0; i < size; ++i) x.set(i, 0.3 + 0.7 * std::cos(1.0 + 3.0 * static_cast<double>(i)));
  return x;
}

/// sum_i (1 + i % 3) x_i^2 / 2
Tensor quadratic_gradient(const Tensor& x) {
  Tensor g(x.shape(), x.dtype());
  for (std::int64_t i = 0; i < x.size(); ++i) g.set(i, static_cast<double>(1 + i % 3) * x.at(i));
  return g;
}

void run_on_quadratic(Stepper& stepper, int steps, double lr_factor = 1) {
  for (int i = 0; i < steps; ++i) {
    Tensor g = quadratic_gradient(stepper.state.parameters);
    stepper.step(g, lr_factor);
  }
}

double difference(const Tensor& a, const Tensor& b) {
  double most = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a.at(i) - b.at(i)));
  return most;
}

/// Two matrices and two vectors, one of them frozen: 12 + 8 + 4 + 4 elements.
Layout mixed_layout(DType dtype = f64) {
  return layout_of({{"first/weight", {3, 4}},
                    {"second/weight", {4, 2}},
                    {"first/bias", {4}, 0, false, false, false},
                    {"fixed", {4}, 0, true}},
                   dtype);
}

class EveryOptimizer : public ::testing::TestWithParam<std::string_view> {
 protected:
  [[nodiscard]] const OptimizerRow& row() const { return optimizer_named(std::string(GetParam())); }
  [[nodiscard]] Optimizer make(double lr) const { return row().make(options_of(row(), lr)); }
  [[nodiscard]] Budget budget() const {
    for (const Budget& budget : budgets) {
      if (budget.name == row().name) return budget;
    }
    ADD_FAILURE() << "no budget for " << row().name;
    return {};
  }
};

TEST_P(EveryOptimizer, IsDocumented) {
  EXPECT_FALSE(row().summary.empty());
  EXPECT_FALSE(row().formula.empty());
  EXPECT_FALSE(row().when.empty());
  EXPECT_FALSE(row().source.empty());
  for (const OptionDoc& option : row().options) EXPECT_FALSE(option.doc.empty()) << option.name;
  const Optimizer optimizer = make(0.5);
  EXPECT_EQ(optimizer.name, row().name);
  EXPECT_EQ(optimizer.lr, 0.5);
  EXPECT_EQ(optimizer.options.size(), row().options.size());
  EXPECT_THROW(row().make({{"no_such_option", {1.0}}}), UsageError);
  if (wraps(row())) return;  // the wrapped method has the rate
  EXPECT_THROW(row().make({{"lr", {-1.0}}}), UsageError);
}

TEST_P(EveryOptimizer, ConvergesOnAQuadratic) {
  const Layout layout = mixed_layout();
  Stepper stepper(make(budget().quadratic_lr), layout, ramp(layout.size, f64));
  constexpr int steps = 3000;
  for (int i = 0; i < steps; ++i) run_on_quadratic(stepper, 1, 1 - static_cast<double>(i) / steps);
  const Tensor found = stepper.evaluated();
  for (std::int64_t i = 0; i < layout.trained_size; ++i) EXPECT_NEAR(found.at(i), 0, 1e-3) << i;
}

TEST_P(EveryOptimizer, ConvergesOnRosenbrock) {
  Stepper stepper(make(budget().rosenbrock_lr), one_vector(2), Tensor::of({-1.2, 1.0}));
  constexpr int steps = 20000;
  for (int i = 0; i < steps; ++i) {
    const double x = stepper.x(0), y = stepper.x(1);
    Tensor g = Tensor::of({-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)});
    stepper.step(g, 1 - static_cast<double>(i) / steps);
  }
  const Tensor found = stepper.evaluated();
  const double x = found.at(0), y = found.at(1);
  EXPECT_LE((1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x), budget().rosenbrock_value) << x << ' ' << y;
}

TEST_P(EveryOptimizer, KeepsTheDtypeAndDoesNotChangeFrozenParameters) {
  for (DType dtype : {f32, f64}) {
    const Layout layout = mixed_layout(dtype);
    const Tensor start = ramp(layout.size, dtype);
    Stepper stepper(make(0.01), layout, start);
    run_on_quadratic(stepper, 5);
    EXPECT_EQ(stepper.state.parameters.dtype(), dtype);
    EXPECT_GT(difference(stepper.state.parameters, start), 0);
    for (std::int64_t i = layout.trained_size; i < layout.size; ++i) EXPECT_EQ(stepper.x(i), start.at(i));
    const Tensor evaluated = stepper.evaluated();
    for (std::int64_t i = layout.trained_size; i < layout.size; ++i) EXPECT_EQ(evaluated.at(i), start.at(i));
  }
}

TEST_P(EveryOptimizer, ClipsTheGradientAsTheTransformsDo) {
  if (wraps(row())) GTEST_SKIP() << "the wrapped method clips";
  const Layout layout = mixed_layout();
  const auto ends = [&](const Optimizer& optimizer) {
    Stepper stepper(optimizer, layout, ramp(layout.size, f64));
    run_on_quadratic(stepper, 5);
    return stepper.state.parameters;
  };
  const auto with = [&](const char* option, double value) {
    OptionMap options = options_of(row(), 0.01);
    options[option] = {value};
    return ends(row().make(options));
  };
  EXPECT_TRUE(identical(with("clip_value", 0.2), ends(optim::prepend(optim::clip_value(0.2), make(0.01)))));
  EXPECT_TRUE(identical(with("clip_ratio", 0.1), ends(optim::prepend(optim::adaptive_clip(0.1), make(0.01)))));
  if (row().name == "rprop" || row().name == "lion" || row().name == "signum")
    return;  // these use only signs, which clipping by norm does not change
  EXPECT_FALSE(identical(with("clip_value", 0.2), ends(make(0.01))));
  EXPECT_FALSE(identical(with("clip_ratio", 0.1), ends(make(0.01))));
}

TEST_P(EveryOptimizer, TakesAScheduleAsAFactorOfItsRate) {
  if (row().name == "rprop") GTEST_SKIP() << "its lr is the initial step size, but the factor scales all step sizes";
  const Layout layout = mixed_layout();
  Stepper scheduled(make(0.02), layout, ramp(layout.size, f64)), halved(make(0.01), layout, ramp(layout.size, f64));
  run_on_quadratic(scheduled, 20, 0.5);
  run_on_quadratic(halved, 20);
  EXPECT_TRUE(identical(scheduled.state.parameters, halved.state.parameters));
}

/// A warm-up may start at 0. Such a step changes no parameter, and later steps must still work.
TEST_P(EveryOptimizer, WorksWithARateThatStartsAtZero) {
  for (DType dtype : {f32, f64}) {
    const Layout layout = mixed_layout(dtype);
    const Tensor start = ramp(layout.size, dtype);
    Stepper stepper(make(budget().quadratic_lr), layout, start);
    run_on_quadratic(stepper, 1, 0);
    if (row().name != "rprop") {
      EXPECT_LE(difference(stepper.evaluated(), start), 1e-6);
    }
    const int warmup = 20;
    for (int i = 1; i < warmup; ++i) run_on_quadratic(stepper, 1, static_cast<double>(i) / warmup);
    constexpr int steps = 3000;
    for (int i = 0; i < steps; ++i) run_on_quadratic(stepper, 1, 1 - static_cast<double>(i) / steps);
    const Tensor found = stepper.evaluated();
    for (std::int64_t i = 0; i < layout.trained_size; ++i) EXPECT_NEAR(found.at(i), 0, 2e-3) << i;
  }
}

TEST_P(EveryOptimizer, GivesTheSameResultWithEqualGroups) {
  const Layout layout = mixed_layout();
  Optimizer grouped = make(0.01);
  grouped.groups = {{.pattern = "second/*"}};
  Stepper together(make(0.01), layout, ramp(layout.size, f64)), apart(grouped, layout, ramp(layout.size, f64));
  run_on_quadratic(together, 20);
  run_on_quadratic(apart, 20);
  // prodigy's sums over all parameters are rounded in another order
  EXPECT_LE(difference(together.state.parameters, apart.state.parameters), row().name == "prodigy" ? 1e-12 : 0);
}

TEST_P(EveryOptimizer, ResumesWithTheSameBitsFromItsState) {
  for (DType dtype : {f32, f64}) {
    const Layout layout = mixed_layout(dtype);
    Stepper whole(make(0.01), layout, ramp(layout.size, dtype)), resumed(make(0.01), layout, ramp(layout.size, dtype));
    run_on_quadratic(whole, 7);
    resumed.state = whole.state;
    run_on_quadratic(whole, 7);
    run_on_quadratic(resumed, 7);
    EXPECT_TRUE(identical(whole.state.parameters, resumed.state.parameters));
    for (std::size_t i = 0; i < whole.state.slots.size(); ++i) {
      EXPECT_TRUE(identical(whole.state.slots[i].second, resumed.state.slots[i].second)) << whole.state.slots[i].first;
    }
  }
}

TEST_P(EveryOptimizer, GivesTheSameBitsWithEveryPassOff) {
  const Layout layout = mixed_layout(f32);
  const Passes off{false, false, false, false};
  Stepper planned(make(0.01), layout, ramp(layout.size, f32)), plain(make(0.01), layout, ramp(layout.size, f32), off);
  run_on_quadratic(planned, 7);
  run_on_quadratic(plain, 7);
  EXPECT_TRUE(identical(planned.state.parameters, plain.state.parameters));
}

TEST_P(EveryOptimizer, StaysFiniteAfterAGradientWhoseSquareOverflows) {
  const Layout layout = layout_of({{"weight", {3, 2}}, {"bias", {3}}}, f32);
  Stepper stepper(row().make(options_of(row(), 0.1)), layout, ramp(9, f32));
  Tensor good = full({9}, 0.5, f32), large = full({9}, 1e30, f32);
  stepper.step(good);
  stepper.step(large);
  stepper.step(good);
  for (std::int64_t i = 0; i < 9; ++i) EXPECT_TRUE(std::isfinite(stepper.x(i))) << i << ": " << stepper.x(i);
}

TEST_P(EveryOptimizer, AllocatesNothingInAStep) {
  const Layout layout = mixed_layout(f32);
  Stepper stepper(make(0.01), layout, ramp(layout.size, f32));
  Tensor g = quadratic_gradient(stepper.state.parameters);
  stepper.step(g);
  const long before = allocations();
  for (int i = 0; i < 10; ++i) stepper.step(g);
  EXPECT_EQ(allocations(), before);
}

/// The number of instructions that process all elements.
int passes_of(const Program& program, std::int64_t bytes) {
  std::istringstream lines(program.explain());
  int passes = 0;
  std::int64_t number, moved;
  std::string unit, rest;
  while (lines >> number >> moved >> unit && unit == "B" && std::getline(lines, rest)) passes += moved >= bytes;
  return passes;
}

TEST_P(EveryOptimizer, TakesAsManyPassesAsItsRowSays) {
  if (row().passes == 0) GTEST_SKIP() << "depends on the shapes of the parameters";
  for (DType dtype : {f32, f64}) {
    const Stepper stepper(row().make(wraps(row()) ? OptionMap{} : OptionMap{{"lr", {0.1}}}), one_vector(1000, dtype),
                          ramp(1000, dtype));
    EXPECT_EQ(passes_of(*stepper.update().program, 1000 * static_cast<std::int64_t>(size_of(dtype))), row().passes)
        << stepper.update().program->explain();
  }
}

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const OptimizerRow& row : optimizers()) {
    // methods_test.cpp tests those that own their steps, engine/guide_test.cpp those that need more than gradients
    const bool curved = row.needs.back() != Need::gradient;
    if (!row.owns_steps && !curved) all.push_back(row.name);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryOptimizer, ::testing::ValuesIn(names()),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace thalweg
