// What the command says of the example that everybody tries first.

#include "command.hpp"
#include "places.hpp"

#include <filesystem>

namespace thalweg::testing {
namespace {

class SlowVerdict : public CommandTest {};

TEST_F(SlowVerdict, TheScheduleOfFashionMnistHasEndedAndSoHasTheFall) {
  if (!std::filesystem::exists("/usr/share/datasets/fashion-mnist")) GTEST_SKIP() << "./dev data fetches it";
  const Ran ran = run("train " + source_folder() + "/examples/fashion.toml --quiet --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto verdict = ran.json()["verdict"];
  EXPECT_EQ(verdict["kind"], "converged") << verdict;
  EXPECT_LT(verdict["evidence"]["final_rate"].get<double>(), 0.01);
}

}  // namespace
}  // namespace thalweg::testing
