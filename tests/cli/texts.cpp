// Classifiers of texts in the command: trained in epochs and from a stream, stopped, resumed and evaluated.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class Texts : public CommandTest {
 protected:
  /// Writes a table of mails whose words determine their class, and a configuration.
  void write_mails(int rows = 200) const {
    std::string text = "class,text\n";
    for (int i = 0; i < rows; ++i) {
      const std::string word = "word" + std::to_string(i * 7 % 31), other = "thing" + std::to_string(i * 5 % 17);
      text += i % 3 == 0 ? "spam,buy cheap " + word + " now " + other + "\n"
                         : "ham,dear friend " + word + " about " + other + "\n";
    }
    write("mails.csv", text);
    write("mails.toml",
          "[data]\nformat = \"texts\"\ntrain = \"mails.csv\"\ntest = \"mails.csv\"\n"
          "[system]\nkind = \"text_classifier\"\nfeatures = 4096\n[train]\nepochs = 4\nbatch_size = 8\n");
    write("stream.toml",
          "[data]\nformat = \"texts\"\ntrain = \"-\"\ntest = \"mails.csv\"\nclasses = [\"ham\", \"spam\"]\n"
          "[system]\nfeatures = 4096\n");
  }
  [[nodiscard]] std::string model(const std::string& run) const { return read_text(path(run + "/model.safetensors")); }
};

TEST_F(Texts, AreLearnedInEpochsAndEvaluated) {
  write_mails();
  const Ran ran = run("train mails.toml --out r --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["parameters"], 4097);
  EXPECT_EQ(ran.json()["accuracy"], 1.0);
  EXPECT_EQ(run("evaluate r --json").json()["accuracy"], 1.0);
}

TEST_F(Texts, AStreamHasNoEpochs) {
  write_mails();
  const Ran ran = run("train mails.toml --online --epochs 3 --out r");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("--epochs beside --online"), std::string::npos) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(path("r")));
}

TEST_F(Texts, ARunLeavesItsMetricsAndAReportThatCanBeWrittenAgain) {
  write_mails();
  const Ran ran = run("train mails.toml --out r --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_FALSE(ran.json()["verdict"]["sentence"].get<std::string>().empty());
  const std::string report = read_text(path("r/report.html"));
  for (const char* part : {"test accuracy", "Confusion matrix", "gradient norm", "always ham", "4,097"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  std::filesystem::remove(path("r/report.html"));
  ASSERT_EQ(run("report r").code, 0);
  EXPECT_EQ(read_text(path("r/report.html")), report);
}

TEST_F(Texts, ARunThatEndsInAFailureLeavesItsReport) {
  write_mails();
  const Ran ran = run("train mails.toml --out r -q --set loss.kind=squared_hinge --set optimizer.kind=sgd --lr 30");
  EXPECT_EQ(ran.code, 5) << ran.err;
  EXPECT_NE(ran.out.find("verdict"), std::string::npos) << ran.out;
  EXPECT_TRUE(std::filesystem::exists(path("r/report.html")));
  EXPECT_FALSE(std::filesystem::exists(path("r/model.safetensors")));
}

TEST_F(Texts, RowsArePredictedByTheirColumnOfTexts) {
  write_mails();
  ASSERT_EQ(run("train mails.toml --out r -q").code, 0);
  write("new.csv", "id,text\n7,dear friend about word3\n8,\"buy cheap, now\"\n");
  const Ran ran = run("predict r --data new.csv --keep id");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("id,class,p(ham),p(spam)\n7,ham,0.9")) << ran.out;
  EXPECT_NE(ran.out.find("\n8,spam,0.0"), std::string::npos) << ran.out;
  EXPECT_EQ(run("predict r --json < new.csv").json()["class"], "spam");
  const Ran refused = run("predict r --data new.csv --keep nothing");
  EXPECT_EQ(refused.code, 2) << refused.err;
  write("other.csv", "id,body\n7,dear friend\n");
  const Ran other = run("predict r --data other.csv");
  EXPECT_EQ(other.code, 3);
  EXPECT_NE(other.err.find("no column 'text'"), std::string::npos) << other.err;
}

TEST_F(Texts, TheirSystemIsListedAndOthersRefuseTexts) {
  write_mails(20);
  EXPECT_NE(run("list systems").out.find("text_classifier"), std::string::npos);
  const Ran other = run("train mails.toml -q --set system.kind=vae");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("Wanted: text_classifier"), std::string::npos) << other.err;
  write_table("t.csv");
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"text_classifier\"\n");
  const Ran table = run("train t.toml -q");
  EXPECT_EQ(table.code, 2);
  EXPECT_NE(table.err.find("format = \"texts\""), std::string::npos) << table.err;
  write("misspelt.toml", "[data]\ntrain = \"t.csv\"\n[system]\nkind = \"embedding\"\n");
  for (const char* command : {"train", "lr", "compare"}) {
    const Ran misspelt = run(std::string(command) + " misspelt.toml");
    EXPECT_EQ(misspelt.code, 2);
    EXPECT_NE(misspelt.err.find("did you mean 'embeddings'?"), std::string::npos) << command << misspelt.err;
  }
  for (const std::string command : {"lr", "compare"}) {
    const Ran text = run(command + " mails.toml"), words = run(command + " misspelt.toml --set system.kind=embeddings");
    EXPECT_NE(text.err.find("text_classifier has a training loop of its own"), std::string::npos) << text.err;
    EXPECT_NE(words.err.find("embeddings has a training loop of its own"), std::string::npos) << words.err;
    EXPECT_EQ(text.code + words.code, 4);
  }
}

