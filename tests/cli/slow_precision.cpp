// A training of tens of minutes: the GPT of examples/gpt.toml with values stored in bf16 and in f32.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowPrecision : public CommandTest {};

TEST_F(SlowPrecision, AGptInBf16ReachesTheLossOfF32) {
  const std::string example = std::string(source_folder()) + "/examples/gpt.toml";
  ASSERT_TRUE(std::filesystem::exists(real_table("moby_dick.txt"))) << "./dev data fetches it";
  const auto loss = [&](const std::string& precision) {
    const std::string folder = "runs/" + precision;
    const Ran trained =
        run("train " + example + " --quiet --threads 2 --set train.precision=" + precision + " --out " + folder);
    EXPECT_EQ(trained.code, 0) << trained.err;
    return run("evaluate " + folder + " --json").json().at("loss").get<double>();
  };
  const double single = loss("f32"), bf16 = loss("bf16");
  EXPECT_LT(single, 1.45);  // it is 3.1 if only the frequency of each byte is known
  EXPECT_NE(bf16, single);
  EXPECT_NEAR(bf16, single, 0.01 * single);
}

}  // namespace
}  // namespace thalweg::testing
