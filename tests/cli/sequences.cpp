// The system `sequences` in the command: trained on pairs, measured, used for predictions, tuned by rewards; bad input
// is refused with file and line.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class Sequences : public CommandTest {
 protected:
  /// Writes words of one to four of five letters with their reversal ("abc" -> "c b a"). Equal first letters are a
  /// group.
  void write_pairs(const std::string& name, int rows, unsigned state) const {
    std::string table = "word,reversed,first\n";
    const auto draw = [&](unsigned below) { return ((state = state * 1664525U + 1013904223U) >> 16) % below; };
    for (int row = 0; row < rows; ++row) {
      std::string word, reversed;
      for (unsigned i = 1 + draw(4); i > 0; --i) word += static_cast<char>('a' + draw(5));
      for (auto letter = word.rbegin(); letter != word.rend(); ++letter)
        reversed += (reversed.empty() ? "" : " ") + std::string(1, *letter);
      table += word + "," + reversed + "," + word.substr(0, 1) + "\n";
    }
    write(name, table);
  }
  void write_files() const {
    write_pairs("train.csv", 800, 1);
    write_pairs("test.csv", 60, 2);
    write("s.toml",
          "[data]\nformat = \"sequences\"\ntrain = \"train.csv\"\ntest = \"test.csv\"\nsource = \"word\"\n"
          "target = \"reversed\"\nvalidation = 0.1\nlongest = 8\n"
          "[system]\nkind = \"sequences\"\nwidth = 48\ndecoder_layers = 1\nheads = 2\ndropout = 0\n"
          "[optimizer]\nkind = \"adam\"\nlr = 0.006\n[train]\nepochs = 15\nbatch_size = 16\n");
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  [[nodiscard]] nlohmann::json figures(const std::string& folder) const {
    return run("evaluate " + folder + " --json").json();
  }
};

TEST_F(Sequences, AreLearnedMeasuredAndPredicted) {
  write_files();
  const Ran trained = run("train s.toml --quiet --out r --threads 1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const nlohmann::json measured = figures("r");
  EXPECT_EQ(measured.at("rows"), 60);
  EXPECT_GE(measured.at("exact match").get<double>(), 0.9) << measured;
  EXPECT_LE(measured.at("token error rate").get<double>(), 0.05) << measured;
  EXPECT_GE(measured.at("BLEU").get<double>(), 0.9) << measured;
  EXPECT_LT(measured.at("baselines").at("a training target unread").at("exact match").get<double>(), 0.2);
  const std::string log = read_text(path("r/metrics.jsonl"));
  EXPECT_NE(log.find("validation.exact"), std::string::npos);
  EXPECT_NE(log.find("validation.errors a token"), std::string::npos);
  EXPECT_NE(read_text(path("r/report.html")).find("what is written"), std::string::npos);

  write("new.csv", "id,word\n1,abc\n2,eda\n3,b\n");
  const Ran predicted = run("predict r --data new.csv --keep id");
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_TRUE(predicted.out.starts_with("id,reversed,log_probability\n1,c b a,-")) << predicted.out;
  EXPECT_NE(predicted.out.find("\n3,b,-"), std::string::npos) << predicted.out;
  const nlohmann::json line = run("predict r --data new.csv --beam 4 --length-penalty 0.6 --json").json();
  EXPECT_EQ(line.at("reversed"), "b");
  EXPECT_LT(line.at("log_probability").get<double>(), 0);
}

/// A source gives the same output alone and in a batch with a longer one, where it is padded.
TEST_F(Sequences, PaddingDoesNotChangeAPrediction) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=2").code, 0);
  write("both.csv", "word\ncdea\nab\n");
  write("alone.csv", "word\nab\n");
  for (const std::string beam : {"1", "3"}) {
    const nlohmann::json both = run("predict r --json --data both.csv --beam " + beam).json(),
                         alone = run("predict r --json --data alone.csv --beam " + beam).json();
    EXPECT_EQ(both.at("reversed"), alone.at("reversed"));
    EXPECT_NEAR(both.at("log_probability").get<double>(), alone.at("log_probability").get<double>(), 1e-5);
  }
}

TEST_F(Sequences, HaveTheSameBitsForAnyThreadsAndAfterAResume) {
  write_files();
  const std::string few = " --set train.epochs=2 --set system.dropout=0.2";
  ASSERT_EQ(run("train s.toml --quiet --out one --threads 1" + few).code, 0);
  ASSERT_EQ(run("train s.toml --quiet --out two --threads 2" + few).code, 0);
  EXPECT_EQ(model("one"), model("two"));
  ASSERT_EQ(run("train s.toml --quiet --out parts --threads 2 --stop-after 60" + few).code, 0);  // in the second epoch
  const Ran resumed = run("train parts --resume --quiet --threads 2");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("parts"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("parts/media.jsonl")));
}