TEST_F(Texts, AResumedRunHasTheSameBits) {
  write_mails();
  ASSERT_EQ(run("train mails.toml --out whole -q --set system.weighting=tfidf").code, 0);
  ASSERT_EQ(run("train mails.toml --out parts -q --stop-after 37 --set system.weighting=tfidf").code, 0);
  ASSERT_EQ(run("train mails.toml --out parts -q --resume --set system.weighting=tfidf").code, 0);
  EXPECT_TRUE(model("whole") == model("parts"));
  const auto losses = [&](const std::string& name) {  // one per epoch
    std::vector<double> all;
    std::istringstream lines(read_text(path(name + "/metrics.jsonl")));
    for (std::string line; std::getline(lines, line);) {
      const auto entry = nlohmann::json::parse(line);
      if (entry.contains("metrics")) all.push_back(entry["metrics"]["loss"]);
    }
    return all;
  };
  EXPECT_EQ(losses("parts"), losses("whole"));
  EXPECT_EQ(losses("whole").size(), 4u);
}

TEST_F(Texts, EachTextOfAStreamIsPredictedBeforeItIsLearned) {
  write_mails();
  const Ran whole = run("train stream.toml --online --out whole < mails.csv");
  ASSERT_EQ(whole.code, 0) << whole.err;
  EXPECT_NE(whole.out.find("rows 200  accuracy 0.9"), std::string::npos) << whole.out;
  EXPECT_NE(whole.out.find("(99th percentile)"), std::string::npos);
  ASSERT_EQ(shell("head -n 91 mails.csv | " + command() + " train stream.toml --online --out parts -q").code, 0);
  const Ran rest =
      shell("sed '2,91d' mails.csv | " + command() + " train stream.toml --online --out parts --resume -q");
  ASSERT_EQ(rest.code, 0) << rest.err;
  EXPECT_TRUE(model("whole") == model("parts"));
  EXPECT_EQ(run("evaluate parts --data mails.csv --json").json()["rows"], 200);
}

TEST_F(Texts, CommandsThatDoNotSuitThemSaySo) {
  write_mails();
  ASSERT_EQ(run("train mails.toml --out r -q").code, 0);
  for (const char* command : {"generate r", "inspect r", "play r", "landscape r", "inspect r --curvature"}) {
    const Ran ran = run(command);
    EXPECT_EQ(ran.code, 2) << command << ran.err;
    EXPECT_NE(ran.err.find("r is a run of text_classifier"), std::string::npos) << command << ran.err;
  }
}

