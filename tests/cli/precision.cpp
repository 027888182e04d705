// precision = "bf16": the output of inspect and plan, the contents of the run folder, and the refused cases.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class PrecisionOfRuns : public CommandTest {};

TEST_F(PrecisionOfRuns, InspectSaysWhichValuesAreStoredInBf16) {
  write_table("t.csv");
  const std::string inspect = "inspect t.csv --target y --set model.hidden=[64,64] ";
  const Ran ran = run(inspect + "--set train.precision=bf16");
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find(" -> bf16 ("), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find(" values are stored in bf16."), std::string::npos) << ran.out;
  EXPECT_EQ(run(inspect).out.find("bf16"), std::string::npos);
  // inspect shows the plan of the training
  EXPECT_NE(run(inspect + "--set train.shard_size=7").out.find("for shards of 7 rows"), std::string::npos);
  const Ran dry = run("train t.csv --target y --set model.hidden=[64,64] --set train.precision=bf16 --dry-run");
  EXPECT_NE(dry.out.find(" -> bf16 ("), std::string::npos) << dry.out;
}

TEST_F(PrecisionOfRuns, ThePlanCountsBf16) {
  write_table("t.csv");
  const std::string plan = "plan t.csv --target y --set model.hidden=[256,256,256] --batch-size 100 ";
  const auto narrow = run(plan + "--set train.precision=bf16 --json").json(), wide = run(plan + "--json").json();
  EXPECT_EQ(narrow["memory"]["parameters"], wide["memory"]["parameters"]);
  EXPECT_GT(narrow["bf16_values"], 0);
  EXPECT_EQ(wide["bf16_values"], 0);
  const Ran text = run(plan + "--set train.precision=bf16");
  EXPECT_NE(text.out.find("stored in bf16, and counted so"), std::string::npos) << text.out;
}

TEST_F(PrecisionOfRuns, TheRunSavesThePrecision) {
  write_table("t.csv");
  const std::string train = "train t.csv --target y --epochs 4 --quiet ";
  ASSERT_EQ(run(train + "--set train.precision=bf16 --out whole").code, 0);
  EXPECT_NE(read_text(path("whole/config.toml")).find("precision = \"bf16\""), std::string::npos);
  ASSERT_EQ(run(train + "--out single").code, 0);
  EXPECT_NE(read_text(path("whole/model.safetensors")), read_text(path("single/model.safetensors")));
  // a stopped and resumed run ends with the same bits
  ASSERT_EQ(run(train + "--set train.precision=bf16 --out parts --stop-after 5").code, 0);
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  EXPECT_EQ(read_text(path("whole/model.safetensors")), read_text(path("parts/model.safetensors")));
}

TEST_F(PrecisionOfRuns, UnsupportedCasesAreRefused) {
  write_table("t.csv");
  const Ran unknown = run("train t.csv --target y --set train.precision=fp8");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_NE(unknown.err.find("bf16"), std::string::npos) << unknown.err;
  const Ran method = run("train t.csv --target y --optimizer lbfgs --batch-size all --set train.precision=bf16");
  EXPECT_EQ(method.code, 2);
  EXPECT_NE(method.err.find("[lbfgs] precision"), std::string::npos) << method.err;
}

}  // namespace
}  // namespace thalweg::testing
