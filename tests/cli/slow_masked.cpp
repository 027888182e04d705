// Trainings of minutes: the masked language model of the examples finds more hidden words than counts of their
// neighbours do, and a classifier of sentences that starts from it is better than the same net from random parameters.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowMasked : public CommandTest {};

TEST_F(SlowMasked, BeatsCountsOfNeighboursAndImprovesAClassifier) {
  for (const char* name : {"documents_train.txt", "sentiment_train.csv"})
    ASSERT_TRUE(std::filesystem::exists(real_table(name))) << "./dev data embeddings sentiment fetches it";
  const std::string examples = std::string(source_folder()) + "/examples/";
  const Ran masked = run("train " + examples + "masked.toml --quiet --threads 2 --out runs/masked");
  ASSERT_EQ(masked.code, 0) << masked.err;
  const nlohmann::json words = run("evaluate runs/masked --json").json(),
                       counts = words.at("baselines").at("neighbour counts");
  EXPECT_GE(words.at("accuracy").get<double>(), counts.at("accuracy").get<double>() + 0.03);
  EXPECT_LT(words.at("cross-entropy").get<double>(), counts.at("cross-entropy").get<double>());

  const Ran tuned = run("train " + examples + "sentiment.toml --quiet --threads 2 --out runs/sentiment");
  ASSERT_EQ(tuned.code, 0) << tuned.err;
  const nlohmann::json classes = run("evaluate runs/sentiment --json").json(), &beside = classes.at("baselines");
  EXPECT_GE(classes.at("accuracy").get<double>(),
            beside.at("the same net untrained").at("accuracy").get<double>() + 0.03);
  EXPECT_GT(beside.at("TF-IDF logistic").at("accuracy").get<double>(), 0.7);
}

}  // namespace
}  // namespace thalweg::testing
