// thalweg landscape: its page, its numbers, and the calls that it refuses.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class LandscapeCommand : public CommandTest {
 protected:
  void train(const std::string& name, const std::string& more = "") const {
    ASSERT_EQ(run("train t.csv --target y --epochs 4 --set model.hidden=[6] --out " + name + " " + more).code, 0);
  }
};

TEST_F(LandscapeCommand, WritesAPageWithPlanesASurfaceAndCaptions) {
  write_table("t.csv");
  train("a", "--set train.keep_checkpoints=10");
  const Ran ran = run("landscape a --points 9 --svg plane.svg");
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string page = read_text(path("a/landscape.html"));
  for (const char* part : {"along two random directions", "The path of the training", "What does not follow", "<canvas",
                           "\"columns\":9", "first component"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  for (const char* outside : {"src=\"http", "href=\"http", "@import", "fetch("})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  EXPECT_NE(read_text(path("plane.svg")).find("<svg"), std::string::npos);
}

TEST_F(LandscapeCommand, IsTheSameForAnyThreadsAndMeasuresTheBarrierBetweenRuns) {
  write_table("t.csv");
  train("a");
  train("b", "--seed 2");
  const std::string command = "landscape a --with b --points 9 --json --out ";
  const Ran one = run(command + "x.html --threads 1"), two = run(command + "x.html --threads 2");
  ASSERT_EQ(one.code, 0) << one.err;
  EXPECT_EQ(one.out, two.out);
  const auto json = one.json();
  EXPECT_GT(json["barrier"]["distance"], 0);
  EXPECT_GT(json["barrier"]["height"], 0.05);  // their units are in different orders
  EXPECT_GT(json["barrier"]["at"], 0);
  EXPECT_LT(json["barrier"]["at"], 1);
  EXPECT_EQ(json["planes"][0]["losses"].size(), 81);
}

TEST_F(LandscapeCommand, RefusesRunsOfOtherModels) {
  write_table("t.csv");
  train("a");
  train("b", "--set model.hidden=[7]");
  EXPECT_EQ(run("landscape a --with b --points 9").code, 2);
  EXPECT_EQ(run("landscape nothing").code, 2);
}

}  // namespace
}  // namespace thalweg::testing
