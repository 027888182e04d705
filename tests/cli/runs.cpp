// Runs from beginning to end: folders, resuming, predictions.

#include "command.hpp"
#include "places.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "sanitized.hpp"
#include "thalweg/model.hpp"

namespace thalweg::testing {
namespace {

namespace fs = std::filesystem;

class Runs : public CommandTest {};

TEST_F(Runs, ATableAndATargetAreEnough) {
  write_table("t.csv");
  const Ran ran = run("train t.csv --target y");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("regression of y"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("runs/t"), std::string::npos) << ran.out;
  for (const char* file : {"config.toml", "metrics.jsonl", "model.safetensors", "checkpoints", "report.html"}) {
    EXPECT_TRUE(fs::exists(path("runs/t") / file)) << file;
  }
  EXPECT_EQ(fs::read_symlink(path("runs/latest")), "t");
  EXPECT_LT(run("evaluate runs/t --json").json()["rmse"].get<double>(), 0.8);
}

TEST_F(Runs, InspectMeasuresAStep) {
  write_table("t.csv");
  const auto step = run("inspect t.csv --target y --measure --threads 1 --json").json()["step"];
  for (const char* part : {"forward", "backward", "update"}) {
    EXPECT_GT(step[part]["seconds"].get<double>(), 0) << part;
    EXPECT_GT(step[part]["flops"].get<std::int64_t>(), 0) << part;
    EXPECT_GT(step[part]["bytes"].get<std::int64_t>(), 0) << part;
  }
  EXPECT_EQ(step["threads"], 1);
  const auto cut = run("inspect t.csv --target y --measure --set train.shard_size=5 --batch-size 32 --json").json();
  EXPECT_EQ(cut["step"]["shards"], 7);
  const Ran text = run("inspect t.csv --target y --measure --set train.memory=lean");
  EXPECT_NE(text.out.find("% of the peak"), std::string::npos) << text.out;
  EXPECT_FALSE(fs::exists(path("runs")));
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  EXPECT_EQ(run("inspect runs/t --measure").code, 2);
}

TEST_F(Runs, InspectShortensTheKnotsOfATable) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const std::string out = run("inspect runs/t").out;
  EXPECT_NE(out.find("and 31 more\""), std::string::npos) << out;  // two columns of 17 knots each
  EXPECT_LT(out.find('\n'), 400U) << out;
}

TEST_F(Runs, LeanMemoryTrainsTheSameModel) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 2 --quiet --out fast").code, 0);
  ASSERT_EQ(run("train t.csv --target y --epochs 2 --quiet --out lean --set train.memory=lean").code, 0);
  EXPECT_EQ(read_text(path("lean/model.safetensors")), read_text(path("fast/model.safetensors")));
}

TEST_F(Runs, ThreadsComeFromTheEnvironment) {
  write_table("t.csv");
  const std::string measure = command() + " inspect t.csv --target y --measure --json";
  EXPECT_EQ(shell("THALWEG_THREADS=3 " + measure).json()["step"]["threads"], 3);
  EXPECT_EQ(shell("THALWEG_THREADS=3 " + measure + " --threads 2").json()["step"]["threads"], 2);
}

TEST_F(Runs, AFinishedFolderIsNeverOverwritten) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  const std::string model = read_text(path("runs/t/model.safetensors"));
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --seed 2 --quiet").code, 0);
  EXPECT_EQ(read_text(path("runs/t/model.safetensors")), model);
  EXPECT_NE(read_text(path("runs/t-2/model.safetensors")), model);
  EXPECT_EQ(fs::read_symlink(path("runs/latest")), "t-2");
}

TEST_F(Runs, AFolderInUseIsRefused) {
  write_table("t.csv");
  const std::string train = command() + " train t.csv --target y --quiet --out here";
  const Ran ran = shell(train +
                        " --epochs 1000000 >first.txt 2>&1 & first=$!; "
                        "while [ ! -e here/metrics.jsonl ]; do sleep 0.05; done; " +
                        train + " --epochs 1; code=$?; kill -9 $first; exit $code");
  EXPECT_EQ(ran.code, 2) << ran.err;
  EXPECT_NE(ran.err.find("in use"), std::string::npos) << ran.err;
}

