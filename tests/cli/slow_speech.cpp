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

TEST_F(SlowSpeech, SentencesNeverHeardAreReadWithATenthOfTheLettersWrongAtMost) {
  if (!data::reads_sounds()) GTEST_SKIP() << "built without libsndfile";
  const std::string example = std::string(source_folder()) + "/examples/speech_sentences.toml";
  ASSERT_TRUE(std::filesystem::exists(real_table("speech/sentences_test.csv")))
      << "./dev data speech_sentences makes it";
  const Ran trained = run("train " + example + " --quiet --threads 2 --out sentences");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json figures = run("evaluate sentences --json").json();
  const auto voices = {"espeak en-us",      "espeak en-us+f2", "espeak en-us+m3", "espeak en-gb", "espeak en-gb+f3",
                       "espeak en-gb-x-rp", "flite kal16",     "flite slt",       "flite awb"};  // of the training part
  double errors = 0;
  for (const char* voice : voices) errors += figures.at(std::string("character error rate of ") + voice).get<double>();
  EXPECT_LE(errors / static_cast<double>(voices.size()), 0.10) << figures;
  // one real speaker, of whom nothing is asked but the figure
  const Ran real = run("evaluate sentences --json --data " + real_table("speech/recordings_test.csv").string());
  EXPECT_EQ(real.code, 0) << real.err;
}

}  // namespace
}  // namespace thalweg::testing
