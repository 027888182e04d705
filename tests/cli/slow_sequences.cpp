// Trainings of minutes: the examples of docs/systems.md pronounce words whose stems were not in the training data.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowSequences : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    ASSERT_TRUE(std::filesystem::exists(real_table("g2p_test.csv"))) << "./dev data g2p fetches it";
  }
  /// Copies the words of a table that have at most seven letters and eight sounds.
  void write_short(const std::string& part) const {
    std::istringstream table(read_text(real_table("g2p_" + part + ".csv")));
    std::string few, line;
    while (std::getline(table, line)) {
      const std::size_t letters = line.find(',');
      const std::string sounds = line.substr(letters + 1, line.rfind(',') - letters - 1);
      if (few.empty() || (letters <= 7 && std::ranges::count(sounds, ' ') < 8)) few += line + "\n";
    }
    write("short_" + part + ".csv", few);
  }
};

TEST_F(SlowSequences, WordsOfUnseenStemsArePronounced) {
  const std::string examples = std::string(source_folder()) + "/examples/";
  const Ran trained = run("train " + examples + "g2p.toml --quiet --threads 2 --out runs/g2p");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json learned = run("evaluate runs/g2p --json").json();
  EXPECT_LE(learned.at("token error rate").get<double>(), 0.10) << learned;
  EXPECT_GE(learned.at("exact match").get<double>(), 0.60) << learned;
}

/// On short words and by a small network, which has learned what it can from likelihood: more steps of it raise
/// nothing.
TEST_F(SlowSequences, TuningByTheScoreFunctionRaisesTheWordsRight) {
  write_short("train");
  write_short("test");
  write("short.toml",
        "[data]\nformat = \"sequences\"\ntrain = \"short_train.csv\"\ntest = \"short_test.csv\"\nvalidation = 0.04\n"
        "source = \"word\"\ntarget = \"sounds\"\ngroup = \"stem\"\nlongest = 8\n"
        "[system]\nkind = \"sequences\"\nwidth = 64\ndecoder_layers = 1\nheads = 2\n"
        "[train]\nepochs = 4\nbatch_size = 64\n");
  ASSERT_EQ(run("train short.toml --quiet --out likely").code, 0);
  const auto right = [&](const std::string& folder) {
    return run("evaluate " + folder + " --json").json().at("exact match").get<double>();
  };
  const auto tuned = [&](const std::string& folder, const std::string& settings) {
    const Ran ran = run("train short.toml --quiet --out " + folder +
                        " --set system.start=likely --set train.epochs=1 --set optimizer.lr=2e-4 " + settings);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return right(folder);
  };
  const double before = right("likely"), further = tuned("further", ""),
               after = tuned("after", "--set system.reward=exact --set system.temperature=0.3");
  EXPECT_GE(after, before + 0.005) << further;
  EXPECT_GE(after, further + 0.005) << before;
}

}  // namespace
}  // namespace thalweg::testing
