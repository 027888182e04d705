// A masked language model in the command: trained on documents, measured, used to fill in words, and used as the
// encoder of a classifier of sentences.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class Masked : public CommandTest {
 protected:
  /// Writes documents of seven words in alphabetical order from a random one on, where the first word follows the last.
  /// So the neighbours of a hidden word determine it.
  void write_documents(const std::string& name, int documents, unsigned state) const {
    std::string text;
    for (int document = 0; document < documents; ++document) {
      for (int sentence = 0; sentence < 3; ++sentence) {
        unsigned word = (state = state * 1664525U + 1013904223U) >> 16;
        for (int i = 0; i < 7; ++i) text += std::string(i > 0 ? " " : "") + words[word++ % 10];
        text += "\n";
      }
      text += "\n";
    }
    write(name, text);
  }
  /// Writes sentences whose class tells whether their first word is in the first or the second half of the alphabet.
  void write_sentences(const std::string& name, int rows, unsigned state) const {
    std::string text = "class,text\n";
    for (int row = 0; row < rows; ++row) {
      const unsigned first = ((state = state * 1664525U + 1013904223U) >> 16) % 10;
      text += std::string(first < 5 ? "early" : "late") + ",";
      for (unsigned i = 0; i < 3; ++i) text += std::string(i > 0 ? " " : "") + words[(first + i) % 10];
      text += "\n";
    }
    write(name, text);
  }
  void write_files() const {
    write_documents("train.txt", 120, 1);
    write_documents("test.txt", 30, 2);
    write_sentences("sentences.csv", 120, 3);
    write_sentences("others.csv", 40, 4);
    write("m.toml",
          "[data]\nformat = \"documents\"\ntrain = \"train.txt\"\ntest = \"test.txt\"\nlength = 16\nrare = 4\n"
          "[system]\nkind = \"masked\"\nlayers = 1\nwidth = 32\nheads = 2\ndropout = 0\n"
          "[optimizer]\nkind = \"adamw\"\nlr = 0.01\n[train]\nepochs = 30\nbatch_size = 16\n");
    write("s.toml",
          "[data]\nformat = \"sentences\"\ntrain = \"sentences.csv\"\ntest = \"others.csv\"\nvalidation = 0\n"
          "[system]\nkind = \"text_encoder\"\nencoder = \"m\"\n"
          "[optimizer]\nkind = \"adamw\"\nlr = 0.005\n[train]\nepochs = 3\nbatch_size = 8\n");
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  [[nodiscard]] Ran train_short() const { return run("train m.toml --quiet --out m --set train.epochs=2"); }

  static constexpr const char* words[] = {"ash", "birch",  "cedar", "dogwood", "elm",
                                          "fir", "ginkgo", "hazel", "ivy",     "juniper"};
};

/// The baselines are counted over the training documents as the model reads them.
TEST_F(Masked, ChangedTrainingDocumentsAreNotCounted) {
  write_files();
  ASSERT_EQ(train_short().code, 0);
  const std::string config = read("m/config.toml");
  const auto rare = config.find("rare = 4");
  ASSERT_NE(rare, std::string::npos);
  for (const char* other : {"rare = 400", "rare = 1"}) {
    write("m/config.toml", config.substr(0, rare) + other + config.substr(rare + 8));
    const Ran ran = run("evaluate m");
    EXPECT_EQ(ran.code, 4) << ran.err;
    EXPECT_NE(ran.err.find("in another way than config.toml says"), std::string::npos) << ran.err;
  }
  write("m/config.toml", config);
  EXPECT_EQ(run("evaluate m").code, 0);
  write("train.txt", read("train.txt") + "quince quince quince quince quince rowan rowan rowan rowan rowan\n");
  for (const char* on : {"evaluate m", "evaluate m --data test.txt"}) {
    const Ran ran = run(on);
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_NE(ran.err.find("its training data has changed"), std::string::npos) << ran.err;
  }
}

