#include "thalweg/environment.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

std::unique_ptr<Environment> begun(std::string_view name, std::uint64_t seed = 1) {
  for (const EnvironmentRow& row : environments()) {
    if (row.name != name) continue;
    auto environment = row.make();
    environment->reset(seed);
    return environment;
  }
  return nullptr;
}

std::vector<float> seen(const Environment& environment) {
  std::vector<float> numbers(static_cast<std::size_t>(environment.observation_shape().size()));
  environment.observe(numbers);
  return numbers;
}

void play(Environment& environment, std::initializer_list<std::int64_t> actions) {
  for (const std::int64_t action : actions) environment.step(action);
}

template <class Kind>
std::string message_of(const std::function<void()>& wrong) {
  try {
    wrong();
  } catch (const Kind& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was refused";
  return {};
}

/// An environment of three steps along a line, in which the reward of the second step is a parameter.
class Line final : public Environment {
 public:
  explicit Line(double worth) : worth_(worth) {}
  [[nodiscard]] std::string_view name() const override { return "line"; }
  [[nodiscard]] Shape observation_shape() const override { return {1}; }
  [[nodiscard]] std::int64_t actions() const override { return 2; }
  [[nodiscard]] std::string drawing() const override { return "\n"; }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<Line>(*this); }

 protected:
  void start(std::uint64_t) override {}
  Result act(std::int64_t) override { return {.reward = steps() == 1 ? worth_ : 1, .cut = steps() + 1 == 3}; }
  [[nodiscard]] bool allows(std::int64_t action) const override { return action == 0 || steps() > 0; }
  void look(std::span<float> into) const override { into[0] = static_cast<float>(steps()); }

 private:
  double worth_;
};

TEST(Environment, RefusesAnIllegalActionWithTheLineOfTheCall) {
  Line line(1);
  EXPECT_NE(message_of<UsageError>([&] { line.step(0); }).find("the episode is over"), std::string::npos);
  line.reset(1);
  const int next = __LINE__ + 1;
  const std::string message = message_of<UsageError>([&] { line.step(1); });
  EXPECT_NE(message.find("[line] action 1 is not legal here (environment_test.cpp:" + std::to_string(next) + ")"),
            std::string::npos)
      << message;
  EXPECT_NE(message.find("Wanted: 0"), std::string::npos) << message;
  EXPECT_EQ(line.steps(), 0);
  for (const std::int64_t action : {-1, 2, 1000}) EXPECT_THROW(line.step(action), UsageError);
  std::array<float, 2> too_large = {};
  EXPECT_THROW(line.observe(too_large), UsageError);
}

TEST(Environment, RefusesARewardThatIsNotFinite) {
  for (const double worth : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Line line(worth);
    line.reset(1);
    line.step(0);
    const std::string message = message_of<NumericError>([&] { line.step(1); });
    EXPECT_NE(message.find("[line] the reward of action 1 in step 2 is"), std::string::npos) << message;
    EXPECT_NE(message.find("environment_test.cpp:"), std::string::npos) << message;
  }
}

/// An environment without a way on, or without an observation, after its first step.
class Faulty final : public Environment {
 public:
  [[nodiscard]] std::string_view name() const override { return "faulty"; }
  [[nodiscard]] Shape observation_shape() const override { return {2}; }
  [[nodiscard]] std::int64_t actions() const override { return 2; }
  [[nodiscard]] std::string drawing() const override { return "\n"; }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<Faulty>(*this); }

 protected:
  void start(std::uint64_t) override {}
  Result act(std::int64_t) override { return {}; }
  [[nodiscard]] bool allows(std::int64_t) const override { return steps() == 0; }
  void look(std::span<float> into) const override {
    into[0] = 0;
    into[1] = steps() == 0 ? 1.f : std::nanf("");
  }
};

TEST(Environment, AFaultyOneIsRefusedByName) {
  Faulty faulty;
  faulty.reset(1);
  EXPECT_EQ(seen(faulty)[1], 1);
  faulty.step(0);
  const std::string stuck = message_of<UsageError>([&] { faulty.step(0); });
  EXPECT_NE(stuck.find("[faulty] no action is legal after 1 steps, and the episode is not over"), std::string::npos)
      << stuck;
  const std::string blind = message_of<NumericError>([&] { (void)seen(faulty); });
  EXPECT_NE(blind.find("[faulty] element 1 of the observation after 1 steps is nan"), std::string::npos) << blind;
}

TEST(Environment, MarksAnEpisodeThatWasCutOffAndSumsItsRewards) {
  Line line(2.5);
  line.reset(1);
  play(line, {0, 1, 0});
  EXPECT_TRUE(line.over());
  EXPECT_TRUE(line.cut());
  EXPECT_DOUBLE_EQ(line.outcome(), 4.5);
  EXPECT_TRUE(line.legal_actions().empty());
}

