// Tuning on preferences in the command: a gpt, a reward and two policies are trained, measured, used to write texts and
// resumed; bad input is refused.

#include "command.hpp"

namespace thalweg::testing {
namespace {

/// The texts are "say: " and some of four words. Of a pair the text with more "yes" is preferred.
class PreferenceRuns : public CommandTest {
 protected:
  void SetUp() override {
    CommandTest::SetUp();
    std::string lines;
    for (int i = 0; i < 400; ++i) lines += "say: " + words().first + "\n";
    write("lines.txt", lines);
    write_pairs("pairs.csv", 240);
    write_pairs("test.csv", 60);
    write("gpt.toml",
          "[data]\nformat = \"text\"\ntrain = \"lines.txt\"\nvalidation = 0.1\ntokenizer = \"bpe\"\n"
          "vocabulary_size = 270\nsequence_length = 16\n[model]\nkind = \"gpt\"\nlayers = 1\nwidth = 32\nheads = 2\n"
          "context = 16\npositions = \"rotary\"\n[optimizer]\nkind = \"adamw\"\nlr = 0.01\n"
          "[train]\nepochs = 6\nbatch_size = 16\n");
    const std::string data =
        "[data]\nformat = \"preferences\"\ntrain = \"pairs.csv\"\ntest = \"test.csv\"\nvalidation = 0.1\n"
        "prompt = \"prompt\"\n";
    write("reward.toml", data +
                             "[system]\nkind = \"reward\"\ngpt = \"gpt\"\n[optimizer]\nkind = \"adamw\"\nlr = 0.01\n"
                             "[train]\nepochs = 6\nbatch_size = 16\n");
    write("dpo.toml", data +
                          "[system]\nkind = \"dpo\"\ngpt = \"gpt\"\nprompts = [\"say:\"]\nlength = 16\ntexts = 64\n"
                          "reward = \"reward\"\n[optimizer]\nkind = \"adamw\"\nlr = 0.003\n"
                          "[train]\nepochs = 3\nbatch_size = 16\n");
    write("ppo.toml",
          "[system]\nkind = \"ppo_text\"\ngpt = \"gpt\"\nreward = \"reward\"\nprompts = [\"say:\"]\nlength = 16\n"
          "rows = 32\npasses = 2\ntexts = 64\ndivergence = 3\ndivergence_weight = 0.3\n[optimizer]\nkind = \"adam\"\n"
          "lr = 0.001\n"
          "[train]\nepochs = 24\nbatch_size = 16\n");
  }
  void train(const std::string& arguments) const {
    const Ran ran = run("train " + arguments + " --quiet");
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  void train_first_two() const {
    train("gpt.toml --out gpt");
    train("reward.toml --out reward");
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  /// Expects the same bits of a whole run, of a run that is stopped and resumed, and with two threads.
  void expect_same_bits(const std::string& config, int stop) const {
    train(config + " --out one --threads 1");
    train(config + " --out two --threads 2");
    EXPECT_EQ(model("one"), model("two"));
    train(config + " --out parts --threads 2 --stop-after " + std::to_string(stop));
    const Ran resumed = run("train parts --resume --quiet --threads 1");
    ASSERT_EQ(resumed.code, 0) << resumed.err;
    EXPECT_EQ(model("one"), model("parts"));
    EXPECT_EQ(read_text(path("one/media.jsonl")), read_text(path("parts/media.jsonl")));
  }

 private:
  std::pair<std::string, int> words() {
    static constexpr const char* known[] = {"yes", "no", "maybe", "so"};
    const auto draw = [&](unsigned below) { return ((state_ = state_ * 1664525U + 1013904223U) >> 16) % below; };
    std::pair<std::string, int> text;
    for (unsigned i = 2 + draw(4); i > 0; --i) {
      const unsigned word = draw(4);
      text.first += (text.first.empty() ? "" : " ") + std::string(known[word]);
      text.second += word == 0 ? 1 : 0;
    }
    return text;
  }
  void write_pairs(const std::string& name, int rows) {
    std::string table = "prompt,first,first_score,second,second_score\n";
    for (int row = 0; row < rows;) {
      const auto [first, a] = words();
      const auto [second, b] = words();
      if (a == b) continue;
      table += "say:," + first + "," + std::to_string(a) + "," + second + "," + std::to_string(b) + "\n";
      ++row;
    }
    write(name, table);
  }
  unsigned state_ = 1;
};

TEST_F(PreferenceRuns, ARewardOrdersPairsAndBothPoliciesIncreaseIt) {
  train_first_two();
  const nlohmann::json reward = run("evaluate reward --json").json();
  const Ran again = run("train reward.toml --out again --epochs 1");
  EXPECT_NE((again.out + again.err).find("texts of up to 16 tokens"), std::string::npos) << again.out << again.err;
  EXPECT_EQ(shell("mkdir -p else && cd else && " + command() + " evaluate ../reward --json").json().at("log loss"),
            reward.at("log loss"))
      << "from another folder";
  EXPECT_GE(reward.at("ordered right").get<double>(), 0.9) << reward;
  train("reward.toml --out pairs --set system.pairs=512");
  const nlohmann::json pairs = run("evaluate pairs --json").json();
  EXPECT_GE(pairs.at("ordered right").get<double>(), 0.95) << pairs;
  EXPECT_NE(pairs.at("log loss"), reward.at("log loss"));
  EXPECT_GE(reward.at("baselines").at("bag of words").at("ordered right").get<double>(), 0.9) << reward;
  EXPECT_TRUE(reward.at("baselines").contains("the longer text"));

  train("dpo.toml --out dpo");
  const nlohmann::json dpo = run("evaluate dpo --json").json();
  EXPECT_GE(dpo.at("told apart").get<double>(), 0.8) << dpo;
  train("dpo.toml --out rated --set system.reward=pairs");
  EXPECT_NE(run("evaluate rated --json").json().at("reward"), dpo.at("reward"));
  train("ppo.toml --out ppo");
  const nlohmann::json ppo = run("evaluate ppo --json").json();
  for (const nlohmann::json& tuned : {dpo, ppo}) {
    const nlohmann::json& before = tuned.at("baselines").at("before");
    EXPECT_GT(tuned.at("reward").get<double>(), before.at("reward").get<double>() + 0.5) << tuned;
    EXPECT_NEAR(before.at("divergence").get<double>(), 0, 1e-4);
    EXPECT_GT(tuned.at("divergence").get<double>(), 0.1) << tuned;
    EXPECT_EQ(tuned.at("shown").size(), 2u);
  }
  EXPECT_LT(ppo.at("divergence").get<double>(), 4.5) << "the goal is three nats: " << ppo;
  const std::string log = read_text(path("ppo/metrics.jsonl"));
  double weight = 0;
  for (std::size_t place = 0; (place = log.find("\"divergence weight\":", place)) != std::string::npos; ++place)
    weight = std::max(weight, std::stod(log.substr(place + 20)));
  EXPECT_GT(weight, 0.35) << "it should rise from 0.3";
  for (const char* metric : {"\"reward\"", "\"divergence\"", "\"divergence weight\""})
    EXPECT_NE(log.find(metric), std::string::npos) << metric;
  EXPECT_NE(read_text(path("ppo/report.html")).find("what is written"), std::string::npos);

  const Ran made = run("generate ppo --count 5 --seed 3 --json");
  ASSERT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(made.json().at("count"), 5);
  const std::string texts = read_text(path("ppo/generated.txt"));
  EXPECT_EQ(std::ranges::count(texts, '\n'), 5) << texts;
  EXPECT_TRUE(texts.starts_with("say: ")) << texts;
  ASSERT_EQ(run("generate ppo --count 5 --seed 3 --out again").code, 0);
  EXPECT_EQ(read_text(path("again.txt")), texts);
}

TEST_F(PreferenceRuns, HaveTheSameBitsForAnyThreadsAndAfterAResume) {
  train_first_two();
  for (const auto& [config, stop] : {std::pair("reward.toml --epochs 2 --set system.pairs=512", 17),
                                     {"dpo.toml --epochs 2", 17},
                                     {"ppo.toml --epochs 8", 7}}) {
    expect_same_bits(config, stop);
    for (const char* folder : {"one", "two", "parts"}) std::filesystem::remove_all(path(folder));
  }
}

TEST_F(PreferenceRuns, RefuseModelsThatDoNotFitTogether) {
  train_first_two();
  const auto refused = [&](const std::string& arguments, int code, const std::string& why) {
    const Ran ran = run("train " + arguments + " --quiet");
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
    EXPECT_EQ(std::ranges::count(ran.err, '\n'), 1) << ran.err;
  };
  write("equal.csv", "prompt,first,first_score,second,second_score\nsay:,yes,1,no,0\nsay:,so,1,no,1\n");
  refused("reward.toml --set data.train=equal.csv", 3, "equal.csv, line 3: both texts have the score 1");
  refused("reward.toml --set data.group=kind", 3, "no column 'kind'");
  write("grouped.csv", "prompt,first,first_score,second,second_score,kind\nsay:,yes,1,no,0,\nsay:,so,0,yes,1,\n");
  refused("reward.toml --set data.train=grouped.csv --set data.group=kind", 3, "'kind' is empty in all rows");
  refused("reward.toml --set data.sequence_length=12", 2,
          "sequence_length = 12, but gpt = \"" + path("gpt").string() + "\" has 16");
  refused("dpo.toml --set data.vocabulary_size=300", 2, "vocabulary_size = 300, but gpt");
  refused("reward.toml --set data.tokenizer=characters", 2, "tokenizer = characters, but gpt");
  refused("dpo.toml --set 'system.prompts=[\"say: \"]'", 2, "the prompt 'say: '. Wanted: no blank around it");
  train("gpt.toml --out gpt2 --epochs 1 --set data.vocabulary_size=265");
  refused("dpo.toml --set data.gpt=gpt2", 2, "[system] gpt = \"" + path("gpt").string() + "\" is a run on data");
  refused("reward.toml --set system.gpt=reward", 2, "is a run of reward. Wanted: one of gpt");
  refused("reward.toml --set system.width=64", 2, "width = 64");
  refused("dpo.toml --set system.gpt=", 2, "gpt is not set");
  refused("ppo.toml --set system.reward=", 2, "reward is not set");
  refused("ppo.toml --set system.prompts=[]", 2, "prompts is empty");
  write("new.csv", read_text(path("pairs.csv")));
  // a reward with another vocabulary
  train(
      "reward.toml --out other --epochs 1 --set system.gpt= --set system.layers=1 --set system.width=16 "
      "--set system.heads=2 --set data.sequence_length=16");
  refused("ppo.toml --set system.reward=other", 2,
          "which are not the same. Wanted: a reward that was trained with gpt");
  refused("dpo.toml --set system.reward=other", 2, "which are not the same");
  // runs whose files have changed
  train("ppo.toml --out p --epochs 4 --stop-after 3");
  train("reward.toml --out reward2 --epochs 1");
  std::filesystem::copy_file(path("reward2/model.safetensors"), path("reward/model.safetensors"),
                             std::filesystem::copy_options::overwrite_existing);
  const Ran changed = run("train p --resume --quiet");
  EXPECT_EQ(changed.code, 3) << changed.err;
  EXPECT_NE(changed.err.find("its parameters have changed"), std::string::npos) << changed.err;
  write_table("t.csv");
  write("t.toml", "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"reward\"\n");
  refused("t.toml", 2, "format = \"preferences\"");
}

}  // namespace
}  // namespace thalweg::testing