TEST_F(Masked, LearnsTheWordBetweenItsNeighboursAndFillsItIn) {
  write_files();
  const Ran trained = run("train m.toml --quiet --out m --threads 1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran measured = run("evaluate m --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json(), &counts = figures.at("baselines").at("neighbour counts");
  EXPECT_GT(figures.at("accuracy").get<double>(), 0.85) << measured.out;
  EXPECT_LT(figures.at("cross-entropy").get<double>(), 0.7);
  EXPECT_GT(counts.at("accuracy").get<double>(), 0.8);
  EXPECT_GT(counts.at("cross-entropy").get<double>(), 0);
  EXPECT_EQ(run("evaluate m --json").out, measured.out);  // the same words are hidden again
  EXPECT_NE(read_text(path("m/report.html")).find("words found"), std::string::npos);

  write("lines.txt", "cedar [MASK] elm\n\nash birch [MASK] dogwood [MASK]\n");
  EXPECT_EQ(run("predict m --data lines.txt --separator tab").code, 2);
  const Ran filled = run("predict m --data lines.txt --top 2");
  ASSERT_EQ(filled.code, 0) << filled.err;
  EXPECT_TRUE(filled.out.starts_with("cedar [MASK] elm\n  0.")) << filled.out;
  const nlohmann::json answers = run("predict m --json < lines.txt").json().at("answers");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_EQ(answers[0][0].at("answer"), "cedar");
  EXPECT_EQ(answers[1][0].at("answer"), "elm");
  const Ran none = shell("echo 'ash birch' | " + command() + " predict m");
  EXPECT_EQ(none.code, 3);
  EXPECT_NE(none.err.find("has no [MASK]"), std::string::npos) << none.err;
  EXPECT_NE(none.err.find("standard input, line 1"), std::string::npos) << none.err;
  EXPECT_EQ(run("predict m --data .").code, 2);  // . is a folder
  EXPECT_EQ(filled.err.find("none of its words"), std::string::npos) << filled.err;
  write("strange.txt", "cedar [MASK] elm\nqux [MASK] zyx\n");
  const Ran strange = run("predict m --data strange.txt --top 2");
  EXPECT_NE(strange.err.find("strange.txt, line 2: none of its words"), std::string::npos) << strange.err;
  EXPECT_EQ(strange.err.find("line 1"), std::string::npos) << strange.err;
  write("crlf.txt", "cedar [MASK] elm\r\n");
  EXPECT_EQ(run("predict m --data crlf.txt --json").json().at("text"), "cedar [MASK] elm");
}

TEST_F(Masked, HasTheSameBitsForAnyThreadsAndAfterAResumeInTheMiddleOfAnEpoch) {
  write_files();
  const std::string few = " --set train.epochs=3 --set system.dropout=0.2";
  ASSERT_EQ(run("train m.toml --quiet --out one --threads 1" + few).code, 0);
  ASSERT_EQ(run("train m.toml --quiet --out two --threads 2" + few).code, 0);
  EXPECT_EQ(model("one"), model("two"));
  ASSERT_EQ(run("train m.toml --quiet --out parts --threads 2 --stop-after 13" + few).code, 0);
  const Ran resumed = run("train parts --resume --quiet --threads 1");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("parts"));
  EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("parts/media.jsonl")));
}