class EveryEnvironment : public ::testing::TestWithParam<std::string> {};

TEST_P(EveryEnvironment, DependsOnlyOnSeedAndActionsAndHasIndependentCopies) {
  const auto one = begun(GetParam(), 7), two = begun(GetParam(), 7);
  EXPECT_EQ(seen(*one), seen(*two));
  const auto before = one->copy();
  for (int i = 0; i < 5; ++i) {
    const std::int64_t action = one->legal_actions().back();
    EXPECT_EQ(one->step(action), two->step(action));
    EXPECT_EQ(seen(*one), seen(*two));
  }
  EXPECT_EQ(before->steps(), 0);
  EXPECT_NE(seen(*before), seen(*one));
  EXPECT_EQ(one->drawing().back(), '\n');
  std::set<std::string> names;
  for (std::int64_t action = 0; action < one->actions(); ++action) names.insert(one->action_name(action));
  EXPECT_EQ(static_cast<std::int64_t>(names.size()), one->actions());
}

/// Playing a move and then transforming the observation is the same as playing the transformed move.
TEST_P(EveryEnvironment, MovesCommuteWithItsSymmetries) {
  const auto world = begun(GetParam());
  for (const Environment::Symmetry& look : world->symmetries()) {
    const auto turned = begun(GetParam()), straight = begun(GetParam());
    for (const std::int64_t a : {0, 1, 4, 2}) {
      turned->step(a);
      straight->step(look.actions[static_cast<std::size_t>(a)]);
      const std::vector<float> there = seen(*straight), here = seen(*turned);
      for (std::size_t i = 0; i < here.size(); ++i)
        EXPECT_EQ(here[i], there[static_cast<std::size_t>(look.from[i])]) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryEnvironment, ::testing::Values("cartpole", "tic_tac_toe", "connect_four"),
                         [](const auto& row) { return row.param; });

TEST(EnvironmentTable, HasAllOfThemWithTexts) {
  EXPECT_EQ(environments().size(), 3u);
  for (const EnvironmentRow& row : environments()) {
    EXPECT_FALSE(row.summary.empty());
    EXPECT_EQ(row.make()->name(), row.name);
  }
}

/// One step of Gym's CartPole-v1 (gym/envs/classic_control/cartpole.py, explicit Euler).
std::array<double, 4> gym_step(std::array<double, 4> state, int action) {
  auto [x, x_dot, theta, theta_dot] = state;
  const double force = action == 1 ? 10.0 : -10.0, costheta = std::cos(theta), sintheta = std::sin(theta);
  const double temp = (force + 0.05 * theta_dot * theta_dot * sintheta) / 1.1;
  const double thetaacc = (9.8 * sintheta - costheta * temp) / (0.5 * (4.0 / 3.0 - 0.1 * costheta * costheta / 1.1));
  const double xacc = temp - 0.05 * thetaacc * costheta / 1.1;
  return {x + 0.02 * x_dot, x_dot + 0.02 * xacc, theta + 0.02 * theta_dot, theta_dot + 0.02 * thetaacc};
}

TEST(CartPole, MovesLikeGymsCartPole) {
  const auto pole = begun("cartpole", 3);
  std::vector<float> start = seen(*pole);
  std::array<double, 4> state = {start[0], start[1], start[2], start[3]};
  for (const float number : start) EXPECT_LE(std::abs(number), 0.05f);
  for (int i = 0; !pole->over(); ++i) {
    const int action = i % 5 < 3 ? 1 : 0;
    EXPECT_EQ(pole->step(action), 1);
    state = gym_step(state, action);
    const std::vector<float> now = seen(*pole);
    for (std::size_t k = 0; k < 4; ++k) EXPECT_NEAR(now[k], state[k], 1e-5) << "step " << i;
  }
  EXPECT_FALSE(pole->cut());
  EXPECT_TRUE(std::abs(state[0]) > 2.4 || std::abs(state[2]) > 12 * 2 * M_PI / 360);
}

TEST(CartPole, IsCutOffAfterFiveHundredSteps) {
  const auto pole = begun("cartpole", 5);
  while (!pole->over()) {  // a controller that balances the pole
    const std::vector<float> now = seen(*pole);
    pole->step(0.1f * now[0] + 0.3f * now[1] + 3 * now[2] + now[3] > 0 ? 1 : 0);
  }
  EXPECT_EQ(pole->steps(), 500);
  EXPECT_TRUE(pole->cut());
  EXPECT_EQ(pole->outcome(), 500);
}

TEST(TicTacToe, IsWonByThreeInARowAndDrawnWithoutOne) {
  const auto won = begun("tic_tac_toe");
  play(*won, {0, 1, 4, 2, 8});
  EXPECT_TRUE(won->over());
  EXPECT_EQ(won->outcome(0), 1);
  EXPECT_EQ(won->outcome(1), -1);
  const auto second = begun("tic_tac_toe");
  play(*second, {0, 2, 1, 4, 8, 6});
  EXPECT_TRUE(second->over());
  EXPECT_EQ(second->outcome(0), -1);
  const auto drawn = begun("tic_tac_toe");
  play(*drawn, {0, 1, 2, 4, 3, 5, 7, 6, 8});
  EXPECT_TRUE(drawn->over());
  EXPECT_EQ(drawn->outcome(0), 0);
  EXPECT_FALSE(drawn->cut());
}

TEST(TicTacToe, EndsWhenPlainLoopsOverTheBoardFindAWinner) {
  std::uint64_t state = 1;
  std::map<double, int> outcomes;
  for (int game = 0; game < 500; ++game) {
    const auto three = begun("tic_tac_toe");
    std::array<std::array<int, 3>, 3> board = {};
    while (!three->over()) {
      const auto legal = three->legal_actions();
      state = state * 6364136223846793005u + 1442695040888963407u;
      const auto square = static_cast<std::size_t>(legal[(state >> 33) % legal.size()]);
      const int player = three->player(), own = player + 1;
      three->step(static_cast<std::int64_t>(square));
      board[square / 3][square % 3] = own;
      bool won = false;
      for (std::size_t i = 0; i < 3; ++i) {
        won = won || (board[i][0] == own && board[i][1] == own && board[i][2] == own);
        won = won || (board[0][i] == own && board[1][i] == own && board[2][i] == own);
      }
      won = won || (board[0][0] == own && board[1][1] == own && board[2][2] == own);
      won = won || (board[0][2] == own && board[1][1] == own && board[2][0] == own);
      ASSERT_EQ(three->over(), won || three->steps() == 9) << three->drawing();
      ASSERT_EQ(three->outcome(player), won ? 1 : 0);
    }
    ++outcomes[three->outcome()];
  }
  EXPECT_EQ(outcomes.size(), 3u);
}

TEST(EnvironmentTable, BoardsHaveAllTheirSymmetries) {
  for (const auto& [name, count] : {std::pair("tic_tac_toe", 7), {"connect_four", 1}, {"cartpole", 0}}) {
    std::set<std::vector<std::int64_t>> looks;
    for (const Environment::Symmetry& look : begun(name)->symmetries()) looks.insert(look.from);
    EXPECT_EQ(std::ssize(looks), count) << name;
  }
}

/// Whether a player has four in a row, by plain loops over all lines of the board.
bool four_in_a_row(const std::array<std::array<int, 7>, 6>& board, int player) {
  for (int row = 0; row < 6; ++row) {
    for (int column = 0; column < 7; ++column) {
      for (const auto& [down, right] : {std::pair{0, 1}, std::pair{1, 0}, std::pair{1, 1}, std::pair{1, -1}}) {
        int count = 0;
        for (int k = 0; k < 4; ++k) {
          const int r = row + k * down, c = column + k * right;
          count += r >= 0 && r < 6 && c >= 0 && c < 7 &&
                   board[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] == player;
        }
        if (count == 4) return true;
      }
    }
  }
  return false;
}

TEST(ConnectFour, EndsWhenPlainLoopsOverTheBoardFindAWinner) {
  std::uint64_t state = 1;
  std::map<double, int> outcomes;
  for (int game = 0; game < 2000; ++game) {
    const auto four = begun("connect_four");
    std::array<std::array<int, 7>, 6> board = {};
    std::array<int, 7> heights = {};
    while (!four->over()) {
      const auto legal = four->legal_actions();
      state = state * 6364136223846793005u + 1442695040888963407u;
      const auto column = static_cast<std::size_t>(legal[(state >> 33) % legal.size()]);
      const int player = four->player();
      four->step(static_cast<std::int64_t>(column));
      board[static_cast<std::size_t>(heights[column]++)][column] = player + 1;
      const bool won = four_in_a_row(board, player + 1);
      ASSERT_EQ(four->over(), won || four->steps() == 42) << four->drawing();
      ASSERT_EQ(four->outcome(player), won ? 1 : 0);
      for (std::size_t c = 0; c < 7; ++c)
        ASSERT_EQ(four->legal(static_cast<std::int64_t>(c)), !four->over() && heights[c] < 6);
    }
    ++outcomes[four->outcome()];
  }
  EXPECT_GT(outcomes[1], outcomes[-1]);  // with random moves the first player wins more often
  EXPECT_GT(outcomes[0], 0);
}

}  // namespace
}  // namespace thalweg
