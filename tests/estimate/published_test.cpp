#include "estimate/published.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "estimate/layout.hpp"

namespace thalweg::estimate {
namespace {

TEST(Published, EveryEstimateIsWithinFivePercent) {
  for (const PublishedRow& row : published_rows()) {
    EXPECT_LT(std::abs(row.difference()), 0.05) << row.what << ": " << row.computed << " " << row.unit;
    EXPECT_FALSE(row.source.empty());
  }
}

TEST(Published, AtLeastAsManyRowsAreCheckedAsAreFitted) {
  int fitted = 0, checked = 0;
  std::set<std::string> names;
  for (const PublishedRow& row : published_rows()) {
    fitted += row.evidence == Evidence::fitted;
    checked += row.evidence == Evidence::checked;
    EXPECT_TRUE(names.insert(row.what).second) << row.what;
  }
  EXPECT_GE(checked, fitted);
}

TEST(Published, MegatronsActivationsAreExact) {
  int found = 0;
  for (const PublishedRow& row : published_rows()) {
    if (row.what.find("activations") == std::string::npos) continue;
    EXPECT_NEAR(row.computed, row.published, 0.005) << row.what;
    ++found;
  }
  EXPECT_EQ(found, 4);
}

TEST(Gpt, HasTheParametersOfGpt2) {
  EXPECT_EQ(Gpt{}.parameters(), 124'439'808);  // Radford et al. 2019: 124 M
}

TEST(Gpt, OperationsFollowMegatronsFormula) {
  const Gpt m{.layers = 96, .width = 12288, .heads = 96, .vocabulary = 51200, .sequence = 2048};
  const double h = 12288, l = 96, s = 2048, v = 51200, tokens = 64 * s;
  EXPECT_NEAR(m.model_operations(tokens) / (72 * tokens * l * h * h * (1 + s / (6 * h) + v / (12 * h * l))), 1, 1e-12);
}

TEST(Checkpoints, IntervalFollowsYoungAndDaly) {
  const CheckpointRhythm rhythm = best_rhythm(60, 3.09 * 3600);
  EXPECT_NEAR(rhythm.interval, std::sqrt(2 * 60 * 3.09 * 3600), 1e-9);
  EXPECT_NEAR(rhythm.lost, 0.104, 0.001);
}

TEST(Layouts, TheFastestOnesFitIntoMemory) {
  const Machine machine = machine_named("a100");
  const Work work{{.layers = 96, .width = 12288, .heads = 96, .vocabulary = 51200, .sequence = 2048}, 1536, mixed_adam};
  const auto found = fastest_layouts(work, 1024, machine);
  ASSERT_FALSE(found.empty());
  for (const Planned& p : found) {
    EXPECT_EQ(p.layout.ranks(), 1024);
    EXPECT_LE(p.memory.total(), usable_memory * machine.memory);
    EXPECT_GE(p.time.total(), found.front().time.total());
    EXPECT_LT(utilisation(work, 1024, p.time.total(), machine.half), machine.matrix_efficiency);
  }
}

TEST(Layouts, ThereIsNoneIfMemoryIsTooSmall) {
  const Work work{{.layers = 128, .width = 25600, .heads = 160, .vocabulary = 51200, .sequence = 2048}, 64, mixed_adam};
  EXPECT_TRUE(fastest_layouts(work, 64, machine_named("a100")).empty());
}

TEST(Machines, EveryRowHasANameASourceAndValidFields) {
  std::set<std::string> names;
  for (Machine machine : machines()) {
    EXPECT_TRUE(names.insert(machine.name).second) << machine.name;
    EXPECT_FALSE(machine.source.empty()) << machine.name;
    EXPECT_NO_THROW(check_fields(fields(machine), machine.name)) << machine.name;
  }
}

}  // namespace
}  // namespace thalweg::estimate