/// Policy-gradient tuning of a run that has not finished learning: more predictions are right afterwards.
TEST_F(Sequences, AreTunedByTheRewardOfDrawnOutputs) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=2 --set optimizer.lr=0.005").code, 0);
  const std::string tuned = " --set system.start=r --set train.epochs=4 --set optimizer.lr=0.003 --set system.reward=";
  const nlohmann::json before = figures("r");
  for (const std::string how : {"exact --set system.baseline=weighted", "edits"}) {
    const std::string folder = how.substr(0, 5);
    const Ran ran = run("train s.toml --quiet --threads 1 --out " + folder + tuned + how);
    ASSERT_EQ(ran.code, 0) << ran.err;
    const nlohmann::json after = figures(folder);
    EXPECT_GT(after.at("exact match").get<double>(), before.at("exact match").get<double>()) << how;
    EXPECT_LT(after.at("token error rate").get<double>(), before.at("token error rate").get<double>()) << how;
    EXPECT_NE(read_text(path(folder + "/metrics.jsonl")).find("\"reward\""), std::string::npos);
    EXPECT_GT(after.at("gradient variance").get<double>(), 0);
    for (const char* other : {"without a baseline", "by the baseline greedy"})
      EXPECT_GT(after.at("baselines").at(other).at("gradient variance").get<double>(), 0) << other;
  }
  // the drawn outputs depend neither on the threads nor on a stop
  ASSERT_EQ(run("train s.toml --quiet --out two --threads 2 --stop-after 100" + tuned + "edits").code, 0);
  ASSERT_EQ(run("train two --resume --quiet --threads 2").code, 0);
  EXPECT_EQ(model("edits"), model("two"));
}

/// With logits / temperature, the share of right outputs among the drawn ones approaches that of the likeliest ones.
TEST_F(Sequences, AreDrawnNearTheLikeliestAtALowTemperature) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=2 --set optimizer.lr=0.005").code, 0);
  const double likeliest = run("evaluate r --data train.csv --json").json().at("exact match");
  const auto reward = [&](const std::string& temperature) {  // of all rows, in a single step
    const Ran ran = run("train s.toml --quiet --out t" + temperature +
                        " --set system.start=r --set system.reward=exact --set data.validation=0 --set train.epochs=1"
                        " --set train.batch_size=800 --set system.temperature=" +
                        temperature);
    EXPECT_EQ(ran.code, 0) << ran.err;
    const std::string log = read_text(path("t" + temperature + "/metrics.jsonl"));
    return nlohmann::json::parse(log.substr(0, log.find('\n'))).at("reported").at("reward").get<double>();
  };
  EXPECT_NEAR(reward("0.01"), likeliest, 0.01);
  EXPECT_LT(reward("1"), likeliest - 0.05);
  EXPECT_EQ(run("train s.toml --quiet --set system.temperature=0").code, 2);
}

/// Every output has some errors, so its reward minus the mean reward of the other outputs varies less than the reward.
TEST_F(Sequences, ABaselineReducesTheVarianceOfTheGradient) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=2 --set optimizer.lr=0.005").code, 0);
  ASSERT_EQ(
      run("train s.toml --quiet --out t --set system.start=r --set system.reward=edits --set train.epochs=1").code, 0);
  const nlohmann::json found = figures("t");
  EXPECT_LT(found.at("gradient variance").get<double>(),
            0.8 * found.at("baselines").at("without a baseline").at("gradient variance").get<double>())
      << found;
}

TEST_F(Sequences, GroupsAreHeldOutWhole) {
  write_files();
  const Ran ran =
      run("train s.toml --quiet --out r --set data.group=first --set data.validation=0.2 --set train.epochs=1");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(read_text(path("r/config.toml")).find("group = \"first\""), std::string::npos);
  std::ifstream record(path("r/data.json"));
  const nlohmann::json data = nlohmann::json::parse(record);
  std::istringstream table(read_text(path("train.csv")));
  std::string line;
  std::map<char, int> rows;
  std::getline(table, line);
  while (std::getline(table, line)) ++rows[line[0]];
  // the held-out rows are all words with one of the five first letters
  bool is_one_group = false;
  for (const auto& [letter, count] : rows)
    is_one_group |= data.at("held_out").size() == static_cast<std::size_t>(count);
  EXPECT_TRUE(is_one_group) << data.dump().substr(0, 200);
}

