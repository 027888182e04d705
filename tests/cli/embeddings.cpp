// The system `embeddings` (word vectors) in the command: trained, queried, stopped, resumed and measured.

#include <cmath>
#include <functional>
#include <limits>

#include "command.hpp"
#include "store/safetensors.hpp"

namespace thalweg::testing {
namespace {

class Embeddings : public CommandTest {
 protected:
  /// Writes sentences about three subjects; no sentence has words of two subjects.
  void write_text(int sentences = 3000) const {
    const std::vector<std::vector<std::string>> subjects = {{"sea", "ship", "sail", "wave", "harbour", "captain"},
                                                            {"bread", "oven", "flour", "butter", "kitchen", "cook"},
                                                            {"horse", "saddle", "stable", "hoof", "rider", "bridle"}};
    std::string text;
    unsigned state = 7;
    for (int i = 0; i < sentences; ++i) {
      for (int word = 0; word < 8; ++word) {
        state = state * 1664525U + 1013904223U;
        const auto pick = state >> 16;
        text += word % 3 == 0 ? "the " : subjects[static_cast<std::size_t>(i % 3)][pick % 6] + " ";
      }
      text += "\n";
    }
    write("text.txt", text);
    write("questions.csv",
          "word,answer,other1,other2,other3\nsea,ship,bread,horse,oven\noven,flour,wave,rider,hoof\n"
          "rider,saddle,cook,sail,butter\n");
    write("words.toml",
          "seed = 2\n[data]\ntrain = \"text.txt\"\nquestions = \"questions.csv\"\n[system]\nkind = \"embeddings\"\n"
          "width = 12\nsample = 1e-2\n[train]\nepochs = 3\nbatch_size = 128\n");
  }
  [[nodiscard]] std::string model(const std::string& run) const { return read_text(path(run + "/model.safetensors")); }
};

TEST_F(Embeddings, WordsOfASubjectBecomeNeighbours) {
  write_text();
  const Ran ran = run("train words.toml --out r --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["answered right"], 1.0);
  EXPECT_EQ(ran.json()["baselines"]["by chance"]["answered right"], 0.25);
  EXPECT_EQ(ran.json()["parameters"], 2 * 19 * 12);
  const Ran near = run("neighbours r Sea --count 5");
  ASSERT_EQ(near.code, 0) << near.err;
  for (const char* word : {"ship", "sail", "wave", "harbour", "captain"})
    EXPECT_NE(near.out.find(word), std::string::npos) << near.out;
  EXPECT_EQ(run("neighbours r sea --count 1 --json").json()["word"].get<std::string>(),
            near.out.substr(8, near.out.find('\n') - 8));
  EXPECT_EQ(run("evaluate r --json").json()["answered right"], 1.0);
}

TEST_F(Embeddings, CommandsThatDoNotSuitThemAreRefusedByName) {
  write_text(60);
  ASSERT_EQ(run("train words.toml --out r -q --epochs 1").code, 0);
  for (const std::string command : {"predict", "generate", "inspect", "play", "landscape"}) {
    for (const char* place : {" r", " r/model.safetensors"}) {
      if (command == "landscape" && place[2] == '/') continue;
      const Ran ran = run(command + place);
      EXPECT_EQ(ran.code, 2) << command << place;
      EXPECT_NE(ran.err.find("is a run of embeddings, which does not have this command"), std::string::npos) << ran.err;
    }
  }
  EXPECT_EQ(run("transcribe r a.wav").code, 2);
}

TEST_F(Embeddings, AStepWithoutPairsHasNoLoss) {
  write_text(100);  // subsampling leaves out nearly all words
  ASSERT_EQ(run("train words.toml --out r -q --set train.batch_size=8 --set system.sample=1e-4").code, 0);
  std::istringstream lines(read_text(path("r/metrics.jsonl")));
  for (std::string line; std::getline(lines, line);) {
    const auto entry = nlohmann::json::parse(line);
    EXPECT_GT(entry.value("loss", 1.0), 0) << line;
  }
}

TEST_F(Embeddings, AnUnknownWordIsRefusedWithSimilarSpellings) {
  write_text(600);
  ASSERT_EQ(run("train words.toml --out r -q --epochs 1").code, 0);
  const Ran ran = run("neighbours r sadle");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("there is no word 'sadle' among 19. Hint: similar words are saddle"), std::string::npos)
      << ran.err;
  EXPECT_EQ(run("neighbours r").code, 2);
  EXPECT_EQ(run("neighbours r sea --count 0").code, 2);
  EXPECT_EQ(run("neighbours nowhere sea").code, 2);
}

TEST_F(Embeddings, AResumedRunHasTheSameBitsWithOtherThreads) {
  write_text();
  ASSERT_EQ(run("train words.toml --out whole -q --threads 1").code, 0);
  const Ran stopped = run("train words.toml --out parts -q --threads 2 --stop-after 301");  // an epoch has 234 steps
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_NE(stopped.out.find("stopped at step 301"), std::string::npos) << stopped.out;
  EXPECT_EQ(run("neighbours parts sea").code, 4);  // no model yet
  ASSERT_EQ(run("train words.toml --out parts -q --threads 3 --resume").code, 0);
  EXPECT_TRUE(model("whole") == model("parts"));
  EXPECT_EQ(run("train words.toml --out parts -q --resume").code, 2);
}

TEST_F(Embeddings, ARunIsNotResumedWithAnotherTextOrConfiguration) {
  write_text();
  ASSERT_EQ(run("train words.toml --out r -q --stop-after 100").code, 0);
  const Ran other = run("train words.toml --out r -q --resume --set system.window=3");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("system.window: 5 -> 3"), std::string::npos) << other.err;
  write_text(2000);
  const Ran text = run("train words.toml --out r -q --resume");
  EXPECT_EQ(text.code, 3);
  EXPECT_NE(text.err.find("has other words"), std::string::npos) << text.err;
}

TEST_F(Embeddings, AnInvalidModelIsRefusedByName) {
  write_text(60);
  ASSERT_EQ(run("train words.toml --out r -q --epochs 1").code, 0);
  const SafetensorsFile whole = read_safetensors(path("r/model.safetensors"));
  const auto refused = [&](const std::string& name, const std::function<Tensor(const Tensor&)>& change) {
    SafetensorsFile file = whole;
    for (auto& [own, tensor] : file.tensors) {
      if (own == name) tensor = change(tensor);
    }
    write_safetensors(path("r/model.safetensors"), file);
    const Ran ran = run("neighbours r sea");
    EXPECT_EQ(ran.code, 4) << name << ran.err;
    EXPECT_NE(ran.err.find("[embeddings]"), std::string::npos) << ran.err;
  };
  const auto with = [](double value) {
    return [value](Tensor tensor) {
      tensor.set(3, value);
      return tensor;
    };
  };
  refused("words", [](const Tensor& tensor) { return tensor.to(f32); });
  refused("counts", [](const Tensor& tensor) { return tensor.to(f32); });
  refused("counts", with(std::nan("")));
  refused("counts", with(-1));
  refused("text", [](const Tensor&) { return Tensor({2}, f64); });
  refused("input", [](const Tensor& tensor) { return tensor.to(f64); });
  refused("input", with(std::nan("")));
  refused("output", with(std::numeric_limits<double>::infinity()));
}

TEST_F(Embeddings, ReportHowManyQuestionsTheyAnswered) {
  write_text(60);
  ASSERT_EQ(run("train words.toml --out r -q --epochs 1").code, 0);
  write("more.csv", read("questions.csv") + "sea,ship,nowhere,horse,oven\n");
  const nlohmann::json figures = run("evaluate r --data more.csv --json").json();
  EXPECT_EQ(figures["questions"], 4);
  EXPECT_EQ(figures["answered"], 3);
}

TEST_F(Embeddings, WrongQuestionsAreFoundBeforeTheTraining) {
  write_text(60);
  write("questions.csv", "word,answer,other1\nsea,ship\n");
  const Ran wrong = run("train words.toml --out r -q");
  EXPECT_EQ(wrong.code, 3) << wrong.err;
  EXPECT_NE(wrong.err.find("questions.csv"), std::string::npos) << wrong.err;
  EXPECT_FALSE(std::filesystem::exists(path("r")));
}

TEST_F(Embeddings, ReportWhichBytesOfTheTextAreNotUtf8) {
  write_text(60);
  write("text.txt", read("text.txt") + "caf\xe9 \xff\n");
  const Ran ran = run("train words.toml --out r --epochs 1");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE((ran.out + ran.err).find("2 bytes of the text are no UTF-8, and end words"), std::string::npos) << ran.err;
}

TEST_F(Embeddings, ARunLeavesAReportWithAMap) {
  write_text(600);
  ASSERT_EQ(run("train words.toml --out r -q --epochs 1").code, 0);
  const std::string report = read_text(path("r/report.html"));
  for (const char* part : {"<h2>Map", ">harbour</text>", "answered right", "gradient norm", "by chance"})
    EXPECT_NE(report.find(part), std::string::npos) << part;
  std::filesystem::remove(path("r/report.html"));
  ASSERT_EQ(run("report r").code, 0);
  EXPECT_TRUE(read_text(path("r/report.html")) == report);
}

TEST_F(Embeddings, TheirSystemIsListedAndPrintsItsConfiguration) {
  write_text(60);
  EXPECT_NE(run("list systems").out.find("embeddings"), std::string::npos);
  const Ran printed = run("train words.toml --print-config");
  EXPECT_NE(printed.out.find("negatives = 5"), std::string::npos) << printed.out;
  write("printed.toml", printed.out);
  EXPECT_EQ(run("train printed.toml --print-config").out, printed.out);
}

TEST_F(Embeddings, UnsuitableOptionsAreRefusedByName) {
  write_text(60);
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"--optimizer adam", "Wanted: sgd"},
      {"--schedule one_cycle", "cycle_momentum = false"},
      {"--set optimizer.momentum=0.9", "plain sgd"},
      {"--set data.min_count=0", "min_count"},
      {"--set system.widht=3", "did you mean 'width'?"},
      {"--set model.kind=mlp", "no section 'model'"},
      {"--set data.train=nowhere.txt", "nowhere.txt"},
      {"--cv 3", "divided into folds"},
      {"--set data.train=''", "[data] train is not given"}};
  for (const auto& [option, said] : refused) {
    const Ran ran = run("train words.toml -q " + option);
    EXPECT_EQ(ran.code, 2) << option;
    EXPECT_NE(ran.err.find(said), std::string::npos) << ran.err;
  }
  EXPECT_EQ(run("train words.toml -q --set data.min_count=100000").code, 3);
  const Ran broken = run("train words.toml -q --lr 1e30 --out broken");
  EXPECT_EQ(broken.code, 5);
  EXPECT_NE(broken.out.find("verdict     Diverged"), std::string::npos) << broken.out;
  EXPECT_NE(read("broken/report.html").find("Diverged"), std::string::npos);
  EXPECT_NE(run("report broken").err.find("train again"), std::string::npos);
}

}  // namespace