TEST_F(Texts, AResumedStreamFromAFileSkipsTheTextsAlreadyLearned) {
  write_mails();
  ASSERT_EQ(run("train mails.toml --online --out whole -q").code, 0);
  ASSERT_EQ(run("train mails.toml --online --out parts -q --stop-after 63").code, 0);
  ASSERT_EQ(run("train mails.toml --online --out parts -q --resume").code, 0);
  EXPECT_TRUE(model("whole") == model("parts"));
}

TEST_F(Texts, AWrongRowEndsAStreamAndWhatWasLearnedIsSaved) {
  write_mails();
  const std::string mails = read_text(path("mails.csv"));
  write("wrong.csv", mails + "eggs,what is this\n");
  const Ran wrong = run("train stream.toml --online --out r < wrong.csv");
  EXPECT_EQ(wrong.code, 3) << wrong.err;
  EXPECT_NE(wrong.err.find("200 rows are learned, and the model is saved"), std::string::npos) << wrong.err;
  const Ran more = run("train r --online --resume --json -q < mails.csv");
  ASSERT_EQ(more.code, 0) << more.err;
  EXPECT_NE(more.out.find("\"rows\":400"), std::string::npos) << more.out;
}

TEST_F(Texts, AStepThatIsNotFiniteEndsAStreamAndWhatWasLearnedIsSaved) {
  write_mails();
  const std::string train =
      "train stream.toml --online -q --set loss.kind=squared_hinge --set optimizer.kind=sgd --lr 3 --out ";
  const Ran ended = run(train + "r < mails.csv");
  EXPECT_EQ(ended.code, 5) << ended.err;
  const auto step = ended.err.find("step ");
  ASSERT_NE(step, std::string::npos) << ended.err;
  const int learned = std::stoi(ended.err.substr(step + 5)) - 1;
  EXPECT_NE(ended.err.find(std::to_string(learned) + " rows are learned, and the model is saved\n"), std::string::npos)
      << ended.err;
  ASSERT_EQ(run(train + "s --stop-after " + std::to_string(learned) + " < mails.csv").code, 0);
  EXPECT_TRUE(model("r") == model("s"));
  EXPECT_EQ(run("evaluate r --json").code, 0);
}

TEST_F(Texts, AWrongTestPartIsFoundBeforeTheTraining) {
  write_mails();
  write("wrong.csv", "class,text\neggs,what is this\n");
  for (const std::string command : {"train mails.toml", "train stream.toml --online"}) {
    const Ran wrong = run(command + " --set data.test=wrong.csv --out r < mails.csv");
    EXPECT_EQ(wrong.code, 3) << wrong.err;
    EXPECT_NE(wrong.err.find("the class 'eggs'"), std::string::npos) << wrong.err;
    EXPECT_FALSE(std::filesystem::exists(path("r")));
  }
}

TEST_F(Texts, ASignalSavesTheModelWhileTheStreamWaits) {
  write_mails();
  const Ran ran = shell("{ head -n 51 mails.csv; sleep 4; } | timeout -s INT 2 " + command() +
                        " train stream.toml --online --out r -q");
  EXPECT_NE(ran.out.find("stopped at step 50"), std::string::npos) << ran.out << ran.err;
  EXPECT_EQ(run("evaluate r --data mails.csv --json").code, 0);
}

TEST_F(Texts, FoldersAndLinesAreRead) {
  write("lines.txt", "spam buy cheap things\nham dear friend\n\nspam cheap cheap\nham dear dear\n");
  std::filesystem::create_directories(path("mails/ham"));
  std::filesystem::create_directories(path("mails/spam"));
  write("mails/ham/1.txt", "dear friend");
  write("mails/spam/1.txt", "buy\ncheap things");
  for (const std::string place : {"lines.txt", "mails"}) {
    write("c.toml",
          "[data]\nformat = \"texts\"\ntrain = \"" + place + "\"\ntest = \"" + place + "\"\n[system]\nfeatures = 64\n");
    const Ran ran = run("train c.toml --json -q");
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.json()["accuracy"], 1.0) << place;
  }
}