TEST_F(Runs, TheResolvedConfigurationTrainsTheSameModel) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 3 --quiet").code, 0);
  ASSERT_EQ(run("train runs/t/config.toml --out again --quiet").code, 0);
  EXPECT_EQ(read_text(path("again/config.toml")), read_text(path("runs/t/config.toml")));
  EXPECT_EQ(read_text(path("again/model.safetensors")), read_text(path("runs/t/model.safetensors")));
}

TEST_F(Runs, StoppedAndResumedGivesTheSameBits) {
  write_table("t.csv");
  const std::string train = "train t.csv --target y --epochs 6 --quiet ";
  ASSERT_EQ(run(train + "--out whole").code, 0);
  ASSERT_EQ(run(train + "--out parts --stop-after 7").code, 0);
  ASSERT_EQ(run(train + "--out parts --resume --stop-after 13 --threads 1").code, 0);
  const Ran last = run("train parts --resume --quiet");
  ASSERT_EQ(last.code, 0) << last.err;
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));

  std::ifstream whole(path("whole/metrics.jsonl")), parts(path("parts/metrics.jsonl"));
  std::string a, b;
  while (std::getline(whole, a)) {
    ASSERT_TRUE(std::getline(parts, b));
    auto left = nlohmann::json::parse(a), right = nlohmann::json::parse(b);
    left.erase("seconds");
    right.erase("seconds");
    EXPECT_EQ(left, right);
  }
  EXPECT_FALSE(std::getline(parts, b)) << b;
}

/// A long run logs each step whose gradient is more than 1000 times that of the first step. After resuming, that first
/// step is in an earlier sitting.
TEST_F(Runs, AResumedRunLogsTheSameExplodingStepsAsTheWholeRun) {
  std::string table = "x,y\n";
  for (int i = 0; i < 32; ++i) table += std::to_string(i) + "," + std::to_string(2 * i + i * i % 7) + "\n";
  write("t.csv", table);
  const std::string train =  // the gradient grows by 0.5 % in each step
      "train t.csv --target y --quiet --set model.kind=linear --set data.validation=0 --set train.batch_size=32 --set "
      "train.steps=4000 --set train.early_stopping=false --set schedule.kind=constant --set optimizer.kind=sgd --set "
      "optimizer.lr=1.0025 ";
  const auto logged = [&](const std::string& folder) {
    std::ifstream lines(path(folder + "/metrics.jsonl"));
    std::vector<int> steps;
    for (std::string line; std::getline(lines, line);) {
      const auto entry = nlohmann::json::parse(line);
      if (entry.contains("gradient_norm")) steps.push_back(entry["step"]);
    }
    return steps;
  };
  ASSERT_EQ(run(train + "--out whole").code, 0);
  ASSERT_EQ(run(train + "--out parts --stop-after 1000").code, 0);
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  EXPECT_GT(logged("whole").size(), 2500U);  // without exploding steps, 1000 of 4000 would be logged
  EXPECT_EQ(logged("parts"), logged("whole"));
}

TEST_F(Runs, AnotherConfigurationIsNotResumed) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --stop-after 2 --quiet").code, 0);
  const Ran other = run("train t.csv --target y --lr 0.5 --resume --quiet");
  EXPECT_EQ(other.code, 2);
  EXPECT_NE(other.err.find("optimizer.lr: 0.004 -> 0.5"), std::string::npos) << other.err;
}

