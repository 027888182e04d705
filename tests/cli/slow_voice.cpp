// A training of an hour: a recogniser transcribes sentences outside the training data, spoken by the voice of the
// examples.

#include "command.hpp"
#include "data/sound.hpp"

namespace thalweg::testing {
namespace {

class SlowVoice : public CommandTest {};

TEST_F(SlowVoice, ARecogniserTranscribesSpokenSentencesOutsideTheTrainingData) {
  if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  for (const char* table : {"speech/voice_test.csv", "speech/sentences_test.csv"})
    ASSERT_TRUE(std::filesystem::exists(real_table(table))) << "./dev data voice speech_sentences makes it";
  const std::string examples = std::string(source_folder()) + "/examples/";
  for (const std::string name : {"speech_sentences", "voice"}) {  // the recogniser first
    const Ran trained = run("train " + examples + name + ".toml --quiet --threads 2 --out runs/" + name);
    ASSERT_EQ(trained.code, 0) << trained.err;
  }
  const Ran measured = run("evaluate runs/voice --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  EXPECT_LE(measured.json().at("character error rate").get<double>(), 0.2) << measured.out;
}

}  // namespace
}  // namespace thalweg::testing
