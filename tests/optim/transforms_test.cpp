// Transforms of gradients, parameter groups, averages of parameters, and projections.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <tuple>

#include "optim/stepper.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

using namespace thalweg::testing;

constexpr double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

/// The direction that a transform makes of one gradient: what a step with lr 1 subtracts from the parameters x.
std::vector<double> direction(Transform transform, const Layout& layout, std::vector<double> g,
                              std::vector<double> x = {}) {
  x.resize(g.size());
  Stepper stepper(optim::chain(std::move(transform), optim::scale_by_lr(1)), layout, Tensor::from(x, {layout.size}));
  Tensor gradient = Tensor::from(g, {layout.size});
  stepper.step(gradient);
  std::vector<double> result;
  for (std::size_t i = 0; i < x.size(); ++i) result.push_back(x[i] - stepper.x(static_cast<std::int64_t>(i)));
  return result;
}

void expect_near(const std::vector<double>& ours, const std::vector<double>& wanted, double tolerance = 1e-14) {
  ASSERT_EQ(ours.size(), wanted.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], wanted[i], tolerance) << i;
}

/// A matrix (2, 2) and a vector (2), which has no weight decay.
Layout matrix_and_bias() { return layout_of({{"weight", {2, 2}}, {"bias", {2}, 0, false, false, false}}); }

TEST(Clipping, ByValueByNormAndByTheNormOfEachParameter) {
  expect_near(direction(optim::clip_value(2), one_vector(4), {1, -5, 3, 0}), {1, -2, 2, 0});
  expect_near(direction(optim::clip_norm(1), one_vector(2), {3, 4}), {3 / (5 + 1e-6), 4 / (5 + 1e-6)});
  expect_near(direction(optim::clip_norm(6), one_vector(2), {3, 4}), {3, 4});
  const double four = 4 + 1e-6;
  expect_near(direction(optim::clip_parameter_norm(1), matrix_and_bias(), {2, 2, 2, 2, 0.3, 0.4}),
              {2 / four, 2 / four, 2 / four, 2 / four, 0.3, 0.4});
}

TEST(Clipping, AfterAnotherTransformUsesTheNormOfItsDirection) {
  Stepper stepper(optim::chain(optim::scale(2), optim::clip_norm(1), optim::scale_by_lr(1)), matrix_and_bias(),
                  zeros({6}, f64));
  Tensor g = Tensor::of({1.5, 0.0, 0.0, 0.0, 2.0, 0.0});
  stepper.step(g);
  EXPECT_NEAR(stepper.x(0), -3 / (5 + 1e-6), 1e-15);
  EXPECT_NEAR(stepper.x(4), -4 / (5 + 1e-6), 1e-15);
}

TEST(Clipping, AfterAnotherTransformHoldsForGradientsWhoseSquaresOverflow) {
  for (const auto& [dtype, unit] : {std::pair{f32, 0x1p100}, std::pair{f64, 0x1p1000}}) {
    Stepper stepper(optim::chain(optim::scale(2), optim::clip_norm(1), optim::scale_by_lr(1)), one_vector(2, dtype),
                    zeros({2}, f64));
    Tensor g = Tensor::of({3 * unit, 4 * unit}).to(dtype);
    stepper.step(g);
    EXPECT_NEAR(stepper.x(0), -0.6, 1e-6) << unit;
    EXPECT_NEAR(stepper.x(1), -0.8, 1e-6) << unit;
  }
}

TEST(Clipping, AdaptivelyByTheNormOfEachOutputUnit) {
  // the columns of the weight are (3, 4) and (0, 0); the bias has norm 5
  const std::vector<double> x = {3, 0, 4, 0, 3, 4}, g = {6, 1, 8, 0, 0.01, 0};
  expect_near(direction(optim::adaptive_clip(0.1, 1e-3), matrix_and_bias(), g, x), {0.3, 1e-4, 0.4, 0, 0.01, 0}, 1e-12);
}

