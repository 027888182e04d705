// Systems that generate their own data in the command: a policy learns from its episodes, a game from self-play.

#include "command.hpp"

namespace thalweg::testing {
namespace {

constexpr const char* policy = R"([system]
kind = "policy"
environments = 8
steps = 32
passes = 4
[optimizer]
kind = "adam"
lr = 0.002
[train]
epochs = 40
batch_size = 64
)";

constexpr const char* self_play = R"([system]
kind = "self_play"
games = 16
simulations = 2
rows = 256
passes = 2
filters = 8
blocks = 1
hidden = 16
trial_games = 32
trial_playouts = 20
[train]
epochs = 12
batch_size = 64
)";

struct Short {
  std::string name, config, goal;
  std::int64_t inside = 0;  ///< a step in the middle of a collection and of a pass over it
};

class Playing : public CommandTest, public ::testing::WithParamInterface<Short> {
 protected:
  void train(const std::string& arguments) const {
    const Ran ran = run("train s.toml --quiet " + arguments);
    ASSERT_EQ(ran.code, 0) << ran.err;
  }
  [[nodiscard]] std::string model(const std::string& folder) const {
    return read_text(path(folder + "/model.safetensors"));
  }
  [[nodiscard]] std::vector<double> course(const std::string& folder) const {
    std::vector<double> values;
    std::istringstream lines(read_text(path(folder + "/metrics.jsonl")));
    for (std::string line; std::getline(lines, line);) {
      const auto entry = nlohmann::json::parse(line);
      if (entry.contains("metrics") && entry["metrics"].contains(GetParam().goal))
        values.push_back(entry["metrics"][GetParam().goal]);
    }
    return values;
  }
};

TEST_P(Playing, LearnsWithTheSameBitsForAnyThreadsAndAfterAResume) {
  write("s.toml", GetParam().config);
  train("--out one --threads 1");
  train("--out two --threads 2");
  EXPECT_EQ(model("one"), model("two"));
  train("--out stopped --stop-after " + std::to_string(GetParam().inside));
  const nlohmann::json so_far = run("evaluate stopped --json").json();
  EXPECT_EQ(so_far["step"], GetParam().inside);
  EXPECT_TRUE(so_far.contains("baselines")) << so_far;
  const Ran resumed = run("train stopped --resume --quiet");
  ASSERT_EQ(resumed.code, 0) << resumed.err;
  EXPECT_EQ(model("one"), model("stopped"));
  EXPECT_EQ(course("one"), course("stopped"));
  const std::vector<double> rose = course("one");
  ASSERT_GE(rose.size(), 10u);
  EXPECT_GT(rose.back(), rose.front());
  EXPECT_NE(read_text(path("one/report.html")).find(GetParam().goal), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Table, Playing,
                         ::testing::Values(Short{"policy", policy, "episode length", 22},
                                           Short{"self_play", self_play, "points against plain search", 22}),
                         [](const auto& row) { return row.param.name; });

class PlayCommand : public CommandTest {};

TEST_F(PlayCommand, APolicyIsComparedWithARandomOneAndCanBeWatched) {
  write("s.toml", policy);
  const Ran trained = run("train s.toml --out run --json");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_NE(std::string(trained.json()["verdict"]["sentence"]).find("episode length"), std::string::npos)
      << trained.out;
  const nlohmann::json figures = run("evaluate run --json").json();
  EXPECT_EQ(figures["on"], "100 episodes");
  EXPECT_GT(figures["episode length"], figures["baselines"]["at random"]["episode length"]);
  EXPECT_NEAR(figures["baselines"]["at random"]["episode length"], 22, 4);
  const Ran watched = run("play run --seed 3");
  EXPECT_EQ(watched.code, 0);
  EXPECT_NE(watched.out.find("step   0"), std::string::npos) << watched.out;
  EXPECT_NE(watched.out.find(" steps, return "), std::string::npos) << watched.out;
  EXPECT_EQ(run("play run --seed 3").out, watched.out);
  EXPECT_EQ(run("play run --seed 3 --json").json()["over"], true);
  const Ran inspected = run("inspect run");
  EXPECT_EQ(inspected.code, 4);
  EXPECT_EQ(inspected.err.find("thalweg generate"), std::string::npos)
      << "a policy generates nothing: " << inspected.err;
  const Ran sides = run("play run --side second");
  EXPECT_EQ(sides.code, 2);
  EXPECT_NE(sides.err.find("cartpole has no sides"), std::string::npos) << sides.err;
}

TEST_F(PlayCommand, AShortRunAdvisesOnceHowToMeasureIt) {
  write("s.toml", policy);
  const Ran trained = run("train s.toml --out run --json --epochs 1");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(trained.json()["verdict"]["advice"], "Measure it: thalweg evaluate.");
}

TEST_F(PlayCommand, ABudgetJudgesAPolicyByItsEpisodesAndNotByItsLoss) {
  write("s.toml", policy);  // its loss may rise while it learns, because the returns that it predicts grow
  const Ran trained = run("train s.toml --out run --json --set train.budget='2 h'");
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_FALSE(trained.json().contains("stopped_at")) << trained.out;
}

TEST_F(PlayCommand, AGameIsPlayedAgainstAPersonAndExplainsInvalidMoves) {
  write("s.toml", std::string(self_play) + "steps = 2\n");
  ASSERT_EQ(run("train s.toml --out run --quiet").code, 0);
  const Ran ended = shell("printf '5\\n5\\nx\\n' | " + command() + " play run");
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* part : {"tic_tac_toe: you move first", "your move (1 2 3 4 5 6 7 8 9): ", "5 is not possible now",
                           "x is not a move of this game", "it moves ", "ended after 2 moves"})
    EXPECT_NE(ended.out.find(part), std::string::npos) << part << "\n" << ended.out;
  const Ran whole = shell("for i in 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9; do echo $i; done | " + command() +
                          " play run --side second");
  EXPECT_EQ(whole.code, 0);
  const bool over = whole.out.find("you win after") != std::string::npos ||
                    whole.out.find("it wins after") != std::string::npos ||
                    whole.out.find("a draw after") != std::string::npos;
  EXPECT_TRUE(over) << whole.out;
  EXPECT_EQ(run("play run --side third").code, 2);
  EXPECT_EQ(run("play run --json").code, 2);
  const nlohmann::json figures = run("evaluate run --json").json();
  EXPECT_GE(figures["drawn with perfect play"], 1);
  EXPECT_EQ(figures["won against perfect play"], 0);
  EXPECT_TRUE(figures["baselines"]["untrained"].contains("lost to any play"));
}

