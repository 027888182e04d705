// The system `recommender` in the command: trained on a table, measured, queried, stopped and resumed.

#include <cmath>
#include <set>

#include "command.hpp"
#include "store/safetensors.hpp"

namespace thalweg::testing {
namespace {

class Recommender : public CommandTest {
 protected:
  /// Writes ratings of two kinds of things by people of two tastes. Some people rate all things higher.
  void write_ratings(int people = 60) const {
    std::string text = "who,what,stars,kind\n";
    unsigned state = 3;
    for (int person = 0; person < people; ++person) {
      for (int thing = 0; thing < 20; ++thing) {
        state = state * 1664525U + 1013904223U;
        if ((state >> 16) % 10 < 3) continue;
        const bool likes = person % 2 == thing % 2;
        const int noise = static_cast<int>((state >> 20) % 5) - 2;
        text += "p" + std::to_string(person) + ",t" + std::to_string(thing) + "," +
                std::to_string((likes ? 4.0 : 2.0) + 0.2 * (person % 3) + 0.1 * noise) + "," +
                (thing % 2 == 0 ? "even" : "odd") + "\n";
      }
    }
    write("r.csv", text);
    write(
        "r.toml",
        "seed = 1\n[data]\ntrain = \"r.csv\"\nuser = \"who\"\nitem = \"what\"\nrating = \"stars\"\nside = [\"kind\"]\n"
        "wanted = 3\n[system]\nkind = \"recommender\"\nwidth = 4\nbias_ridge = 1\nfactor_ridge = 0.5\n"
        "[train]\nepochs = 30\nbatch_size = 32\n");
  }
  [[nodiscard]] std::string model(const std::string& run) const { return read_text(path(run + "/model.safetensors")); }
};

TEST_F(Recommender, LearnsTastesBesidesBiases) {
  write_ratings();
  const Ran ran = run("train r.toml --out r --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const nlohmann::json line = ran.json(), biases = line["baselines"].begin().value();
  EXPECT_LT(line["rmse"], 0.4);
  EXPECT_GT(biases["rmse"], 0.8);
  EXPECT_GT(line["ndcg at 3"], biases["ndcg at 3"]);
  EXPECT_GT(line["precision at 3"], biases["precision at 3"]);
  const nlohmann::json again = run("evaluate r --json").json();
  EXPECT_EQ(again["rmse"], line["rmse"]);
  EXPECT_EQ(again["baselines"], line["baselines"]);
  EXPECT_LT(run("evaluate r --data r.csv --json").json()["rmse"], 0.4);
}

TEST_F(Recommender, RecommendsUnratedThingsThatSuitTheTaste) {
  write_ratings();
  ASSERT_EQ(run("train r.toml --out r -q --set data.test_part=0.1").code, 0);
  const Ran ran = run("predict r --user p4 --top 3 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::vector<double> ratings;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    ratings.push_back(line["stars"]);
    EXPECT_EQ(std::stoi(line["what"].get<std::string>().substr(1)) % 2, 0) << ran.out;
  }
  EXPECT_EQ(ratings.size(), 3u);
  EXPECT_TRUE(std::is_sorted(ratings.rbegin(), ratings.rend()));
  EXPECT_NE(run("predict r --user '' --top 2").err.find("the user '' was never seen"), std::string::npos);
  const Ran stranger = run("predict r --user nobody --top 2");
  EXPECT_EQ(stranger.code, 0);
  EXPECT_NE(stranger.err.find("the user 'nobody' was never seen"), std::string::npos) << stranger.err;
}

/// Recommendations are all things that the person did not rate in training, each with the prediction of its row.
TEST_F(Recommender, RecommendsAllUnratedThingsWithTheirPredictedRatings) {
  write_ratings();
  ASSERT_EQ(run("train r.toml --out r -q").code, 0);
  const SafetensorsFile file = read_safetensors(path("r/model.safetensors"));
  const auto levels = nlohmann::json::parse(file.metadata.at("levels"));
  const auto rated = file.tensor("rated").values<std::int32_t>();
  std::set<std::string> all, recommended;
  for (const auto& name : levels[1]) all.insert(name.get<std::string>());
  std::string table = "who,what,kind\n";
  for (std::size_t i = 0; i + 1 < rated.size(); i += 2) {
    if (levels[0][static_cast<std::size_t>(rated[i])] == "p4")
      all.erase(levels[1][static_cast<std::size_t>(rated[i + 1])].get<std::string>());
  }
  ASSERT_LT(all.size(), 15u);
  const Ran ran = run("predict r --user p4 --top 20 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::istringstream lines(ran.out);
  std::vector<double> ratings;
  for (std::string text; std::getline(lines, text);) {
    const auto line = nlohmann::json::parse(text);
    const std::string what = line["what"];
    EXPECT_TRUE(recommended.insert(what).second) << what;
    ratings.push_back(line["stars"]);
    table += "p4," + what + (std::stoi(what.substr(1)) % 2 == 0 ? ",even\n" : ",odd\n");
  }
  EXPECT_EQ(recommended, all);
  write("rows.csv", table);
  const Ran rows = run("predict r --data rows.csv");
  std::istringstream predicted(rows.out);
  std::string text;
  std::getline(predicted, text);
  for (const double rating : ratings) {
    std::getline(predicted, text);
    EXPECT_NEAR(std::stod(text), rating, 1e-4) << rows.out;
  }
}

TEST_F(Recommender, AnInvalidModelIsRefusedByName) {
  write_ratings(10);
  ASSERT_EQ(run("train r.toml --out r -q --epochs 1").code, 0);
  const SafetensorsFile whole = read_safetensors(path("r/model.safetensors"));
  for (const auto& [own, tensor] : whole.tensors) {
    SafetensorsFile file = whole;
    for (auto& [name, changed] : file.tensors) {
      if (name == own) changed = tensor.dtype() == f64 ? tensor.to(f32) : tensor.to(f64);
    }
    write_safetensors(path("r/model.safetensors"), file);
    EXPECT_EQ(run("predict r --user p4").code, 4) << own << read("err.txt");
    if (!is_float(tensor.dtype()) || tensor.size() == 0) continue;
    file = whole;
    for (auto& [name, changed] : file.tensors) {
      if (name == own) changed.set(0, std::nan(""));
    }
    write_safetensors(path("r/model.safetensors"), file);
    EXPECT_EQ(run("predict r --user p4").code, 4) << own << read("err.txt");
  }
}

TEST_F(Recommender, PredictsRowsAndReportsUnknownUsersAndItems) {
  write_ratings();
  ASSERT_EQ(run("train r.toml --out r -q").code, 0);
  write("new.csv", "id,what,who,kind\n7,t2,p4,even\n8,t3,p4,odd\n9,tx,px,blue\n");
  const Ran ran = run("predict r --data new.csv --keep id");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.out.starts_with("id,stars\n7,4")) << ran.out;
  EXPECT_NE(ran.out.find("\n8,2"), std::string::npos) << ran.out;
  EXPECT_NEAR(std::stod(ran.out.substr(ran.out.find("\n9,") + 3)), 3.2, 0.5)
      << ran.out;  // the mean rating, because all is unknown
  EXPECT_NE(ran.err.find("1 row of users and 1 of items that were never seen"), std::string::npos) << ran.err;
  write("other.csv", "id,what\n7,t2\n");
  EXPECT_EQ(run("predict r --data other.csv").code, 3);
}

TEST_F(Recommender, AResumedRunHasTheSameBitsWithOtherThreads) {
  write_ratings();
  ASSERT_EQ(run("train r.toml --out whole -q --threads 1").code, 0);
  ASSERT_EQ(run("train r.toml --out parts -q --threads 2 --stop-after 101").code, 0);  // an epoch has about 19 steps
  ASSERT_EQ(run("train r.toml --out parts -q --threads 3 --resume").code, 0);
  EXPECT_TRUE(model("whole") == model("parts"));
  ASSERT_EQ(run("train r.toml --out other -q --stop-after 10").code, 0);
  write_ratings(50);
  const Ran changed = run("train r.toml --out other -q --resume");
  EXPECT_EQ(changed.code, 3);
  EXPECT_NE(changed.err.find("other users"), std::string::npos) << changed.err;
}

TEST_F(Recommender, FoldsReportTheGainOverTheBiasesWithAnInterval) {
  write_ratings();
  const Ran ran = run("train r.toml --cv 3 --json -q");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const nlohmann::json line = ran.json();
  EXPECT_EQ(line["folds"], 3);
  EXPECT_LT(line["difference"]["rmse"]["high"], 0);
  EXPECT_NEAR(line["difference"]["rmse"]["mean"].get<double>(),
              line["rmse"].get<double>() - line["baseline"]["rmse"].get<double>(), 1e-9);
}

/// In some folds no user has both a liked and a disliked item, so these folds have no ranking metrics.
TEST_F(Recommender, FoldsWithoutARankingAreLeftOutOfItsMean) {
  std::string table = "who,what,stars\n";
  for (int u = 0; u < 8; ++u)
    for (int i = 0; i < 8; ++i)
      table += "u" + std::to_string(u) + ",i" + std::to_string(i) + ((u + i) % 4 == 0 ? ",5\n" : ",1\n");
  write("few.csv", table);
  write("few.toml",
        "[data]\ntrain = \"few.csv\"\nuser = \"who\"\nitem = \"what\"\nrating = \"stars\"\n"
        "[system]\nkind = \"recommender\"\nwidth = 2\n[train]\nepochs = 1\n");
  bool some_missing = false;
  for (const int seed : {1, 8, 21, 22}) {
    const Ran ran = run("train few.toml --cv 12 -q --json --set seed=" + std::to_string(seed));
    ASSERT_EQ(ran.code, 0) << ran.err;
    const nlohmann::json line = ran.json();
    for (const auto& [name, more] : line["difference"].items()) {
      some_missing = some_missing || more["folds"] < 12;
      if (name == "rmse") continue;
      for (const double value : {line[name].get<double>(), line["baseline"][name].get<double>()}) {
        EXPECT_GE(value, 0) << name << seed;
        EXPECT_LE(value, 1) << name << seed;
      }
    }
  }
  EXPECT_TRUE(some_missing) << "no fold lacked a metric, so the case was not tested";
}

TEST_F(Recommender, RatingsDrawnAtRandomTeachNothing) {
  std::string table = "who,what,stars\n";
  unsigned state = 7;
  for (int u = 0; u < 40; ++u)
    for (int i = 0; i < 20; ++i)
      table += "u" + std::to_string(u) + ",i" + std::to_string(i) + "," +
               std::to_string(1 + (state = state * 1664525U + 1013904223U) / 858993460U) + "\n";
  write("noise.csv", table);
  write("noise.toml",
        "[data]\ntrain = \"noise.csv\"\nuser = \"who\"\nitem = \"what\"\nrating = \"stars\"\n"
        "[system]\nkind = \"recommender\"\nwidth = 2\n[train]\nepochs = 15\n");
  const Ran ran = run("train noise.toml -q --json --out noise");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["verdict"]["kind"], "learned nothing") << ran.out;
}

TEST_F(Recommender, UnsuitableOptionsAreRefusedByName) {
  write_ratings(10);
  EXPECT_NE(run("list systems").out.find("recommender"), std::string::npos);
  const std::vector<std::pair<std::string, int>> refused = {
      {"--set data.user=whom", 3},    {"--set 'data.side=[\"who\"]'", 2},
      {"--set system.width=-1", 2},   {"--set data.train=nowhere.csv", 2},
      {"--optimizer lamb", 2},        {"--set data.wanted=many", 2},
      {"--set data.validation=0", 2}, {"--set system.rank=3", 2}};
  for (const auto& [option, code] : refused) EXPECT_EQ(run("train r.toml -q " + option).code, code) << option;
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y -q --epochs 1 --out t").code, 0);
  EXPECT_EQ(run("predict t --user p1").code, 2);
}

}  // namespace

class SlowRecommender : public CommandTest {
 protected:
  /// The means of five splits.
  [[nodiscard]] nlohmann::json folds(const std::string& example) const {
    const Ran ran = run("train " + std::string(source_folder()) + "/examples/" + example + " --cv 5 -q --json");
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  }
};

TEST_F(SlowRecommender, LecturersAreRatedBetterThanByBiases) {
  if (!std::filesystem::exists(real_table("ratings.csv"))) GTEST_SKIP() << "run ./dev data recommender first";
  const nlohmann::json line = folds("recommender.toml");
  EXPECT_LT(line["rmse"], 1.2);
  EXPECT_NEAR(line["baseline"]["rmse"].get<double>(), 1.206, 0.005);
  EXPECT_LT(line["difference"]["rmse"]["high"], 0);
  EXPECT_GT(line["difference"]["ndcg at 3"]["low"], 0);
}

TEST_F(SlowRecommender, MoviesAreRatedBetterThanByBiases) {
  if (!std::filesystem::exists(real_table("movie_ratings.csv"))) GTEST_SKIP() << "run ./dev data movies first";
  const nlohmann::json line = folds("movies.toml");
  EXPECT_LT(line["rmse"], 0.87);
  EXPECT_NEAR(line["baseline"]["rmse"].get<double>(), 0.888, 0.005);
  EXPECT_LT(line["difference"]["rmse"]["high"], -0.005);
  EXPECT_GT(line["difference"]["ndcg at 3"]["low"], 0);
}

}  // namespace thalweg::testing