TEST_F(Masked, AClassifierOfSentencesStartsFromIt) {
  write_files();
  ASSERT_EQ(run("train m.toml --quiet --out m").code, 0);
  const Ran trained = run("train s.toml --quiet --out s --threads 1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  const Ran measured = run("evaluate s --json");
  ASSERT_EQ(measured.code, 0) << measured.err;
  const nlohmann::json figures = measured.json(), &beside = figures.at("baselines");
  EXPECT_EQ(figures.at("rows"), 40);
  EXPECT_GE(figures.at("accuracy").get<double>(), 0.8);
  for (const char* other : {"the same net untrained", "TF-IDF logistic"})
    EXPECT_TRUE(beside.at(other).contains("accuracy")) << other;
  EXPECT_NE(beside.at("the same net untrained").at("cross-entropy"), figures.at("cross-entropy"));
  EXPECT_EQ(run("predict s --json --top 1 < train.txt").code, 0);

  // the classifier has copied sizes and words from the run of the encoder, so it predicts without that run
  std::filesystem::rename(path("m"), path("elsewhere"));
  const Ran alone = shell("echo 'ash birch cedar' | " + command() + " predict s --json");
  ASSERT_EQ(alone.code, 0) << alone.err;
  EXPECT_EQ(alone.json().at("answers")[0].size(), 2U);
  const Ran gone = run("train s.toml --quiet --out t");
  EXPECT_EQ(gone.code, 2);
  EXPECT_NE(gone.err.find("m"), std::string::npos) << gone.err;
}

TEST_F(Masked, AFrozenEncoderStaysAsItWasAndATunedOneResumesToTheSameBits) {
  write_files();
  ASSERT_EQ(train_short().code, 0);
  ASSERT_EQ(run("train s.toml --quiet --out frozen --set system.frozen=true --set system.beside=false").code, 0);
  const std::string whole = model("m"), frozen = model("frozen");
  // the embeddings of the words are the same bytes in both files
  const auto header = [](const std::string& file) {
    std::uint64_t size = 0;
    std::memcpy(&size, file.data(), sizeof(size));
    return std::pair(nlohmann::json::parse(file.substr(8, size)), 8 + size);
  };
  const auto bytes = [&](const std::string& file, const std::string& name) {
    const auto [json, begin] = header(file);
    const auto offsets = json.at(name).at("data_offsets").get<std::vector<std::size_t>>();
    return file.substr(begin + offsets[0], offsets[1] - offsets[0]);
  };
  for (const char* name : {"encoder/tokens/table", "encoder/block1/attention/qkv/weight", "encoder/norm/weight"})
    EXPECT_EQ(bytes(whole, name), bytes(frozen, "tuned/" + std::string(name))) << name;

  ASSERT_EQ(run("train s.toml --quiet --out one --threads 1").code, 0);
  EXPECT_NE(bytes(model("one"), "tuned/encoder/tokens/table"), bytes(whole, "encoder/tokens/table"));
  ASSERT_EQ(run("train s.toml --quiet --out parts --threads 2 --stop-after 20").code, 0);
  ASSERT_EQ(run("train parts --resume --quiet --threads 2").code, 0);
  EXPECT_EQ(model("one"), model("parts"));
}

TEST_F(Masked, WhatDoesNotFitTheEncoderIsRefusedByName) {
  write_files();
  ASSERT_EQ(train_short().code, 0);
  const auto refused = [&](const std::string& change, const std::string& said) {
    const Ran ran = run("train s.toml --quiet --out r " + change);
    EXPECT_EQ(ran.code, 2) << change << ran.err;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(path("r")));
  };
  refused("--set system.width=64", "width = 64, and m has 32");
  refused("--set system.heads=4", "heads = 4, and m has 2");
  refused("--set system.encoder=nowhere", "/nowhere\": there is no such folder");
  write_documents("train2.txt", 4, 9);
  ASSERT_EQ(run("train m.toml --quiet --out other --set train.epochs=1 --set data.words=7").code, 0);
  refused("--set data.encoder=other", "has 10 words, and the data 7");
  ASSERT_EQ(run("train s.toml --quiet --out s --set train.epochs=1").code, 0);
  refused("--set system.encoder=s", "is a run of text_encoder. Wanted: one of masked");
}

TEST_F(Masked, InvalidOptionsAreRefused) {
  write_files();
  const auto refused = [&](const std::string& change, int code, const std::string& said) {
    const Ran ran = run("train m.toml --quiet --out r " + change);
    EXPECT_EQ(ran.code, code) << change << ran.err;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
  };
  refused("--set data.length=0", 2, "length = 0");
  refused("--set data.words=0", 2, "words = 0");
  refused("--set data.words=100000000", 2, "words = 100000000");
  refused("--set system.share=0", 2, "share = 0");
  refused("--set system.kernel=2", 2, "kernel = 2. Wanted: an odd number");
  refused("--set system.heads=3", 2, "width = 32 and heads = 3");
  write("empty.txt", "");
  refused("--set data.train=empty.txt", 3, "empty");
  write("marks.txt", "...\n!!!\n\n?\n");
  refused("--set data.train=marks.txt", 3, "different words");
  write("one.txt", "ash birch\ncedar\n");
  refused("--set data.train=one.txt", 3, "a single document");
  write("latin.txt",
        "ash birch\n\nc\xe9"
        "dar elm\n");
  refused("--set data.train=latin.txt", 3, "not UTF-8");
  write_table("t.csv");
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"masked\"\n");
  EXPECT_NE(run("train t.toml -q").err.find("format = \"documents\""), std::string::npos);
}

TEST_F(Masked, EachFileOfAFolderIsADocument) {
  write_files();
  std::filesystem::create_directory(path("folder"));
  std::string text = read_text(path("test.txt"));
  for (int i = 0; !text.empty(); ++i) {
    const std::size_t end = text.find("\n\n");
    write("folder/" + std::to_string(100 + i) + ".txt", text.substr(0, end + 1));
    text.erase(0, end + 2);
  }
  ASSERT_EQ(train_short().code, 0);
  const nlohmann::json whole = run("evaluate m --json").json(), parts = run("evaluate m --data folder --json").json();
  EXPECT_EQ(whole.at("rows"), parts.at("rows"));
  EXPECT_EQ(whole.at("cross-entropy"), parts.at("cross-entropy"));
}

}  // namespace
}  // namespace thalweg::testing