TEST(Transforms, CentralizationTakesTheMeanOverInputsOfEachOutputUnit) {
  expect_near(direction(optim::centralize(), matrix_and_bias(), {1, 5, 3, 9, 1, 2}), {-1, -2, 1, 2, 1, 2});
}

TEST(Transforms, AdjacentParametersAreOnePassUnlessARuleTreatsThemDifferently) {
  const auto instructions = [](const Optimizer& optimizer) {
    return make_update(optimizer, matrix_and_bias()).program->instructions();
  };
  EXPECT_EQ(instructions(optim::sgd({.lr = 0.1})), 1U);
  EXPECT_EQ(instructions(optim::sgd({.lr = 0.1, .weight_decay = 0.1})), 2U);
  EXPECT_EQ(instructions(optim::adam()) + 1, instructions(optim::adamw({.weight_decay = 0.1})));
}

TEST(Transforms, PenaltiesLeaveOutParametersWithoutDecay) {
  const std::vector<double> x = {2, -2, 0, 1, 1, 1}, none(6, 0);
  expect_near(direction(optim::add_decayed_weights(0.1), matrix_and_bias(), none, x), {0.2, -0.2, 0, 0.1, 0, 0});
  expect_near(direction(optim::add_l1(0.1), matrix_and_bias(), none, x), {0.1, -0.1, 0, 0.1, 0, 0});
  expect_near(direction(optim::add_elastic_net(0.1, 0.5), matrix_and_bias(), none, x), {1.1, -1.1, 0, 0.6, 0, 0});
}

/// Mean and variance of the noise of one step on many elements.
std::pair<double, double> moments(std::int64_t step, double eta, double gamma, std::int64_t size = 40'000) {
  Stepper stepper(optim::chain(optim::add_noise(eta, gamma), optim::scale_by_lr(1)), one_vector(size), zeros({size}));
  Tensor g = zeros({size}, f64);
  stepper.state.step = step - 1;
  stepper.step(g);
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < size; ++i) sum += stepper.x(i), squares += stepper.x(i) * stepper.x(i);
  return {sum / static_cast<double>(size), squares / static_cast<double>(size)};
}

