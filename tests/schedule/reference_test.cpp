// Schedules against PyTorch's values: tests/reference/schedules.py.

#include <gtest/gtest.h>
#include <cmath>

#include "reference_file.hpp"
#include "thalweg/schedule.hpp"

namespace thalweg {
namespace {

using testing::options_of;

void expect_close(double ours, double theirs, const std::string& where) {
  EXPECT_NEAR(ours, theirs, 1e-12 * std::max(1.0, std::abs(theirs))) << where;
}

TEST(ScheduleReference, FactorsAndMomentaMatchPyTorch) {
  const auto cases = testing::reference("schedules")["schedules"];
  EXPECT_GE(cases.size(), 30u);
  for (const auto& entry : cases) {
    const Schedule schedule = make_schedule(entry["kind"].get<std::string>(), options_of(entry["options"]));
    const auto total = entry["total"].get<std::int64_t>();
    for (std::size_t step = 0; step < entry["factor"].size(); ++step) {
      const Progress progress{.step = static_cast<std::int64_t>(step), .total = total};
      const std::string where =
          entry["kind"].get<std::string>() + entry["options"].dump() + " step " + std::to_string(step);
      expect_close(schedule.factor(progress), entry["factor"][step].get<double>(), where);
      if (!entry.contains("momentum")) continue;
      ASSERT_TRUE(schedule.momentum(progress)) << where;
      expect_close(*schedule.momentum(progress), entry["momentum"][step].get<double>(), where);
    }
  }
}

TEST(ScheduleReference, PlateauStatesMatchPyTorch) {
  const nlohmann::json plateaus = testing::reference("schedules")["plateaus"];
  EXPECT_GE(plateaus.size(), 6u);
  for (const auto& entry : plateaus) {
    const Schedule schedule = make_schedule("reduce_on_plateau", options_of(entry["options"]));
    ASSERT_TRUE(schedule.plateau());
    PlateauState state;
    for (std::size_t check = 0; check < entry["values"].size(); ++check) {
      state = schedule.plateau()->observe(state, entry["values"][check].get<double>());
      const auto& theirs = entry["states"][check];
      const std::string where = entry["options"].dump() + " check " + std::to_string(check);
      // PyTorch does not apply a reduction of less than 1e-8
      EXPECT_NEAR(state.factor, theirs["factor"].get<double>(), 1.01e-8) << where;
      EXPECT_DOUBLE_EQ(*state.best, theirs["best"].get<double>()) << where;
      EXPECT_EQ(state.bad_checks, theirs["bad_checks"].get<std::int64_t>()) << where;
      EXPECT_EQ(state.cooldown, theirs["cooldown"].get<std::int64_t>()) << where;
      EXPECT_EQ(schedule.factor({.plateau = state.factor}), state.factor);
    }
  }
}

}  // namespace
}  // namespace thalweg
