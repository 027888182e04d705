// Verdicts of the command compared with the truth about each run, which longer runs and other rates have shown.

#include <filesystem>

#include "command.hpp"
#include "places.hpp"

namespace thalweg::testing {
namespace {

class SlowVerdict : public CommandTest {};

TEST_F(SlowVerdict, IsRightForAtLeastThirtySevenOfFortyHeldOutRuns) {
  if (!std::filesystem::exists(real_table("houses.csv"))) GTEST_SKIP() << "./dev data fetches the tables";
  const std::string study = source_folder() + "/tests/verdicts/study.py";
  const Ran ran = shell("python3 " + study + " judge --thalweg " + command() + " --data sepals crime blobs ripple");
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;
}

TEST_F(SlowVerdict, TheEvidenceMentionsThatTheScheduleOfFashionMnistHasEnded) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) GTEST_SKIP() << "./dev data fetches it";
  const Ran ran = run("train " + source_folder() + "/examples/fashion.toml --quiet --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto verdict = ran.json()["verdict"];
  EXPECT_LT(verdict["evidence"]["final_rate"].get<double>(), 0.01) << verdict;
}

}  // namespace
}  // namespace thalweg::testing
