#include "thalweg/schedule.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

constexpr std::int64_t total = 200;

/// The options that some rows require; all others need none.
OptionMap sample(std::string_view name) {
  if (name != "join") return {};
  const OptionMap linear{{"kind", {"linear"}}, {"start", {0.1}}, {"end", {1.0}}}, cosine{{"kind", {"cosine"}}};
  return {{"parts", {OptionList{{linear}, {cosine}}}}, {"lengths", {OptionList{{"20%"}}}}};
}

std::vector<double> factors(const Schedule& schedule, std::int64_t steps, std::int64_t of) {
  std::vector<double> values;
  for (std::int64_t step = 0; step < steps; ++step) values.push_back(schedule.factor({.step = step, .total = of}));
  return values;
}

void expect_all_near(const std::vector<double>& ours, const std::vector<double>& wanted, double tolerance = 1e-12) {
  ASSERT_EQ(ours.size(), wanted.size());
  for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_NEAR(ours[i], wanted[i], tolerance) << "step " << i;
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

class EveryRow : public ::testing::TestWithParam<std::string> {
 protected:
  const ScheduleRow& row() const { return *std::ranges::find(schedules(), GetParam(), &ScheduleRow::name); }
  bool has(std::string_view option) const {
    return std::ranges::find(row().options, option, &OptionDoc::name) != row().options.end();
  }
};

TEST_P(EveryRow, IsDocumented) {
  for (const auto text : {row().summary, row().formula, row().when, row().source}) EXPECT_FALSE(text.empty());
  EXPECT_TRUE(has("warmup"));
  for (const OptionDoc& option : row().options) EXPECT_FALSE(option.doc.empty()) << option.name;
}

TEST_P(EveryRow, IsFiniteAndNotNegativeForRunsOfAnyLength) {
  const Schedule schedule = row().make(sample(GetParam()));
  for (const std::int64_t run : {1, 2, 3, 10, 1000}) {
    for (std::int64_t step = 0; step < run + 5; ++step) {
      const double factor = schedule.factor({.step = step, .total = run, .steps_per_epoch = 7});
      EXPECT_TRUE(std::isfinite(factor) && factor >= 0) << "step " << step << " of " << run << ": " << factor;
    }
  }
}

TEST_P(EveryRow, IsAPureFunctionOfTheStep) {
  const Schedule schedule = row().make(sample(GetParam()));
  const auto forward = factors(schedule, total, total);
  for (std::int64_t step = total - 1; step >= 0; --step) {
    EXPECT_EQ(schedule.factor({.step = step, .total = total}), forward[static_cast<std::size_t>(step)]);
  }
}

TEST_P(EveryRow, HoldsAfterTheEnd) {
  const Schedule schedule = row().make(sample(GetParam()));
  const double last = schedule.factor({.step = total, .total = total});
  for (const std::int64_t step : {total + 1, total + 7, 10 * total}) {
    EXPECT_EQ(schedule.factor({.step = step, .total = total}), last);
  }
}

TEST_P(EveryRow, HoldsAfterALengthOfItsOwn) {
  if (!has("length")) return;  // its length is that of the run
  OptionMap options = sample(GetParam());
  options["length"] = {"25%"};
  options["warmup"] = {std::int64_t{0}};
  const Schedule schedule = row().make(options);
  const double last = schedule.factor({.step = total / 4, .total = total});
  for (std::int64_t step = total / 4; step < total; ++step)
    EXPECT_EQ(schedule.factor({.step = step, .total = total}), last);
}

TEST_P(EveryRow, WarmUpRisesLinearlyToTheStartOfTheSchedule) {
  if (!has("warmup_start")) return;  // its warm-up is part of its formula
  OptionMap plain = sample(GetParam());
  plain["warmup"] = {std::int64_t{0}};
  OptionMap warm = plain;
  warm["warmup"] = {"5%"};
  warm["warmup_start"] = {0.25};
  const Schedule inner = row().make(plain), schedule = row().make(warm);
  const double top = inner.factor({.step = 0, .total = total - 10});
  for (std::int64_t step = 0; step < 10; ++step) {
    EXPECT_NEAR(schedule.factor({.step = step, .total = total}), top * (0.25 + 0.075 * static_cast<double>(step)),
                1e-12);
  }
  for (std::int64_t step = 10; step < total; ++step) {
    EXPECT_EQ(schedule.factor({.step = step, .total = total}), inner.factor({.step = step - 10, .total = total - 10}));
  }
}

TEST_P(EveryRow, CanBeMadeAgainFromItsNameAndOptions) {
  OptionMap options = sample(GetParam());
  if (has("warmup_start")) options["warmup"] = {"3%"};
  const Schedule schedule = row().make(options), again = make_schedule(schedule.name(), schedule.options());
  EXPECT_EQ(schedule.name(), GetParam());
  EXPECT_EQ(factors(schedule, total, total), factors(again, total, total));
}

TEST_P(EveryRow, RefusesOptionsOutOfRange) {
  int refused = 0;
  for (const OptionDoc& option : row().options) {
    const bool number = option.initial.holds<double>();
    if (!number || option.wanted.empty()) continue;
    for (const double value : {-1.0, std::nan("")}) {
      OptionMap options = sample(GetParam());
      options[option.name] = {value};
      EXPECT_THROW((void)row().make(options), UsageError) << option.name << " = " << value;
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_THROW((void)row().make({{"warmup", {"soon"}}}), UsageError);
}

INSTANTIATE_TEST_SUITE_P(Schedules, EveryRow, ::testing::ValuesIn([] {
                           std::vector<std::string> names;
                           for (const ScheduleRow& row : schedules()) names.emplace_back(row.name);
                           return names;
                         }()),
                         [](const auto& test) { return test.param; });

TEST(Schedule, CosineHoldsAtTheEndWherePyTorchRises) {
  const Schedule schedule = schedule::cosine({.length = 4});
  expect_all_near(factors(schedule, 7, 100), {1, (1 + std::sqrt(0.5)) / 2, 0.5, (1 - std::sqrt(0.5)) / 2, 0, 0, 0});
}

TEST(Schedule, OneCycleEndsAtTheLastStepAndCyclesMomentum) {
  const Schedule schedule = schedule::one_cycle();
  expect_all_near(factors(schedule, 10, 10), {.04, .52, 1, .9505, .8117, .6113, .3887, .1883, .0495, 4e-6}, 5e-5);
  EXPECT_NEAR(*schedule.momentum({.step = 0, .total = 10}), 0.95, 1e-12);
  EXPECT_NEAR(*schedule.momentum({.step = 2, .total = 10}), 0.85, 1e-12);
  EXPECT_NEAR(*schedule.momentum({.step = 9, .total = 10}), 0.95, 1e-12);
  EXPECT_FALSE(schedule::one_cycle({.cycle_momentum = false}).momentum({}));
}

TEST(Schedule, OneCycleWithThreePhasesRefusesARiseOfMoreThanHalf) {
  EXPECT_THROW((void)schedule::one_cycle({.pct_start = 0.6, .three_phase = true}), UsageError);
  // a symmetric rise and fall, then the final descent: values after 0, 5 and 10 steps of a run of 21
  const Schedule schedule =
      schedule::one_cycle({.pct_start = 6.0 / 21, .start = 0.1, .end = 0.01, .three_phase = true});
  EXPECT_NEAR(schedule.factor({.step = 0, .total = 21}), 0.1, 1e-12);
  EXPECT_NEAR(schedule.factor({.step = 5, .total = 21}), 1, 1e-12);
  EXPECT_NEAR(schedule.factor({.step = 10, .total = 21}), 0.1, 1e-12);
  EXPECT_NEAR(schedule.factor({.step = 20, .total = 21}), 0.01, 1e-12);
  EXPECT_NEAR(*schedule.momentum({.step = 10, .total = 21}), 0.95, 1e-12);
  EXPECT_NEAR(*schedule.momentum({.step = 15, .total = 21}), 0.95, 1e-12);
}

TEST(Schedule, InverseTimeAndSquareRootFollowTheirFormula) {
  for (double t = 0; t < 30; ++t) {
    const Progress progress{.step = static_cast<std::int64_t>(t), .total = 100};
    EXPECT_DOUBLE_EQ(schedule::inverse_time({.timescale = 4}).factor(progress), 1 / (1 + t / 4));
    EXPECT_DOUBLE_EQ(schedule::inverse_square_root({.timescale = 4}).factor(progress), 1 / std::sqrt(1 + t / 4));
  }
}

TEST(Schedule, NoamFollowsThePaper) {
  for (double s = 1; s < 30; ++s) {
    const Progress progress{.step = static_cast<std::int64_t>(s) - 1, .total = 100};
    const double paper = std::pow(512, -0.5) * std::min(std::pow(s, -0.5), s * std::pow(10, -1.5));
    EXPECT_NEAR(schedule::noam({.warmup = 10, .width = 512}).factor(progress), paper, 1e-15);
  }
  EXPECT_DOUBLE_EQ(schedule::noam({.warmup = 10}).factor({.step = 9, .total = 100}), 1);
}

TEST(Schedule, WarmupStableDecayIsFlatThenFalls) {
  const auto line = factors(schedule::warmup_stable_decay({.decay = 4, .warmup = 2}), 11, 10);
  expect_all_near(line, {0, .5, 1, 1, 1, 1, 1, .75, .5, .25, 0});
  const auto root =
      factors(schedule::warmup_stable_decay({.decay = 4, .end = 0.2, .shape = "sqrt", .warmup = 0}), 11, 10);
  EXPECT_NEAR(root[7], 0.2 + 0.8 * (1 - std::sqrt(0.25)), 1e-12);
}

TEST(Schedule, StepsHoldTheValueOfTheLastStep) {
  EXPECT_DOUBLE_EQ(schedule::step({.period = 5}).factor({.step = 10, .total = 10}), 0.1);
  EXPECT_DOUBLE_EQ(schedule::cosine_restarts({.period = 5}).factor({.step = 10, .total = 10}),
                   (1 + std::cos(0.8 * M_PI)) / 2);
}

TEST(Schedule, RestartsFallOnTheirStepsForThousandsOfSteps) {
  const Schedule schedule = schedule::cosine_restarts({.period = 3, .factor = 2});
  std::int64_t restart = 0, period = 3;
  for (int k = 0; k < 18; ++k, restart += period, period *= 2) {
    EXPECT_DOUBLE_EQ(schedule.factor({.step = restart, .total = 1 << 30}), 1) << restart;
    if (k > 0) {
      EXPECT_LT(schedule.factor({.step = restart - 1, .total = 1 << 30}), 0.3) << restart;
    }
  }
}

TEST(Schedule, DurationsAreStepsEpochsOrPercent) {
  const Progress at{.step = 12, .total = 40, .steps_per_epoch = 6};
  const double value = schedule::step({.period = 12}).factor(at);
  EXPECT_DOUBLE_EQ(value, 0.1);
  EXPECT_EQ(schedule::step({.period = "2 epochs"}).factor(at), value);
  EXPECT_EQ(schedule::step({.period = "30%"}).factor(at), value);
}

TEST(Schedule, WarmUpJoinsAnySchedule) {
  const Schedule own("halving", {}, [](const Progress& p) { return std::exp2(-static_cast<double>(p.step)); });
  expect_all_near(factors(schedule::warmup(own, 2), 5, 10), {0, .5, 1, .5, .25});
  EXPECT_EQ(factors(schedule::warmup(schedule::cosine(), "5%", 0.1), total, total),
            factors(schedule::cosine({.warmup = "5%", .warmup_start = 0.1}), total, total));
  const Schedule cycle = schedule::one_cycle({.warmup = 10});
  EXPECT_NEAR(*cycle.momentum({.step = 3, .total = 100}), 0.95, 1e-12);
}

TEST(Schedule, ASecondWarmUpIsRefused) {
  const std::string message = message_of([] { (void)schedule::warmup(schedule::linear({.warmup = 5}), 3); });
  EXPECT_NE(message.find("[warmup] linear has a warm-up already: 5 steps"), std::string::npos) << message;
}

TEST(Schedule, AWarmUpLongerThanTheRunNeverEnds) {
  expect_all_near(factors(schedule::cosine({.warmup = 8}), 4, 4), {0, .125, .25, .375});
  expect_all_near(factors(schedule::one_cycle({.warmup = 8}), 4, 4), {0, .125, .25, .375});
  EXPECT_NEAR(*schedule::one_cycle({.warmup = 8}).momentum({.step = 3, .total = 4}), 0.85, 1e-12);
}

TEST(Schedule, JoinRunsEachPartAsIfItWereTheRun) {
  const Schedule joined = schedule::join({{schedule::linear({.start = 0, .end = 1}), 4}, {schedule::cosine()}});
  expect_all_near(factors(joined, 9, 8),
                  {0, .25, .5, .75, 1, (1 + std::sqrt(0.5)) / 2, .5, (1 - std::sqrt(0.5)) / 2, 0});
}

TEST(Schedule, JoinKeepsMomentumWhereEveryPartSetsItAndThePlateauRule) {
  EXPECT_TRUE(schedule::join({{schedule::one_cycle(), 5}, {schedule::one_cycle()}}).momentum({.total = 10}));
  EXPECT_FALSE(schedule::join({{schedule::one_cycle(), 5}, {schedule::cosine()}}).momentum({.total = 10}));
  const Schedule watching = schedule::join({{schedule::constant(), 5}, {schedule::reduce_on_plateau({.patience = 3})}});
  ASSERT_TRUE(watching.plateau());
  EXPECT_EQ(watching.plateau()->patience, 3);
  EXPECT_EQ(watching.factor({.step = 2, .total = 10, .plateau = 0.1}), 1);
  EXPECT_EQ(watching.factor({.step = 7, .total = 10, .plateau = 0.1}), 0.1);
}

TEST(Schedule, JoinNamesWhatIsMissing) {
  EXPECT_THROW((void)schedule::join({}), UsageError);
  EXPECT_THROW((void)schedule::join({{schedule::linear()}, {schedule::cosine()}}), UsageError);
  const OptionMap part{{"kind", {"cosin"}}};
  const std::string message = message_of([&] { (void)make_schedule("join", {{"parts", {OptionList{{part}}}}}); });
  EXPECT_NE(message.find("did you mean 'cosine'"), std::string::npos) << message;
  EXPECT_THROW((void)make_schedule("join", {{"parts", {OptionList{{OptionMap{}}}}}}), UsageError);
}

TEST(Schedule, UnknownNamesAndOptionsNameTheNearest) {
  EXPECT_NE(message_of([] { (void)make_schedule("one_cycel"); }).find("did you mean 'one_cycle'"), std::string::npos);
  EXPECT_NE(message_of([] {
              (void)make_schedule("cosine", {{"ned", {0.1}}});
            }).find("did you mean 'end'"),
            std::string::npos);
  EXPECT_EQ(message_of([] { (void)schedule::step({.period = 0}); }), "[step] period = 0. Wanted: > 0");
}

TEST(Schedule, ForPlateauNanCountsAsNoImprovement) {
  const PlateauRule rule{.patience = 1};
  PlateauState state = rule.observe({}, std::nan(""));
  EXPECT_FALSE(state.best);
  EXPECT_EQ(state.bad_checks, 1);
  state = rule.observe(state, 3.0);
  EXPECT_EQ(state, (PlateauState{.best = 3.0}));
}

}  // namespace
}  // namespace thalweg