TEST_F(Texts, BadRowsAreRefusedWithFileAndLine) {
  write_mails(20);
  const Ran of_class =
      shell("{ head -n 3 mails.csv; echo eggs,hello there; } | " + command() + " train stream.toml --online -q");
  EXPECT_EQ(of_class.code, 3);
  EXPECT_NE(of_class.err.find("standard input:4: the class 'eggs'. Wanted: ham, spam"), std::string::npos)
      << of_class.err;
  const Ran of_column = run("train mails.toml -q --set data.text=body");
  EXPECT_EQ(of_column.code, 3);
  EXPECT_NE(of_column.err.find("there is no column 'body'"), std::string::npos) << of_column.err;
  write("lines.txt", "spam\n");
  EXPECT_EQ(run("train mails.toml -q --set data.train=lines.txt").code, 3);
  EXPECT_EQ(run("train mails.toml -q --set data.train=nowhere.csv").code, 2);
  EXPECT_EQ(run("train mails.toml -q --optimizer lamb").code, 2);
  EXPECT_EQ(shell("tail -n 0 mails.csv | " + command() + " train stream.toml --online -q").code, 3);
}

}  // namespace

class SlowTexts : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    if (!std::filesystem::exists(real_table("spam_train.csv"))) GTEST_SKIP() << "run ./dev data spam first";
  }
  [[nodiscard]] static std::string example(const std::string& name) {
    return source_folder() + std::string("/examples/") + name;
  }
};

// scikit-learn's best TF-IDF logistic regression reaches 0.9784 with 2^18 columns (bench/peers/spam.py).
TEST_F(SlowTexts, SpamIsFiltered) {
  const Ran small = run("train " + example("spam.toml") + " -q --json");
  EXPECT_LE(small.json()["parameters"], 1001);
  EXPECT_GE(small.json()["accuracy"], 0.97);
  EXPECT_GE(run("train " + example("spam.toml") + " -q --json --set system.features=262144").json()["accuracy"],
            0.9784);
}

// The peers learn the same mails in the same run: of each, the best of several settings is the one to reach.
TEST_F(SlowTexts, SpamIsFilteredAsWellAsByThePeers) {
  if (shell("python3 -c 'import sklearn'").code != 0) GTEST_SKIP() << "the peers need python3-sklearn";
  const double accuracy =
      run("train " + example("spam.toml") + " -q --json --set system.features=262144").json()["accuracy"];
  const Ran peers =
      shell("python3 " + source_folder() + "/bench/peers/spam.py --classifiers " + real_table("").string());
  ASSERT_EQ(peers.code, 0) << peers.err;
  const nlohmann::json figures = peers.json();
  EXPECT_TRUE(figures.contains("tfidf, logistic")) << peers.out;  // fastText where it is installed
  for (const auto& [peer, best] : figures.items()) EXPECT_GE(accuracy, best.get<double>()) << peer;
  RecordProperty("figures", peers.out);
}

// The peer learns the same mails right after, on the same machine: SGDClassifier.partial_fit behind a
// HashingVectorizer.
TEST_F(SlowTexts, AStreamIsPredictedAsWellAndLearnedAsFastAsByScikitLearn) {
  const Ran ran =
      run("train " + example("spam_stream.toml") + " --online --json < " + real_table("spam_train.csv").string());
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto stream = nlohmann::json::parse(ran.out.substr(0, ran.out.find('\n')));  // before the line of the test part
  const double accuracy = stream["accuracy"], speed = stream["rows_a_second"];
  EXPECT_GE(accuracy, 0.97);
  if (shell("python3 -c 'import sklearn'").code != 0) GTEST_SKIP() << "the peer needs python3-sklearn";
  const Ran peer = shell("python3 " + source_folder() + "/bench/peers/spam.py --stream " + real_table("").string());
  ASSERT_EQ(peer.code, 0) << peer.err;
  EXPECT_GE(accuracy, peer.json()["accuracy"].get<double>()) << peer.out;
  EXPECT_GE(speed, peer.json()["rows_a_second"].get<double>()) << peer.out;
  RecordProperty("figures", ran.out + peer.out);
}

}  // namespace thalweg::testing
