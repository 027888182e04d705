// Methods that own their steps, by the command: the default method of linear models, its verdict, and a run in two
// parts.

#include "command.hpp"

namespace thalweg::testing {
namespace {

using WholeSteps = CommandTest;

TEST_F(WholeSteps, ALinearModelIsFittedByThemAndIsNotSaidToHaveConverged) {
  write_table("t.csv");
  const Ran ran = run("train t.csv --target y --model linear --out r --json --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto verdict = ran.json()["verdict"];
  EXPECT_EQ(verdict["kind"], "not judged");
  const auto sentence = verdict["sentence"].get<std::string>();
  EXPECT_NE(sentence.find("of lbfgs"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("found no lower point"), std::string::npos) << sentence;
}

TEST_F(WholeSteps, ARunInTwoPartsEndsAtTheSameBits) {
  write_table("t.csv");
  const std::string train =
      "train t.csv --target y --set model.hidden=[4] --optimizer lbfgs --epochs 12 --quiet --out ";
  ASSERT_EQ(run(train + "whole").code, 0);
  const Ran part = run(train + "parts --stop-after 5 --json");
  ASSERT_EQ(part.code, 0) << part.err;
  EXPECT_EQ(part.json()["stopped_at"], 5) << part.out;
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));
}

TEST_F(WholeSteps, AMeasuredStepOfSamIsSaidToBeMoreThanItsGradient) {
  write_table("t.csv");
  const std::string inspect = "inspect t.csv --target y --set model.hidden=[4] --measure --optimizer ";
  const Ran sam = run(inspect + "sam"), adam = run(inspect + "adam");
  ASSERT_EQ(sam.code, 0) << sam.err;
  EXPECT_NE(sam.out.find("needs more than the one gradient"), std::string::npos) << sam.out;
  EXPECT_EQ(adam.out.find("needs more"), std::string::npos) << adam.out;
}

}  // namespace
}  // namespace thalweg::testing
