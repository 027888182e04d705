// When a configuration uses a method that owns its steps by default, and the defaults of such a method.

#include <gtest/gtest.h>

#include "run/config.hpp"
#include "thalweg/error.hpp"

namespace thalweg {
namespace {

constexpr DataFacts houses{.task = data::Task::regression, .rows = 404};

Config read_whole(const std::string& text, const DataFacts& facts = houses) {
  const ConfigTree tree = parse_toml(text, "test.toml");
  return read_config(tree, read_data_options(tree, "/folder"), facts, registry());
}

Config read(const std::string& text, const DataFacts& facts = houses) {
  return read_whole("[data]\ntrain = \"t.csv\"\ntarget = \"y\"\n" + text, facts);
}

TEST(MethodDefaults, ALinearModelIsFittedByLbfgsWithoutOptionsForSteps) {
  const Config config = read("[model]\nkind = \"linear\"\n");
  EXPECT_EQ(config.optimizer.kind, "lbfgs");
  EXPECT_EQ(config.schedule.kind, "constant");
  EXPECT_EQ(config.fit_options().batch_size, 0);
  EXPECT_FALSE(config.fit_options().early_stopping);
  EXPECT_EQ(read_whole(config.toml()).toml(), config.toml());
  EXPECT_TRUE(
      read("[model]\nkind = \"linear\"\n", {.task = data::Task::binary, .rows = 500}).fit_options().early_stopping)
      << "classes may be linearly separable, and then the loss has no minimum";
}

TEST(MethodDefaults, ALinearModelIsFittedByAdamWWithOptionsForSteps) {
  for (const char* said :
       {"[train]\nepochs = 3\n", "[train]\nsteps = 30\n", "[train]\nbatch_size = 16\n", "[optimizer]\nlr = 0.1\n",
        "[optimizer]\nkind = \"adamw\"\n", "[schedule]\nkind = \"cosine\"\n"})
    EXPECT_EQ(read(std::string("[model]\nkind = \"linear\"\n") + said).optimizer.kind, "adamw") << said;
  EXPECT_EQ(read("").optimizer.kind, "adamw");
  EXPECT_EQ(read("[model]\nkind = \"linear\"\n", {.rows = 1'000'000}).optimizer.kind, "adamw");
}

TEST(MethodDefaults, MethodsThatOwnTheirStepsTakeAllRowsAndNoSchedule) {
  const Config config = read("[optimizer]\nkind = \"newton_cg\"\n");
  EXPECT_EQ(config.fit_options().batch_size, 0);
  EXPECT_EQ(config.schedule.kind, "constant");
  EXPECT_THROW((void)read("[optimizer]\nkind = \"lbfgs\"\n[schedule]\nkind = \"cosine\"\n"), UsageError);
  EXPECT_THROW((void)read("[optimizer]\nkind = \"lbfgs\"\nlr = 0.1\n"), UsageError);
}

}  // namespace
}  // namespace thalweg
