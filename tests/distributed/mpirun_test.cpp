// The command under mpirun, as on a cluster. Skipped if there is no MPI.

#include "mpirun.hpp"
#include "data/pictures.hpp"
#include "sanitized.hpp"

namespace thalweg::testing {
namespace {

TEST_F(Mpirun, AnyNumberOfRanksGivesTheBitsOfOneRank) { expect_the_bits_of_one("run.toml"); }

TEST_F(Mpirun, ADefaultConfigurationGivesTheBitsOfOneRank) {
  write("defaults.toml", "[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\n");
  expect_the_bits_of_one("defaults.toml");
}

TEST_F(Mpirun, AConvolutionalNetworkGivesTheBitsOfOneRank) {
  for (const char* kind : {"dark", "bright"}) std::filesystem::create_directories(path("pictures") / kind);
  for (int i = 0; i < 40; ++i) {
    Tensor picture({8, 8, 1}, u8);
    for (std::int64_t place = 0; place < picture.size(); ++place)
      picture.set(place, (i * 37 + place * 11) % 100 + 100 * (i % 2));
    const std::vector<std::byte> bytes = data::png_of(picture);
    write(std::string("pictures/") + (i % 2 ? "bright/" : "dark/") + std::to_string(i) + ".png",
          {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  write("cnn.toml",
        "[data]\nformat = \"images\"\ntrain = \"pictures\"\nvalidation = 0.25\naugment = { crop = 1 }\n"
        "[model]\nkind = \"convnet\"\nfilters = [4, 6]\nbatch_norm = true\nhidden = [10]\ndropout = 0.2\n"
        "[optimizer]\nkind = \"adam\"\nlr = 0.01\n[train]\nepochs = 3\nbatch_size = 12\nshard_size = 2\n");
  expect_the_bits_of_one("cnn.toml");
}

TEST_F(Mpirun, AGradientInBucketsGivesTheBitsOfOneRank) {
  write("wide.toml",
        "seed = 3\n[data]\nformat = \"csv\"\ntrain = \"t.csv\"\ntarget = \"y\"\nvalidation = 0.1\n"
        "[model]\nkind = \"mlp\"\nhidden = [700, 700, 700]\n[train]\nsteps = 6\nbatch_size = 32\nshard_size = 5\n");
  expect_the_bits_of_one("wide.toml");
}

/// Rank 0 alone looks at the parameters between steps, where ranks share the update.
TEST_F(Mpirun, LooksOfTheFirstRankGiveTheSameBits) {
  const std::string set = " --set model.hidden=[800,800,800] --set train.steps=5 --set train.batch_size=64 -q";
  ASSERT_EQ(run("train run.toml --out alone" + set).code, 0);
  const Ran ran = train(2, "run.toml --out looked --set 'insight.every=2 steps'" + set);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(read("looked/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(Mpirun, ATransformerGivesTheBitsOfOneRank) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "the whale and the sea, " + std::to_string(i % 10) + " times; ";
  write("text.txt", text);
  write("gpt.toml",
        "[data]\nformat = \"text\"\ntrain = \"text.txt\"\nvalidation = 0.1\nsequence_length = 24\n"
        "[model]\nkind = \"gpt\"\nlayers = 1\nwidth = 16\nheads = 2\ncontext = 24\ndropout = 0.1\n"
        "[train]\nsteps = 5\nbatch_size = 16\nshard_size = 3\n");
  expect_the_bits_of_one("gpt.toml");
}

TEST_F(Mpirun, CollectionsGiveTheBitsOfOneRank) {
  const std::string training = "[train]\nepochs = 4\nbatch_size = 32\nshard_size = 4\n";
  write("policy.toml", "[system]\nkind = \"policy\"\nsteps = 16\npasses = 2\n" + training);
  write("games.toml",
        "[system]\nkind = \"self_play\"\ngames = 8\nsimulations = 8\nrows = 128\nfilters = 4\nblocks = 1\n"
        "hidden = 8\ntrial_games = 4\ntrial_playouts = 10\n" +
            training);
  for (const std::string name : {"policy", "games"}) {
    ASSERT_EQ(run("train " + name + ".toml --out " + name + "1 -q").code, 0) << read("err.txt");
    ASSERT_EQ(train(2, name + ".toml --out " + name + "2 -q").code, 0) << read("err.txt");
    EXPECT_EQ(read(name + "2/model.safetensors"), read(name + "1/model.safetensors")) << name;
    ASSERT_EQ(train(2, name + ".toml --out " + name + "3 -q --stop-after 10").code, 0) << read("err.txt");
    ASSERT_EQ(run("train " + name + "3 --resume -q").code, 0) << read("err.txt");
    EXPECT_EQ(read(name + "3/model.safetensors"), read(name + "1/model.safetensors")) << name;
  }
}

TEST_F(Mpirun, AResumeOnOtherRanksGivesTheBitsOfAnUninterruptedRun) {
  ASSERT_EQ(run("train run.toml --out alone -q").code, 0);
  ASSERT_EQ(train(3, "run.toml --out r -q --stop-after 11").code, 0);
  ASSERT_EQ(train(2, "r --resume -q --stop-after 20").code, 0);
  ASSERT_EQ(run("train r --resume -q").code, 0);
  EXPECT_EQ(read("r/model.safetensors"), read("alone/model.safetensors"));
}

TEST_F(Mpirun, AnErrorIsReportedOnceWithItsExitCode) {
  const Ran ran = train(3, "run.toml --out r --set train.batch_size=-1");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("batch_size"), std::string::npos);
  EXPECT_EQ(ran.err.find("batch_size = -1"), ran.err.rfind("batch_size = -1")) << ran.err;
}

TEST_F(Mpirun, ARankThatIsKilledIsNamed) {
  const Ran ran = train_and(3, long_run_, "kill -9 $(rank 1)");
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 on "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("killed by signal 9"), std::string::npos) << ran.err;
}

TEST_F(Mpirun, ARankThatIsKilledWhileItsGradientGoesInBucketsIsNamed) {
  const Ran ran = train_and(2, long_run_ + " --set model.hidden=[900,900,900]", "sleep 1; kill -9 $(rank 1)");
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 on "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("killed by signal 9"), std::string::npos) << ran.err;
}

TEST_F(Mpirun, WhatRanksHideOfTheirMessagesIsMeasured) {
  // 1,100 x 1,000 weights and more: several buckets, and an update that is shared
  const std::string set = " --set model.hidden=[1100,1000] --set train.shard_size=16";
  const auto inspect = [&](int ranks, const std::string& more) {
    std::string asked = line(ranks, "run.toml --measure" + set + more);
    const std::string train = " train ";
    return shell(asked.replace(asked.find(train), train.size(), " inspect "));
  };
  const Ran ran = inspect(2, " --json");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const nlohmann::json step = ran.json()["step"];
  EXPECT_EQ(step["ranks"], 2);
  EXPECT_EQ(step["shards"], 2);
  EXPECT_GE(step["buckets"], 3);
  // a rank sends the half of its gradient that the other one's update needs, then half of the parameters
  const double bytes = 4 * ran.json()["parameters"].get<double>();
  EXPECT_NEAR(step["bytes"].get<double>() / bytes, 0.5, 0.01);
  EXPECT_NEAR(step["parameter_bytes"].get<double>() / bytes, 0.5, 0.01);
  for (const char* part : {"computing", "messages", "together", "update", "parameters"})
    EXPECT_GT(step[part].get<double>(), 0) << part;
  EXPECT_GE(step["hidden"].get<double>(), 0);
  EXPECT_LE(step["hidden"].get<double>(), step["messages"].get<double>());
  EXPECT_GT(step["step"].get<double>(), 0);
  EXPECT_GE(step["parameters_hidden"].get<double>(), 0);
  EXPECT_LE(step["parameters_hidden"].get<double>(), step["parameters"].get<double>());

  const Ran text = inspect(2, "");
  for (const char* part : {"over 2 ranks", "as in training: ", "while parameters arrive", "of all messages "}) {
    EXPECT_NE(text.out.find(part), std::string::npos) << text.out;
    EXPECT_EQ(text.out.find(part), text.out.rfind(part)) << "must be printed once: " << text.out;
  }
  const Ran one_shard = inspect(2, " --set train.shard_size=64");
  EXPECT_EQ(one_shard.code, 2);
  EXPECT_NE(one_shard.err.find("a step of one shard"), std::string::npos) << one_shard.err;
}

TEST_F(Mpirun, ARankAloneOnItsHostUsesAllCores) {
  const auto threads_said = [&](const std::string& start, const std::string& out) {
    const Ran ran = shell("export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; unset THALWEG_THREADS; " +
                          start + command() + " train run.toml --out " + out + " -q");
    EXPECT_EQ(ran.code, 0) << ran.err;
    const std::string report = read(out + "/report.html"), before = "threads</td><td class=\"text\">";
    const std::size_t at = report.find(before);
    return at == std::string::npos ? -1 : std::stoi(report.substr(at + before.size()));
  };
  const int all = threads_said("", "alone");
  EXPECT_GT(all, 0);
  EXPECT_EQ(threads_said("mpirun -n 1 ", "one"), all) << "Open MPI binds one or two ranks to a core each";
  EXPECT_EQ(threads_said("mpirun -n 1 --bind-to core ", "bound"), 1) << "asked for";
}

TEST_F(Mpirun, ABudgetThatIsSpentStopsAllAndItsReasonIsSaidOnce) {
  const Ran ran = train(2, "run.toml --out r --epochs 2000 --json -q --set train.budget=\"0.01 s\"");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.json()["budget"], "the budget of 0.01 s is spent") << ran.out;
  EXPECT_EQ(ran.out.find("stopped_at"), ran.out.rfind("stopped_at"));
}

TEST_F(Mpirun, AHangingRankIsNamedAfterTheTimeOut) {
  const Ran ran = train_and(3, long_run_ + " --patience 5", "kill -STOP $(rank 1)");
  EXPECT_EQ(ran.code, 8) << ran.err;
  EXPECT_NE(ran.err.find("rank 1 on "), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("has not answered for 5 s"), std::string::npos) << ran.err;
}

TEST_F(Mpirun, ASignalToTheLauncherLeavesACheckpoint) {
  for (const std::string signal : {"TERM", "USR1"}) {
    // The launcher waits twice for this time-out before it kills the ranks. Its default of a second may be too short
    // for a checkpoint on a busy machine.
    const Ran ran = train_and(2, "run.toml --out r --epochs 2000000", "pkill -" + signal + " -P $launcher mpirun",
                              "OMPI_MCA_odls_base_sigkill_timeout=15 ");
    EXPECT_NE(ran.code, 0);
    EXPECT_FALSE(std::filesystem::is_empty(path("r/checkpoints"))) << signal << ran.err;
    std::filesystem::remove_all(path("r"));
  }
}

}  // namespace
}  // namespace thalweg::testing
