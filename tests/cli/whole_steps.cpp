// Methods that own their steps in the command: the default method of linear models, its verdict, and a run in two
// parts.

#include "command.hpp"

namespace thalweg::testing {
namespace {

using WholeSteps = CommandTest;

TEST_F(WholeSteps, AreTheDefaultOfALinearModelAndGiveItsVerdict) {
  write_table("t.csv");
  const Ran ran = run("train t.csv --target y --model linear --out r --json --quiet");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const auto verdict = ran.json()["verdict"];
  EXPECT_EQ(verdict["kind"], "not judged");
  const auto sentence = verdict["sentence"].get<std::string>();
  EXPECT_NE(sentence.find("of lbfgs"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("found no lower point"), std::string::npos) << sentence;
}

TEST_F(WholeSteps, ARunInTwoPartsEndsWithTheSameBits) {
  write_table("t.csv");
  const std::string lr = " --lr 0.1", around = R"( --set "optimizer.optimizer={ kind = 'sgd', lr = 0.1 }")";
  for (const auto& [method, options] :
       {std::pair{"lbfgs", std::string()}, {"newton_cg", ""}, {"kfac", lr}, {"svrg", around}, {"saga", around}}) {
    const std::string train = std::string("train t.csv --target y --set model.hidden=[4] --epochs 12 --quiet") +
                              options + " --optimizer " + method + " --out " + method;
    ASSERT_EQ(run(train).code, 0) << method;
    const Ran part = run(train + "_parts --stop-after 5 --json");
    ASSERT_EQ(part.code, 0) << part.err;
    EXPECT_EQ(part.json()["stopped_at"], 5) << part.out;
    const std::string parts = std::string(method) + "_parts";
    const Ran resumed = run("train " + parts + " --resume --quiet");
    ASSERT_EQ(resumed.code, 0) << method << ": " << resumed.err;
    EXPECT_EQ(read_text(path(parts + "/model.safetensors")),
              read_text(path(std::string(method) + "/model.safetensors")))
        << method;
  }
}

TEST_F(WholeSteps, InspectSaysThatAStepOfSamNeedsMoreThanOneGradient) {
  write_table("t.csv");
  const std::string inspect = "inspect t.csv --target y --set model.hidden=[4] --measure --optimizer ";
  const Ran sam = run(inspect + "sam"), adam = run(inspect + "adam");
  ASSERT_EQ(sam.code, 0) << sam.err;
  EXPECT_NE(sam.out.find("needs more than the one gradient"), std::string::npos) << sam.out;
  EXPECT_EQ(adam.out.find("needs more"), std::string::npos) << adam.out;
}

}  // namespace
}  // namespace thalweg::testing
