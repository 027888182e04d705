// thalweg plan: for a configuration with data, from its own training step; for a gpt, by formulas; and calls that
// are refused.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class PlanCommand : public CommandTest {
 protected:
  void write_gpt() const {
    write("gpt2.toml",
          "[model]\nkind = \"gpt\"\nlayers = 12\nwidth = 768\nheads = 12\ncontext = 1024\n"
          "[plan]\nbatch = 64\ntokens = 1e9\n");
  }
};

TEST_F(PlanCommand, CountsTheParametersOfAGptAsThePapersDo) {
  write_gpt();
  const Ran ran = run("plan gpt2.toml --ranks 8 --machine a100 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json();
  EXPECT_TRUE(json["planned"]);
  EXPECT_NEAR(json["parameters"].get<double>(), 124'439'808, 1);  // Radford et al. 2019
  ASSERT_FALSE(json["layouts"].empty());
  for (const auto& layout : json["layouts"]) {
    EXPECT_EQ(layout["data"].get<int>() * layout["tensor"].get<int>() * layout["pipeline"].get<int>(), 8);
    EXPECT_NEAR(layout["training_seconds"].get<double>() * layout["tokens_a_second"].get<double>() / 1e9, 1, 0.2);
    EXPECT_GE(layout["seconds"]["step"], json["layouts"][0]["seconds"]["step"]);
  }
}

TEST_F(PlanCommand, AKeyGivenOnTheCommandLineCounts) {
  write_gpt();
  const auto parameters = [&](const std::string& more) {
    return run("plan gpt2.toml --machine a100 --json" + more).json()["parameters"].get<double>();
  };
  EXPECT_LT(parameters(" --set model.layers=6"), 0.8 * parameters(""));
  EXPECT_EQ(run("plan gpt2.toml --set model.layers").code, 2);
}

TEST_F(PlanCommand, ForATableUsesItsTrainingStep) {
  write_table("t.csv");
  const Ran ran = run("plan t.csv --target y --set model.hidden=[16] --ranks 2 --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto json = ran.json(), inspected = run("inspect t.csv --target y --set model.hidden=[16] --json").json();
  EXPECT_EQ(json["parameters"], inspected["parameters"]);
  EXPECT_EQ(json["memory"]["parameters"], 4 * json["parameters"].get<int>());
  const Ran text = run("plan t.csv --target y");
  for (const char* part : {"planned, not run", "at least", "Not counted", "trains on CPUs"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " in:\n" << text.out;
}

TEST_F(PlanCommand, RanksShareTheSlotsOfALargerModel) {
  write_table("t.csv");
  const auto slots = [&](const std::string& more) {
    const Ran ran = run("plan t.csv --target y --optimizer adamw --json " + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json()["memory"]["slots"].get<double>();
  };
  const std::string large = "--set model.hidden=[1100,1000] ", small = "--set model.hidden=[16] ";
  const double part = slots(large + "--ranks 4") / slots(large);  // cut at blocks of the norm
  EXPECT_GE(part, 0.25);
  EXPECT_LE(part, 0.3);
  EXPECT_EQ(slots(small + "--ranks 4"), slots(small));
}

TEST_F(PlanCommand, ForThisMachineTimesTheKernels) {
  write_table("t.csv");
  const std::string plan = "plan t.csv --target y --set model.hidden=[64] --machine here --threads 1 ";
  const Ran text = run(plan), ran = run(plan + "--json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"here        ", "GFLOP/s in f32", "kernels     ", "the step was not run"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part << " in:\n" << text.out;
  const auto json = ran.json();
  EXPECT_EQ(json["here"]["threads"], 1);
  EXPECT_GT(json["here"]["bandwidth"].get<double>(), 0);
  for (const auto& product : json["here"]["products"]) EXPECT_GT(product["f32"].get<double>(), 0);
  double kernels = 0;
  for (const auto& [kind, seconds] : json["here"]["shard_seconds_by_kernel"].items()) kernels += seconds.get<double>();
  EXPECT_TRUE(json["here"]["shard_seconds_by_kernel"].contains("matmul"));
  EXPECT_NEAR(json["seconds"]["gradient"].get<double>() / (json["shards"].get<double>() * kernels), 1, 0.2)
      << "one thread computes the shards one after another";
}

TEST_F(PlanCommand, RanksOnThisMachineShareItsThreadsAndMemoryBandwidth) {
  write_table("t.csv");
  const std::string plan =
      "plan t.csv --target y --set model.hidden=[64] --set train.batch_size=64 --set train.shard_size=16 "
      "--machine here --json ";
  const auto of = [&](int ranks, int threads) {
    const Ran ran = run(plan + "--ranks " + std::to_string(ranks) + " --threads " + std::to_string(threads));
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  };
  const auto kernels = [](const nlohmann::json& json) {  // the seconds of a shard's kernels
    double sum = 0;
    for (const auto& [kind, seconds] : json["here"]["shard_seconds_by_kernel"].items()) sum += seconds.get<double>();
    return sum;
  };
  const auto gradient = [](const nlohmann::json& json) { return json["seconds"]["gradient"].get<double>(); };

  // there are four shards; a rank with several of them also needs time to add their gradients
  const auto four = of(4, 1), two = of(2, 1), both = of(2, 2), alone = of(1, 1);
  EXPECT_EQ(four["shards"], 4);
  EXPECT_NEAR(gradient(four) / (4 * kernels(four)), 1, 1e-9) << "one shard per rank, all on one thread; nothing to add";
  EXPECT_GT(gradient(two), 2 * 2 * kernels(two)) << "two shards per rank on one thread, and their sum";
  EXPECT_GT(gradient(both), 2 * kernels(both)) << "two shards per rank, each rank on a thread of its own";
  EXPECT_LT(gradient(both), 3 * kernels(both));
  EXPECT_GT(gradient(alone), 4 * kernels(alone));

  // a message is read and written once, and the ranks share the memory bandwidth
  for (const auto& [ranks, json] : {std::pair{4.0, four}, {2.0, two}, {2.0, both}}) {
    const double bytes = 2 * 4 * json["parameters"].get<double>() * (ranks - 1) / ranks,
                 rate = json["here"]["bandwidth"].get<double>() / 2 / ranks;
    EXPECT_NEAR(json["seconds"]["messages"].get<double>() / (bytes / rate), 1, 1e-6) << ranks;
  }
  EXPECT_EQ(alone["seconds"]["messages"], 0);
}

TEST_F(PlanCommand, MessagesAreHiddenBesideTheShardsAsFarAsTheyLast) {
  write_table("t.csv");
  const auto seconds = [&](double operations, double link, const std::string& more) {
    write("mine.toml", "like = \"h100\"\nbandwidth = 1e15\nsingle = " + std::to_string(operations) +
                           "\nlink = " + std::to_string(link) + "\n");
    const Ran ran = run(
        "plan t.csv --target y --set model.hidden=[800,800,800] --set train.batch_size=64 --machine mine.toml --json " +
        more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json()["seconds"];
  };
  const auto of = [](const nlohmann::json& json, const char* part) { return json[part].get<double>(); };
  const std::string two = "--ranks 2 --set train.shard_size=32 ";
  // 1.3 million parameters: 5 buckets, of which the first is final after a third of the instructions
  const auto balanced = seconds(1e10, 1e9, two), slow = seconds(1e10, 1e6, two), quick = seconds(1e10, 1e12, two);
  EXPECT_NEAR(of(balanced, "step"),
              of(balanced, "gradient") + of(balanced, "update") + of(balanced, "messages") - of(balanced, "hidden"),
              1e-9);
  EXPECT_GT(of(slow, "hidden"), 0.1 * of(slow, "gradient"));
  EXPECT_LT(of(slow, "hidden"), of(slow, "gradient")) << "nothing is final when a shard begins";
  const double all = of(quick, "messages"), hidden = of(quick, "hidden");
  EXPECT_GT(hidden, 0.7 * all) << "all but the last bucket and the first parameters";
  EXPECT_LT(hidden, all);
  EXPECT_EQ(of(seconds(1e10, 1e9, "--ranks 2 --set train.shard_size=64"), "hidden"), 0) << "one shard: nothing is sent";
  EXPECT_EQ(of(seconds(1e10, 1e9, ""), "hidden"), 0);
  const Ran text = run("plan t.csv --target y --set model.hidden=[800,800,800] --set train.batch_size=64 " + two);
  EXPECT_NE(text.out.find(" are hidden\n"), std::string::npos) << text.out;
}

TEST_F(PlanCommand, SagasTableIsMemory) {
  write_table("t.csv");
  write("s.toml",
        "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\n[model]\nkind = \"linear\"\n[optimizer]\nkind = "
        "\"saga\"\noptimizer = { kind = \"sgd\", lr = 0.01 }\n[train]\nepochs = 3\n");
  const Ran text = run("plan s.toml"), ran = run("plan s.toml --json"), trained = run("train s.toml --out r");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string begin = "saga: a slope at each output of each of ";  // "96 rows, 1 number, 0.4 KiB"
  const auto said = [&](const std::string& all) {
    const std::size_t at = all.find(begin);
    return at == std::string::npos ? "" : all.substr(at, all.find('\n', at) - at);
  };
  ASSERT_NE(said(text.out), "") << text.out;
  EXPECT_EQ(said(text.out), said(trained.out + trained.err));
  const double rows = std::stod(said(text.out).substr(begin.size()));
  EXPECT_EQ(ran.json()["memory"]["row_table"], 4 * rows);
  const Ran net = run("plan s.toml --json --set model.kind=mlp");
  ASSERT_EQ(net.code, 0) << net.err;
  EXPECT_EQ(net.json()["memory"]["row_table"], 4 * rows * net.json()["parameters"].get<double>());
  const nlohmann::json memory = ran.json()["memory"];
  double sum = 0;
  for (const auto& [kind, bytes] : memory.items()) sum += kind == "total" ? 0 : bytes.get<double>();
  EXPECT_NEAR(memory["total"], sum, 1);
  EXPECT_EQ(run("plan s.toml --set optimizer.most_mib=0.0001").code, 2);
}

TEST_F(PlanCommand, SystemsAreRefusedByName) {
  write_table("t.csv");
  for (const char* kind : {"gan", "cartpole", "embeddings"}) {
    write("s.toml", "[system]\nkind = \"" + std::string(kind) + "\"\n");
    const Ran ran = run("plan s.toml");
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("[plan] " + std::string(kind) + " is a system. Wanted: a configuration with a model"),
              std::string::npos)
        << ran.err;
  }
  write("s.toml", "[data]\nformat = \"idx\"\ntrain = \"x\"\n[system]\nkind = \"gan\"\n");
  EXPECT_NE(run("plan s.toml").err.find("gan is a system"), std::string::npos);
}

TEST_F(PlanCommand, OptionsWithoutEffectAndHugeNumbersAreRefusedByName) {
  write_gpt();
  const auto refused = [&](const std::string& arguments, int code, std::string_view part) {
    const Ran ran = run("plan " + arguments);
    EXPECT_EQ(ran.code, code) << arguments << ran.out;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  };
  refused("gpt2.toml --optimizer sgd", 2, "optimizer.kind: ");
  refused("gpt2.toml --epochs 3", 2, "train.epochs: ");
  refused("gpt2.toml --set train.batch_size=3", 2, "train.batch_size: ");
  refused("gpt2.toml --tokens 1e300", 2, "1e+18");
  refused("gpt2.toml --hours-between-failures 1e300", 2, "in (0, 1000000000]");
  write_table("t.csv");
  refused("t.csv --target y --tokens 1e9", 2, "--tokens");
  EXPECT_EQ(run("plan --machines --json").json()[0]["ranks_a_node"], 8);
}

TEST_F(PlanCommand, TooManyRanksAreNotReportedAsTooLittleMemory) {
  write_gpt();
  const auto refused = [&](const std::string& arguments, int code, std::string_view part) {
    const Ran ran = run("plan gpt2.toml --machine a100 " + arguments);
    EXPECT_EQ(ran.code, code) << arguments << ran.out;
    EXPECT_NE(ran.err.find(part), std::string::npos) << ran.err;
  };
  refused("--ranks 1000003", 2, "1,000,003 ranks cannot share the work out");
  refused("--set plan.batch=1 --ranks 1024", 2, "a batch of 1 sequence.");
  refused("--set model.heads=11", 2, "width a multiple of heads");
  refused("--set model.width=122880 --set model.layers=96", 7,
          "no layout of 1 rank of a100 fits: the smallest, 1 data");
}

TEST_F(PlanCommand, SaysThatATrainingNeverEndsIfFailuresAreTooFrequent) {
  write_gpt();
  const std::string often = "plan gpt2.toml --machine a100 --ranks 8 --hours-between-failures 0.0001";
  const Ran text = run(often);
  EXPECT_NE(text.out.find("would never end"), std::string::npos) << text.out;
  EXPECT_NE(text.out.find("more than half of the time"), std::string::npos) << text.out;
  EXPECT_TRUE(run(often + " --json").json()["layouts"][0]["training_seconds"].is_null());
}

TEST_F(PlanCommand, InvalidPlansAreRefused) {
  write_gpt();
  EXPECT_EQ(run("plan").code, 2);
  EXPECT_EQ(run("plan gpt2.toml --machine abacus").code, 2);
  EXPECT_EQ(run("plan gpt2.toml --ranks 0").code, 2);
  write("mlp.toml", "[model]\nkind = \"mlp\"\n");
  EXPECT_EQ(run("plan mlp.toml").code, 2);
  EXPECT_EQ(run("plan gpt2.toml --machine a100 --set model.width=122880 --set model.layers=96").code, 7);
}

}  // namespace
}  // namespace thalweg::testing