TEST(Noise, HasTheVarianceOfThePaper) {
  for (const auto& [step, eta, gamma] :
       {std::tuple(1, 0.3, 0.55), std::tuple(100, 0.3, 0.55), std::tuple(9, 1.0, 0.5)}) {
    const double wanted = eta / std::pow(step, gamma);
    const auto [mean, variance] = moments(step, eta, gamma);
    EXPECT_NEAR(mean, 0, 4 * std::sqrt(wanted / 40'000));
    EXPECT_NEAR(variance, wanted, 4 * wanted * std::sqrt(2.0 / 40'000));
  }
}

TEST(Noise, DependsOnlyOnSeedStepAndPlace) {
  const auto walk = [](std::uint64_t seed, int steps) {
    Stepper stepper(optim::sgd({.lr = 1, .noise = 0.1}), matrix_and_bias(), zeros({6}));
    stepper.state.seed = seed;
    Tensor g = zeros({6}, f64);
    for (int i = 0; i < steps; ++i) stepper.step(g);
    std::vector<double> x;
    for (std::int64_t i = 0; i < 6; ++i) x.push_back(stepper.x(i));
    return x;
  };
  EXPECT_EQ(walk(1, 3), walk(1, 3));
  EXPECT_NE(walk(1, 3), walk(2, 3));
  std::vector<double> one = walk(1, 1), two = walk(1, 2);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NE(two[i], 2 * one[i]) << "two steps have the same noise";
  std::ranges::sort(one);
  EXPECT_EQ(std::ranges::adjacent_find(one), one.end()) << "two elements have the same noise";
}

TEST(Noise, IsAddedAfterClippingAndBeforeTheMethod) {
  const Layout layout = one_vector(8);
  Stepper ours(optim::adam({.lr = 0.1, .clip_norm = 1, .noise = 0.2}), layout, SmoothProblem::start());
  Stepper chained(optim::chain(optim::clip_norm(1), optim::add_noise(0.2), optim::scale_by_adam(0.9, 0.999, 1e-8),
                               optim::scale_by_lr(0.1)),
                  layout, SmoothProblem::start());
  run_on_smooth_problem(ours, 10);
  run_on_smooth_problem(chained, 10);
  EXPECT_TRUE(identical(ours.state.parameters, chained.state.parameters));
}

TEST(Transforms, ASkippedStepDoesNotCount) {
  // Adam's bias correction uses the number of steps that were taken, so a skipped step must not count
  const Optimizer adam = optim::adam({.lr = 0.1});
  Stepper skipping(optim::prepend(optim::skip_nonfinite(), adam), one_vector(8), SmoothProblem::start());
  Stepper plain(adam, one_vector(8), SmoothProblem::start());
  run_on_smooth_problem(plain, 6);
  run_on_smooth_problem(skipping, 1);
  for (int i = 0; i < 3; ++i) {
    Tensor broken = full({8}, nan, f64);
    skipping.step(broken);
  }
  run_on_smooth_problem(skipping, 5);
  EXPECT_TRUE(identical(skipping.state.parameters, plain.state.parameters));
}

TEST(Transforms, NonFiniteElementsBecomeZero) {
  expect_near(direction(optim::zero_nonfinite(), one_vector(4), {nan, 1, -infinity, 2}), {0, 1, 0, 2});
}

TEST(Transforms, ANonFiniteStepChangesNeitherParametersNorSlots) {
  const Optimizer optimizer = optim::prepend(optim::skip_nonfinite(), optim::nadam({.lr = 0.1, .weight_decay = 0.1}));
  Stepper stepper(optimizer, one_vector(2), ones({2}, f64));
  Tensor good = Tensor::of({1.0, 2.0}), bad = Tensor::of({1.0, nan});
  stepper.step(good);
  const State before = stepper.state;
  stepper.step(bad);
  EXPECT_TRUE(identical(stepper.state.parameters, before.parameters));
  for (std::size_t i = 0; i < before.slots.size(); ++i) {
    if (before.slots[i].first == "skipped") continue;  // counts the skipped steps
    EXPECT_TRUE(identical(stepper.state.slots[i].second, before.slots[i].second)) << before.slots[i].first;
  }
  stepper.step(good);
  EXPECT_LT(stepper.x(1), before.parameters.at(1));
}

TEST(Transforms, TwoWithTheSameNameAreRefused) {
  const Optimizer twice =
      optim::chain(optim::scale_by_momentum(0.9), optim::scale_by_momentum(0.5), optim::scale_by_lr(1));
  EXPECT_THROW((void)make_update(twice, one_vector(2)), UsageError);
}

TEST(Transforms, ASlotThatIsNotDeclaredIsRefused) {
  const Optimizer wrong = optim::chain(Transform{.rule = [](Update& u) { return u["m"]; }});
  EXPECT_THROW((void)make_update(wrong, one_vector(2)), UsageError);
}

// Tests of projections.

std::vector<double> projected(Transform projection, const Layout& layout, const std::vector<double>& x) {
  Stepper stepper(optim::append(optim::sgd({.lr = 1}), std::move(projection)), layout, Tensor::from(x, {layout.size}));
  Tensor none = zeros({layout.size}, layout.dtype);
  stepper.step(none);
  std::vector<double> result;
  for (std::int64_t i = 0; i < layout.size; ++i) result.push_back(stepper.x(i));
  return result;
}

TEST(Projection, OntoABoxNonNegativeNumbersAndABall) {
  expect_near(projected(optim::project_box(-1, 2), one_vector(4), {-3, 0.5, 2, 7}), {-1, 0.5, 2, 2});
  expect_near(projected(optim::project_nonnegative(), one_vector(3), {-3, 0, 7}), {0, 0, 7});
  expect_near(projected(optim::project_ball(1), matrix_and_bias(), {3, 0, 0, 0, 4, 0}), {0.6, 0, 0, 0, 0.8, 0});
  expect_near(projected(optim::project_ball(9), one_vector(2), {3, 4}), {3, 4});
  EXPECT_THROW((void)optim::project_box(1, 0), UsageError);
}

TEST(Projection, OntoABallOfParametersWhoseSquaresOverflowOrVanish) {
  for (const double unit : {1e30, 1e-30})
    expect_near(projected(optim::project_ball(unit), one_vector(2, f32), {3 * unit, 4 * unit}),
                {0.6 * unit, 0.8 * unit}, 1e-6 * unit);
  expect_near(projected(optim::project_ball(1), one_vector(2), {3e200, 4e200}), {0.6, 0.8});
}

/// The projection onto the simplex by sorting (Held, Wolfe and Crowder 1974).
std::vector<double> on_simplex(std::vector<double> x, double total) {
  std::vector<double> sorted = x;
  std::ranges::sort(sorted, std::greater{});
  double sum = 0, tau = 0;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const double candidate = (sum - total) / static_cast<double>(k + 1);
    if (sorted[k] > candidate) tau = candidate;
  }
  for (double& each : x) each = std::max(each - tau, 0.0);
  return x;
}

TEST(Projection, OfEachRowOntoTheSimplex) {
  const Layout rows = layout_of({{"rows", {3, 40}}});
  std::vector<double> x;
  for (int i = 0; i < 120; ++i) x.push_back((i < 40 ? 1 : i < 80 ? 100 : 1e-3) * std::sin(1.7 * i * i));
  std::vector<double> wanted;
  for (int row = 0; row < 3; ++row) {
    const auto part = on_simplex({x.begin() + 40 * row, x.begin() + 40 * (row + 1)}, 2.5);
    wanted.insert(wanted.end(), part.begin(), part.end());
  }
  expect_near(projected(optim::project_simplex(2.5), rows, x), wanted, 1e-12);
}

TEST(Projection, OntoTheSimplexFromElementsBesideWhichItsTotalIsLost) {
  for (const std::vector<double>& x : {std::vector<double>{3e7, 1, 2}, {1e8, 0, -1}, {3e38, -3e38, 2}})
    EXPECT_EQ(projected(optim::project_simplex(1), one_vector(3, f32), x), (std::vector<double>{1, 0, 0})) << x[0];
  EXPECT_EQ(projected(optim::project_simplex(1), one_vector(3), {1e30, 0, -1e30}), (std::vector<double>{1, 0, 0}));
  EXPECT_EQ(projected(optim::project_simplex(1), one_vector(2, f32), {1e8, 1e8}), (std::vector<double>{0.5, 0.5}));
}

// Tests of averages: a constant gradient of -1 makes the parameters 1, 2, 3, ...

std::vector<double> evaluated_after_each_step(Transform average, int steps) {
  Stepper stepper(optim::append(optim::sgd({.lr = 1}), std::move(average)), one_vector(1), zeros({1}, f64));
  std::vector<double> result = {stepper.evaluated().at(0)};
  Tensor g = Tensor::of({-1.0});
  for (int i = 1; i <= steps; ++i) {
    stepper.step(g);
    EXPECT_EQ(stepper.x(0), i);
    result.push_back(stepper.evaluated().at(0));
  }
  return result;
}

TEST(Average, ExponentialFromTheValuesAtTheStart) {
  expect_near(evaluated_after_each_step(optim::average_exponential(0.5), 3), {0, 0.5, 1.25, 2.125});
}

TEST(Average, MeanOfAllValuesAndOfEverySecondFromAStepOn) {
  expect_near(evaluated_after_each_step(optim::average_mean(), 4), {0, 1, 1.5, 2, 2.5});
  expect_near(evaluated_after_each_step(optim::average_mean(3, 2), 7), {0, 1, 2, 3, 3, 4, 4, 5});
  EXPECT_THROW((void)optim::average_mean(1, 0), UsageError);
}

// Tests of parameter groups.

Layout named_layout() { return layout_of({{"encoder/w", {2}}, {"encoder/b", {2}}, {"head/w", {2}}, {"head/b", {2}}}); }

State after_one_step(Optimizer optimizer, std::vector<ParameterGroup> groups) {
  optimizer.groups = std::move(groups);
  Stepper stepper(optimizer, named_layout(), ones({8}, f64));
  Tensor g = full({8}, 0.5, f64);
  stepper.step(g);
  return stepper.state;
}

TEST(Groups, HaveTheirOwnRateFactorAndOptionsAndMayBeFrozen) {
  const State state = after_one_step(optim::sgd({.lr = 0.1}), {{.pattern = "head/w", .lr_factor = 3},
                                                               {.pattern = "*/b", .scalars = {{"weight_decay", 0.2}}}});
  EXPECT_NEAR(state.parameters.at(0), 1 - 0.1 * 0.5, 1e-15);
  EXPECT_NEAR(state.parameters.at(2), 1 - 0.1 * 0.7, 1e-15);
  EXPECT_NEAR(state.parameters.at(4), 1 - 0.3 * 0.5, 1e-15);
  EXPECT_NEAR(state.parameters.at(6), 1 - 0.1 * 0.7, 1e-15);
  const State frozen = after_one_step(optim::sgd({.lr = 0.1}), {{.pattern = "encoder/?", .frozen = true}});
  EXPECT_EQ(frozen.parameters.at(0), 1);
  EXPECT_EQ(frozen.parameters.at(3), 1);
  EXPECT_LT(frozen.parameters.at(4), 1);
}

TEST(Groups, MayHaveAnotherMethodWithSlotsOnlyForTheirElements) {
  const Optimizer base = optim::sgd({.lr = 0.1});
  const ParameterGroup head = make_group({{"pattern", {std::string("head/*")}},
                                          {"lr_factor", {2.0}},
                                          {"optimizer", {OptionMap{{"kind", {std::string("lion")}}, {"lr", {0.01}}}}}},
                                         base);
  const State state = after_one_step(base, {head});
  EXPECT_NEAR(state.parameters.at(0), 1 - 0.1 * 0.5, 1e-15);
  EXPECT_NEAR(state.parameters.at(5), 1 - 0.02, 1e-15);
  ASSERT_EQ(state.slots.size(), 1u);
  EXPECT_EQ(state.slots[0].first, "lion[head/*].m");
  EXPECT_EQ(state.slots[0].second.size(), 4);
}

TEST(Groups, APatternThatMatchesNothingIsRefused) {
  EXPECT_THROW((void)after_one_step(optim::sgd({.lr = 0.1}), {{.pattern = "haed/*"}}), UsageError);
}

TEST(Groups, PatternsMayHaveStarsAndQuestionMarks) {
  EXPECT_TRUE(matches("*", "a/b"));
  EXPECT_TRUE(matches("a/*/c", "a/b/b/c"));
  EXPECT_TRUE(matches("a?c*", "abc"));
  EXPECT_FALSE(matches("a?c", "ac"));
  EXPECT_FALSE(matches("*b", "abc"));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Transforms, InvalidNumbersAreRefused) {
  for (const double wrong : {-1.0, 0.0, nan}) {
    EXPECT_THROW((void)optim::clip_value(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::clip_norm(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::clip_parameter_norm(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::adaptive_clip(wrong), UsageError) << wrong;
  }
  for (const double wrong : {-1.0, nan}) {
    EXPECT_THROW((void)optim::add_noise(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::add_decayed_weights(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::add_l1(wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::add_elastic_net(0, wrong), UsageError) << wrong;
    EXPECT_THROW((void)optim::average_exponential(wrong), UsageError) << wrong;
  }
}

}  // namespace
}  // namespace thalweg