TEST_F(Runs, KilledAtTenRandomMomentsAndResumedGivesTheSameBits) {
  write_table("t.csv");
  // some seconds of small steps with checkpoints in the middle of epochs; the process may be killed in any step
  const std::string options =
      " --target y --epochs 8000 --batch-size 1 --quiet --set train.checkpoint_every=997"
      " --set train.early_stopping.patience=1000000 --out ";
  ASSERT_EQ(run("train t.csv" + options + "whole").code, 0);
  int kills = 0;
  const auto killed_after = [&](int milliseconds, const std::string& arguments) {
    const std::string limit = "timeout -s KILL " + std::to_string(milliseconds / 1000.0) + " ";
    kills += shell(limit + command() + " train " + arguments).code == 137;
  };
  killed_after(address_sanitizer || thread_sanitizer ? 6000 : 600, "t.csv" + options + "parts");  // a first checkpoint
  for (int i = 1; kills < 10 && i < 30; ++i)
    killed_after((address_sanitizer || thread_sanitizer ? 400 : 80) + i * 7919 % 220, "parts --resume --quiet");
  EXPECT_EQ(kills, 10) << "the run ended before it was killed ten times";
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));
}

TEST_F(Runs, PredictionsMatchColumnsByNameAndAModelInCpp) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 5 --quiet").code, 0);
  write("new.csv", "kind,extra,b,a\nu,x,1.25,3.5\nw,x,7.1,0.3\nz,x,2,4\n");
  const Ran ran = run("predict runs/t < new.csv");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("column kind: 1 value"), std::string::npos) << ran.err;

  const Model model = Model::load(path("runs/t"));
  EXPECT_EQ(model.input_names(), (std::vector<std::string>{"a", "b", "kind"}));
  std::istringstream lines(ran.out);
  std::string line;
  std::getline(lines, line);
  EXPECT_EQ(line, "y");
  const std::vector<std::vector<std::string_view>> rows = {{"3.5", "1.25", "u"}, {"0.3", "7.1", "w"}, {"4", "2", "z"}};
  for (const auto& row : rows) {
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_EQ(std::stod(line), model.predict_cells(row).value);
  }
  EXPECT_FALSE(std::getline(lines, line));
}

/// A wrong cell far from all others gives no absurd prediction.
TEST_F(Runs, PredictionsStayAmongTheTargetsThatWereSeen) {
  write_table("t.csv");
  write("far.csv", "a,b,kind\n1e6,1,u\n-1e6,1,v\n3,1e7,w\n3,-1e7,u\n");
  const auto predicted = [&](const std::string& options) {
    EXPECT_EQ(run("train t.csv --target y --epochs 2 --quiet --out m " + options).code, 0);
    std::vector<double> values;
    const Ran far = run("predict m --data far.csv");
    std::istringstream lines(far.out);
    std::string line;
    for (std::getline(lines, line); std::getline(lines, line);) values.push_back(std::stod(line));
    EXPECT_EQ(far.err.find("4 of 4 predictions are at the limits of the model") != std::string::npos, options.empty())
        << far.err;
    EXPECT_EQ(run("predict m --data t.csv").err, "");
    std::filesystem::remove_all(path("m"));
    return values;
  };
  const auto within = [](double value) { return value > -11 && value < 23; };  // 2a - b + kind of a, b up to 10
  const std::vector<double> bounded = predicted(""), free = predicted("--set 'model.limits=[-1e9, 1e9]'");
  ASSERT_EQ(bounded.size(), 4U);
  EXPECT_TRUE(std::ranges::all_of(bounded, within));
  EXPECT_TRUE(std::ranges::none_of(free, within));
}

