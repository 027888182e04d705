// Trainings of minutes: the examples of docs/systems.md tune a policy of reviews on preferences, with and without a
// reward.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowPreferences : public CommandTest {
 protected:
  [[nodiscard]] nlohmann::json measured(const std::string& name) const {
    const std::string examples = std::string(source_folder()) + "/examples/";
    const Ran trained = run("train " + examples + name + ".toml --quiet --threads 2 --out runs/" + name);
    EXPECT_EQ(trained.code, 0) << trained.err;
    return run("evaluate runs/" + name + " --json").json();
  }
};

TEST_F(SlowPreferences, PoliciesGainRewardAtTheDocumentedDivergence) {
  ASSERT_TRUE(std::filesystem::exists(real_table("preferences_test.csv"))) << "./dev data reviews fetches it";
  (void)measured("reviews");
  const nlohmann::json reward = measured("reward");
  const double linear = reward.at("baselines").at("bag of words").at("ordered right");
  EXPECT_GE(linear, 0.80) << reward;
  EXPECT_GE(reward.at("ordered right").get<double>(), linear) << reward;
  for (const char* name : {"dpo", "ppo_text"}) {
    const nlohmann::json tuned = measured(name), before = tuned.at("baselines").at("before");
    EXPECT_GT(tuned.at("reward").get<double>(), before.at("reward").get<double>() + 1.5) << tuned;
    EXPECT_LT(tuned.at("divergence").get<double>(), 12) << tuned;
  }
}

}  // namespace
}  // namespace thalweg::testing