class SlowEmbeddings : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    if (!std::filesystem::exists(real_table("words.txt"))) GTEST_SKIP() << "run ./dev data embeddings first";
  }
};

TEST_F(SlowEmbeddings, AnswerQuestionsAboutSynonyms) {
  const Ran ran = run("train " + std::string(source_folder()) + "/examples/embeddings.toml -q --json --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_GE(ran.json()["answered right"], 0.6527);
  EXPECT_NE(run("neighbours r mother --count 5").out.find("father"), std::string::npos);
}

// The peers, gensim and fastText, learn the same text in as many passes with as many threads, one after the other.
TEST_F(SlowEmbeddings, AreAsGoodAndAsFastAsThoseOfTheirPeers) {
  if (shell("python3 -c 'import gensim, numpy' && command -v fasttext").code != 0)
    GTEST_SKIP() << "the peers need python3-gensim and fasttext";
  const Ran ran = shell("cd '" + source_folder() + "' && python3 bench/peers/embeddings.py --thalweg " + command());
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto figure = [&](const std::string& name, const std::string& before) {
    const auto at = ran.out.find(before, ran.out.find("\n" + name));
    return at == std::string::npos ? 0 : std::stod(ran.out.substr(at + before.size()));
  };
  for (const char* peer : {"gensim", "fastText"}) {
    for (const char* before : {" right ", " questions, "}) {  // the fraction, and thousands of words a second
      EXPECT_GT(figure(peer, before), 0) << ran.out;
      EXPECT_GE(figure("thalweg", before), figure(peer, before)) << ran.out;
    }
  }
}

}  // namespace thalweg::testing
