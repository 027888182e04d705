// A training of minutes: the example of docs/systems.md pronounces words whose stems were not in the training data.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowSequences : public CommandTest {};

TEST_F(SlowSequences, WordsOfUnseenStemsArePronounced) {
  const std::string examples = std::string(source_folder()) + "/examples/";
  ASSERT_TRUE(std::filesystem::exists(real_table("g2p_test.csv"))) << "./dev data g2p fetches it";
  const Ran trained = run("train " + examples + "g2p.toml --quiet --threads 2 --out runs/g2p");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json learned = run("evaluate runs/g2p --json").json();
  EXPECT_LE(learned.at("token error rate").get<double>(), 0.10) << learned;
  EXPECT_GE(learned.at("exact match").get<double>(), 0.60) << learned;
}

}  // namespace
}  // namespace thalweg::testing
