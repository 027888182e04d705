// Trainings of seconds to minutes: the examples of systems that play reach the results that docs/systems.md gives.

#include "command.hpp"

namespace thalweg::testing {
namespace {

class SlowPlaying : public CommandTest {
 protected:
  [[nodiscard]] nlohmann::json figures_of(const std::string& example, const std::string& more = "") const {
    const Ran trained = run("train " + std::string(source_folder()) + "/examples/" + example +
                            ".toml --quiet --threads 1 --out run " + more);
    EXPECT_EQ(trained.code, 0) << trained.err;
    return run("evaluate run --json").json();
  }
};

TEST_F(SlowPlaying, CartPoleStandsForAtLeast475StepsOf500) {
  const nlohmann::json figures = figures_of("cartpole");
  EXPECT_GE(figures.at("episode length"), 475);
  EXPECT_LT(figures.at("baselines").at("at random").at("episode length"), 30);
}

TEST_F(SlowPlaying, TicTacToeIsNeverLostToPerfectPlay) {
  const nlohmann::json figures = figures_of("tic_tac_toe");
  EXPECT_EQ(figures.at("lost to perfect play"), 0);
  EXPECT_GT(figures.at("drawn with perfect play"), 20);
  EXPECT_GT(figures.at("baselines").at("untrained").at("lost to perfect play"), 0);
}

TEST_F(SlowPlaying, ConnectFourIsWonAgainstPlainSearch) {
  EXPECT_GE(figures_of("connect_four").at("points of a game"), 0.83);
}

/// A few minutes of the same.
TEST_F(SlowPlaying, ConnectFourLearns) {
  const nlohmann::json figures = figures_of("connect_four", "--epochs 12");
  const double before = figures.at("baselines").at("untrained").at("points of a game");
  EXPECT_GT(figures.at("points of a game"), before + 0.05);
}

}  // namespace
}  // namespace thalweg::testing