TEST_F(Sequences, ADictionaryIsReadByLine) {
  write("d.dict", ";;; sounds of words\nAB  A1 B\nBA  B A1\nBA(1)  B A0\nABBA  A1 B B A0\nBAB  B A1 B\n");
  write("d.toml",
        "[data]\nformat = \"sequences\"\ntrain = \"d.dict\"\nvalidation = 0\n[system]\nkind = \"sequences\"\n"
        "width = 8\nheads = 2\n[train]\nepochs = 1\nbatch_size = 2\n");
  const Ran ran = run("train d.toml --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("4 pairs, 2 source and 3 target symbols"), std::string::npos) << ran.err;
  EXPECT_EQ(run("evaluate r --data d.dict --json").json().at("rows"), 4);
  write("words.csv", "source\nAB\nBA\nABBA\nBAB\n");
  const Ran of_table = run("predict r --data words.csv"), of_dictionary = run("predict r --data d.dict");
  EXPECT_EQ(of_dictionary.code, 0) << of_dictionary.err;
  EXPECT_EQ(of_dictionary.out, of_table.out);
  write("alone.txt", "ABBA\nBA  B A1\n");  // the sounds of a word may be missing
  const Ran alone = run("predict r --data alone.txt --keep '*' --beam 3");
  EXPECT_TRUE(alone.out.starts_with("source,target,predicted target,log_probability\nABBA,,"))
      << alone.out << alone.err;
  EXPECT_NE(alone.out.find("\nBA,B A1,"), std::string::npos) << alone.out;
  EXPECT_EQ(run("predict r --data alone.txt --separator comma").code, 2);
  write("d.dict", "AB  A1 B\nBA\n");
  const Ran bad = run("train d.toml --quiet");
  EXPECT_EQ(bad.code, 3);
  EXPECT_NE(bad.err.find("d.dict, line 2: 'BA'"), std::string::npos) << bad.err;
}

TEST_F(Sequences, RefuseWhatTheyCannotLearnByFileAndLine) {
  write_files();
  const auto expect = [&](const std::string& row, const std::string& message) {
    write("bad.csv", read_text(path("train.csv")) + row + "\n");
    const Ran ran = run("train s.toml --quiet --set data.train=bad.csv");
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_NE(ran.err.find("bad.csv, line 802: " + message), std::string::npos) << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  };
  expect("abcdeabcd,a,a", "a source of 9 tokens. Wanted: at most longest = 8");
  expect("a,a a a a a a a a a,a", "a target of 9 tokens");
  expect("a,,a", "an empty target");
  expect("\"\",a,a", "an empty source");

  const Ran column = run("train s.toml --quiet --set data.source=letters");
  EXPECT_EQ(column.code, 3);
  EXPECT_NE(column.err.find("no column 'letters'"), std::string::npos) << column.err;
  const Ran group = run("train s.toml --quiet --set data.group=stem");
  EXPECT_EQ(group.code, 3);
  EXPECT_NE(group.err.find("no column 'stem'"), std::string::npos) << group.err;

  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=1").code, 0);
  write("new.csv", "word\nab\naxb\n");
  const Ran unknown = run("predict r --data new.csv");
  EXPECT_EQ(unknown.code, 3);
  EXPECT_NE(unknown.err.find("new.csv, line 3: 'x' is none of the 5 characters"), std::string::npos) << unknown.err;
  const Ran nameless = run("predict r --data test.csv --keep none");
  EXPECT_EQ(nameless.code, 2) << nameless.err;
}

TEST_F(Sequences, NeedDataOfPairs) {
  write_files();
  EXPECT_NE(run("list systems").out.find("sequences"), std::string::npos);
  write_table("t.csv");
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"sequences\"\n");
  const Ran table = run("train t.toml --quiet");
  EXPECT_EQ(table.code, 2);
  EXPECT_NE(table.err.find("format = \"sequences\""), std::string::npos) << table.err;
  EXPECT_EQ(run("train s.toml --quiet --set system.kind=vae").code, 2);
  const Ran aimless = run("train s.toml --quiet --set system.reward=exact");
  EXPECT_EQ(aimless.code, 2);
  EXPECT_NE(aimless.err.find("without a start"), std::string::npos) << aimless.err;
  const Ran heads = run("train s.toml --quiet --set system.heads=5");
  EXPECT_EQ(heads.code, 2);
  EXPECT_NE(heads.err.find("a multiple of heads"), std::string::npos) << heads.err;
  ASSERT_EQ(run("train t.csv --target y --quiet --out t --epochs 1").code, 0);
  EXPECT_EQ(run("predict t --data t.csv --beam 2").code, 2);
}

/// A run cannot start from a model with other symbols, whose numbers would mean other symbols.
TEST_F(Sequences, StartOnlyFromAModelWithTheSameSymbols) {
  write_files();
  ASSERT_EQ(run("train s.toml --quiet --out r --set train.epochs=1").code, 0);
  std::string other = read_text(path("train.csv"));
  std::ranges::replace(other, 'e', 'f');
  write("other.csv", "word,reversed,first" + other.substr(other.find('\n')));
  const Ran ran = run("train s.toml --quiet --set data.train=other.csv --set data.test=other.csv --set system.start=r");
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find("encoded otherwise"), std::string::npos) << ran.err;
  const Ran nowhere = run("train s.toml --quiet --set system.start=nowhere");
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_NE(nowhere.err.find("start = \"nowhere\""), std::string::npos) << nowhere.err;
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --quiet --out model --epochs 1").code, 0);
  const Ran kind = run("train s.toml --quiet --set system.start=model");
  EXPECT_EQ(kind.code, 2);
  EXPECT_NE(kind.err.find("start = \"model\" is a run of tabular. Wanted: one of sequences"), std::string::npos)
      << kind.err;
}

}  // namespace
}  // namespace thalweg::testing