TEST_F(Runs, PredictKeepsTheColumnsAskedFor) {
  write_table("t.csv");
  ASSERT_EQ(run("train t.csv --target y --epochs 1 --quiet").code, 0);
  write("new.csv", "kind,\"i,d\",b,a,y\nu,x,1.25,3.5,0\nw,\"1,5\",7.1,0.3,1\n");
  const Ran kept = run("predict runs/t --data new.csv --keep '\"i,d\",y'");
  ASSERT_EQ(kept.code, 0) << kept.err;
  EXPECT_TRUE(kept.out.starts_with("\"i,d\",y,predicted y\nx,0,")) << kept.out;
  EXPECT_NE(kept.out.find("\n\"1,5\",1,"), std::string::npos) << kept.out;
  EXPECT_TRUE(run("predict runs/t --data new.csv --keep 'i,d'").out.starts_with("\"i,d\",y\nx,"));
  EXPECT_TRUE(run("predict runs/t --data new.csv --keep '*'").out.starts_with("kind,\"i,d\",b,a,y,predicted y\n"));
  EXPECT_NE(run("predict runs/t --data new.csv --keep kind --json").out.find("{\"kind\":\"u\",\"y\":"),
            std::string::npos);
  const Ran idle = run("predict runs/t --data new.csv --top 3");
  EXPECT_EQ(idle.code, 2);
  EXPECT_NE(idle.err.find("--top has no effect"), std::string::npos) << idle.err;
  const Ran wrong = run("predict runs/t --data new.csv --keep knd");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_NE(wrong.err.find("did you mean 'kind'?"), std::string::npos) << wrong.err;
}

TEST_F(Runs, ATargetOfManyDigitsKeepsThem) {
  std::string text = "x,y\n";
  for (int i = 0; i < 200; ++i) text += std::to_string(i % 50) + "," + std::to_string(1700000000 + i % 50 * 2) + "\n";
  write("t.csv", text);
  const Ran trained = run("train t.csv --target y --model linear --epochs 60 --lr 0.05 --quiet --json");
  ASSERT_EQ(trained.code, 0) << trained.err;
  write("new.csv", "x\n10\n\n40\n");
  std::istringstream lines(run("predict runs/t < new.csv").out);
  std::vector<double> values;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) values.push_back(std::stod(line));
  ASSERT_EQ(values.size(), 3U) << "a line for each row, also for the empty one";
  EXPECT_NEAR(values[0], 1700000020, 10) << "one step of f32 is 128 here";
  EXPECT_NEAR(values[2], 1700000080, 10);
}

