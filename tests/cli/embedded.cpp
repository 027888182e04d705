// A model with an embedded category: trained, stopped, resumed, and used for predictions.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class EmbeddedCategories : public CommandTest {};

TEST_F(EmbeddedCategories, ResumeWithTheSameBitsAndPredict) {
  std::string text = "x,code,y\n";
  for (int i = 0; i < 160; ++i) {
    const int level = i % 20;
    text += std::to_string(i % 7) + ",c" + std::to_string(level) + "," + std::to_string(i % 7 + level % 5) + "\n";
  }
  write("t.csv", text);
  const std::string train = "train t.csv --target y --epochs 6 --quiet --set data.embed_levels=10 --out ";
  ASSERT_EQ(run(train + "whole").code, 0);
  ASSERT_EQ(run(train + "parts --stop-after 11").code, 0);
  ASSERT_EQ(run("train parts --resume --quiet").code, 0);
  EXPECT_EQ(read_text(path("parts/model.safetensors")), read_text(path("whole/model.safetensors")));

  const Ran inspected = run("inspect whole");
  EXPECT_NE(inspected.out.find("embedding/feature2"), std::string::npos) << inspected.out;
  write("new.csv", "code,x\nc3,1\nnever seen,1\n");
  const Ran predicted = run("predict whole --data new.csv");
  EXPECT_EQ(predicted.code, 0) << predicted.err;
  EXPECT_NE(predicted.err.find("column code: 1 value"), std::string::npos) << predicted.err;
  EXPECT_EQ(run("evaluate whole --quiet").code, 0);
}

}  // namespace
}  // namespace thalweg::testing