/// Collections take long here, so the signal arrives during one, after the command has installed its handler.
TEST_F(PlayCommand, ASignalEndsACollectionAndTheRunCanGoOn) {
  write("games.toml",
        "[system]\nkind = \"self_play\"\nenvironment = \"connect_four\"\nsimulations = 20000\ntrial_games = 0\n");
  write("steps.toml", "[system]\nkind = \"policy\"\nsteps = 200000\nenvironments = 8\n");
  const auto stopped = [&](const std::string& arguments, const std::string& signal) {
    return shell(command() + " train " + arguments + " --threads 1 & pid=$!; for i in $(seq 600); do " +
                 "readlink /proc/$pid/exe | grep -q thalweg && grep -q 'SigCgt.*[2367abef]$' /proc/$pid/status && "
                 "break; sleep 0.1; done; kill -" +
                 signal + " $pid; wait $pid");
  };
  for (const auto& [name, signal] : {std::pair("games", "INT"), {"steps", "TERM"}}) {
    for (const std::string& arguments : {name + std::string(".toml --out ") + name, name + std::string(" --resume")}) {
      const Ran ran = stopped(arguments, signal);
      EXPECT_EQ(ran.code, std::string(signal) == "INT" ? 130 : 143) << ran.err;
      EXPECT_NE(ran.out.find("stopped at step 0; the checkpoint is in"), std::string::npos) << ran.out << ran.err;
    }
  }
}

TEST_F(PlayCommand, RefusesInvalidOptions) {
  write_table("t.csv");
  const auto refused = [&](const std::string& text, const std::string& why) {
    write("s.toml", text);
    const Ran ran = run("train s.toml --quiet");
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(why), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(path("runs/s")));
  };
  refused("[system]\nkind = \"policy\"\nenvironment = \"cartpol\"\n", "cartpole");
  refused("[system]\nkind = \"policy\"\nenvironment = \"connect_four\"\n", "for two");
  refused("[system]\nkind = \"self_play\"\nenvironment = \"cartpole\"\n", "for one");
  refused("[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n[system]\nkind = \"policy\"\n", "makes its own rows");
  refused("[data]\nformat = \"none\"\ntrain = \"t.csv\"\n[system]\nkind = \"policy\"\n", "reads no data");
  refused("[data]\nformat = \"none\"\nvalidation = 0.1\n[system]\nkind = \"policy\"\n", "Wanted: 0");
  refused("[data]\nformat = \"none\"\n[model]\nkind = \"mlp\"\n", "there is none");
  refused("[system]\nkind = \"vae\"\n", "Wanted: images");
  const std::string games = "[system]\nkind = \"self_play\"\nenvironment = \"tic_tac_toe\"\n";
  refused(games + "trial_games = 1000000000000\n", "trial_games");
  refused(games + "random_moves = 9223372036854775807\n", "random_moves");
  refused(games + "value_scale = 1e308\n", "value_scale");
  refused("[system]\nkind = \"policy\"\n[optimizer]\nlr = \"auto\"\n", "policy is a system");
  EXPECT_EQ(run("play t.csv").code, 4);
  EXPECT_EQ(run("play nowhere").code, 2);
}

}  // namespace
}  // namespace thalweg::testing
