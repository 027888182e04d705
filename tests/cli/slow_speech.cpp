// A training of minutes: the speech recogniser of the examples reaches the results that docs/systems.md gives.

#include "command.hpp"
#include "data/sound.hpp"

namespace thalweg::testing {
namespace {

class SlowSpeech : public CommandTest {};

TEST_F(SlowSpeech, TranscribesDigitsOutsideTheTrainingData) {
  if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  const std::string example = std::string(source_folder()) + "/examples/speech.toml";
  ASSERT_TRUE(std::filesystem::exists(real_table("speech/digits_test.csv"))) << "./dev data speech makes it";
  const Ran trained = run("train " + example + " --quiet --threads 2 --out speech");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json figures = run("evaluate speech --json").json();
  for (const char* voice : {"espeak en-us", "espeak en-us+f2", "espeak en-gb", "flite kal16", "flite slt", "flite awb"})
    EXPECT_LE(figures.at(std::string("character error rate of ") + voice).get<double>(), 0.02) << voice;
  EXPECT_LE(figures.at("character error rate").get<double>(), 0.05);  // two of the voices are not in the training data
}

}  // namespace
}  // namespace thalweg::testing