TEST_F(Runs, ClassesComeWithProbabilities) {
  std::string text = "x,kind\n";
  for (int i = 0; i < 90; ++i) text += std::to_string(i % 3 + 0.01 * i) + "," + "uvw"[i % 3] + "\n";
  write("c.csv", text);
  ASSERT_EQ(run("train c.csv --target kind --quiet").code, 0);
  const Ran ran = run("predict runs/c --data c.csv --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto last = ran.json();
  EXPECT_EQ(last["kind"], "w");
  double total = 0;
  for (const auto& [name, p] : last["probabilities"].items()) total += p.get<double>();
  EXPECT_NEAR(total, 1, 1e-6);
  EXPECT_EQ(run("predict runs/c --data c.csv").out.substr(0, 22), "kind,p(u),p(v),p(w)\nu,");
}

TEST_F(Runs, CrossValidationGivesMeanAndSpread) {
  write_table("t.csv", 60);
  const Ran ran = run("train t.csv --target y --epochs 20 --cv 3 --json --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["folds"], 3);
  EXPECT_GT(ran.json()["rmse"]["mean"].get<double>(), 0);
  EXPECT_GE(ran.json()["rmse"]["deviation"].get<double>(), 0);
  EXPECT_TRUE(fs::exists(path("runs/t-cv/folds.json")));
  EXPECT_TRUE(fs::exists(path("runs/t-cv/predictions.csv")));
}

TEST_F(Runs, DryRunAndPrintConfigLeaveNothingBehind) {
  write_table("t.csv");
  const Ran plan = run("train t.csv --target y --dry-run");
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_NE(plan.out.find("matmul"), std::string::npos) << plan.out;
  const Ran config = run("train t.csv --target y --print-config --set model.hidden=[3,2]");
  EXPECT_NE(config.out.find("hidden = [3, 2]"), std::string::npos) << config.out;
  EXPECT_FALSE(fs::exists(path("runs")));
}

TEST_F(Runs, AnotherOptimizerKeepsTheOptionsOfTheFileThatItHas) {
  write_table("t.csv");
  write("a.toml",
        "[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n"
        "[optimizer]\nkind = \"adamw\"\nlr = 0.02\nbeta2 = 0.99\nclip_norm = 1.5\n");
  const Ran ran = run("train a.toml --optimizer sgd --print-config");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("clip_norm = 1.5"), std::string::npos);
  EXPECT_NE(ran.out.find("lr = 0.02"), std::string::npos);
  EXPECT_EQ(ran.out.find("beta2"), std::string::npos);
}

TEST_F(Runs, ARunThatEndsInInfinityHasAVerdictToo) {
  write_table("t.csv");
  const std::string train = "train t.csv --target y --optimizer sgd --schedule constant --lr 10 --quiet";
  const Ran text = run(train);
  EXPECT_EQ(text.code, 5);
  EXPECT_NE(text.out.find("verdict     Diverged"), std::string::npos) << text.out << text.err;
  EXPECT_NE(text.out.find("to improve  Lower lr"), std::string::npos) << text.out;
  const Ran json = run(train + " --json");
  EXPECT_EQ(json.code, 5);
  EXPECT_EQ(json.json()["verdict"]["kind"], "diverged") << json.out;
  const auto step = json.json()["verdict"]["evidence"]["step"].get<int>();
  EXPECT_NE(json.err.find("step " + std::to_string(step) + ":"), std::string::npos) << json.err;
}

TEST_F(Runs, ResultsAreOnOutputAndProgressOnError) {
  write_table("t.csv");
  const Ran quiet = run("train t.csv --target y --epochs 2 --quiet");
  EXPECT_EQ(quiet.err, "");
  const Ran json = run("train t.csv --target y --epochs 2 --json");
  EXPECT_EQ(json.err, "");
  std::istringstream lines(json.out);
  std::string line;
  int objects = 0;
  while (std::getline(lines, line)) {
    EXPECT_TRUE(nlohmann::json::parse(line).is_object());
    ++objects;
  }
  EXPECT_EQ(objects, 3);  // two epochs and the result
  EXPECT_TRUE(json.json().contains("validation"));
  EXPECT_TRUE(json.json().contains("verdict"));
}

TEST_F(Runs, MetricsArePrintedBesideTheConstantAndALinearFit) {
  write_table("t.csv");  // y is linear in a, b and the category
  const Ran text = run("train t.csv --target y --epochs 40 --quiet --out r");
  ASSERT_EQ(text.code, 0) << text.err;
  EXPECT_NE(text.out.find(" (constant: "), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("the loss is of the standardised target"), std::string::npos) << text.out;
  const auto baselines = run("train t.csv --target y --epochs 40 --json --out r").json()["baselines"]["validation"];
  EXPECT_LT(baselines["linear"]["rmse"].get<double>(), 0.2 * baselines["constant"]["rmse"].get<double>());
  EXPECT_LT(baselines["constant"]["r2"].get<double>(), 0.01);
}

TEST_F(Runs, ClassesHaveTheirConfusionAndRecall) {
  std::string table = "x,y\n";
  for (int i = 0; i < 200; ++i) table += std::to_string(i % 10) + (i % 10 < 4 ? ",low\n" : ",high\n");
  write("t.csv", table);
  const Ran ran = run("train t.csv --target y --epochs 60 --quiet --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"always high", "confusion", "recall", "positive: "}) {
    EXPECT_NE(ran.out.find(part), std::string::npos) << part << " in " << ran.out;
  }
  EXPECT_NE(run("evaluate r --data t.csv").out.find("t.csv "), std::string::npos);
}

TEST_F(Runs, ATargetOfThousandsOfClassesHasASmallReport) {
  std::string table = "x,y\n";
  for (int i = 0; i < 8000; ++i) table += std::to_string(i) + ",c" + std::to_string(i % 4000) + "\n";
  write("t.csv", table);
  const Ran ran = run("train t.csv --target y --epochs 1 --quiet --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("classes: "), std::string::npos) << ran.out;
  EXPECT_LT(std::filesystem::file_size(path("r/report.html")), 3'000'000U);
}

}  // namespace
}  // namespace thalweg::testing
