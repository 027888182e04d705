#include "system/search.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::acting {
namespace {

std::unique_ptr<Environment> game_of(const std::string& name, std::initializer_list<std::int64_t> actions = {}) {
  auto game = environment_named({.environments = environments()}, "test", name, 2);
  for (const std::int64_t action : actions) game->step(action);
  return game;
}

/// A net without knowledge: all legal actions are equally likely, and every position has value 0.
NamedVars ignorant(const Scope& s, const Batch& b) {
  const Var zero = s.parameter("zero", {1}, {});
  return {{"log_probabilities", log_softmax(masked(b["legal"] * 0 + zero, b["legal"]))},
          {"value", reshape(sum(b["legal"], -1) * 0, {b.rows()})}};
}

struct Ignorant {
  Adviser adviser = Adviser(ignorant, 1);
  State state = untrained(
      [](const Scope& s, const Batch& b) { return Loss::of_samples(sum(ignorant(s, b)[0].second, -1)); }, like(), 1);
  static Dataset like() {
    Dataset rows;
    rows.set("legal", ones({1, 9}));
    return rows;
  }
};

TEST(Search, FindsAWinningMoveAndTheOnlyDefence) {
  const Ignorant net;
  const auto wins = game_of("connect_four", {3, 0, 3, 0, 3, 1}), defends = game_of("connect_four", {3, 0, 3, 0, 3});
  const Environment* const both[] = {wins.get(), defends.get()};
  const std::int64_t numbers[] = {0, 1};
  const Side side = searching(net.adviser, net.state, {.simulations = 200});
  EXPECT_EQ(side(both, numbers), (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(best_by_playouts(*wins, 1000, RandomKey{1}), 3);
  EXPECT_EQ(best_by_playouts(*defends, 1000, RandomKey{1}), 3);
}

/// The expected values were computed by hand from get_sequence_of_considered_visits in DeepMind's mctx
/// (seq_halving.py).
TEST(Search, ComparesActionsBySequentialHalving) {
  using Visits = std::vector<std::int64_t>;
  EXPECT_EQ(considered_visits(4, 16), (Visits{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}));
  EXPECT_EQ(considered_visits(7, 16), (Visits{0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 4}));
  EXPECT_EQ(considered_visits(2, 5), (Visits{0, 0, 1, 1, 2}));
  EXPECT_EQ(considered_visits(1, 3), (Visits{0, 1, 2}));
  EXPECT_EQ(considered_visits(8, 3), (Visits{0, 0, 0}));
}

/// A net whose value is a weighted sum over the stones of a position; its log-probabilities depend only on the action.
NamedVars weighing(const Scope& s, const Batch& b) {
  const Var zero = s.parameter("zero", {1}, {}), stones = reshape(b["observation"], {b.rows(), 18});
  std::vector<float> weights(18), actions(9);
  for (std::size_t i = 0; i < 18; ++i) weights[i] = 0.02f * static_cast<float>((i * 7) % 11) - 0.1f;
  for (std::size_t i = 0; i < 9; ++i) actions[i] = 0.3f * static_cast<float>((i * 5) % 9);
  const Var sum_of = sum(stones * constant(Tensor::from(weights, {18})), -1);
  const Var logits = b["legal"] * constant(Tensor::from(actions, {9})) + zero;
  return {{"log_probabilities", log_softmax(masked(logits, b["legal"]))}, {"value", sum_of}};
}

State state_of_weighing() {
  Dataset rows;
  rows.set("observation", zeros({1, 3, 3, 2}));
  rows.set("legal", ones({1, 9}));
  return untrained([](const Scope& s, const Batch& b) { return Loss::of_samples(sum(weighing(s, b)[0].second, -1)); },
                   rows, 1);
}

/// With one visit per action, its score is the net's value of the next position, so the policy has a closed form.
TEST(Search, ImprovesThePolicyByTheScores) {
  const Adviser adviser(weighing, 1);
  const State state = state_of_weighing();
  const auto start = game_of("tic_tac_toe");
  Tree trees[] = {Tree(*start, {.simulations = 9, .value_scale = 0.2})};
  Evaluations memory(adviser, state);
  search(trees, memory);
  EXPECT_EQ(trees[0].visits(), std::vector<std::int64_t>(9, 1));
  const Environment* const root = start.get();
  const Said here = adviser(state, {&root, 1});
  std::vector<double> parts;
  double total = 0, value = 0;
  std::size_t highest = 0;
  for (std::int64_t action = 0; action < 9; ++action) {
    const auto behind = game_of("tic_tac_toe", {action});
    const Environment* const one = behind.get();
    const double worth = -static_cast<double>(adviser(state, {&one, 1}).values[0]);
    parts.push_back(std::exp(static_cast<double>(here.of(0)[static_cast<std::size_t>(action)]) + 51 * 0.2 * worth));
    total += parts.back();
    value += parts.back() * worth;
    if (parts.back() > parts[highest]) highest = static_cast<std::size_t>(action);
  }
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(trees[0].policy()[i], parts[i] / total, 1e-6) << i;
  EXPECT_NEAR(trees[0].value(), value / total, 1e-6);
  EXPECT_EQ(trees[0].best(), static_cast<std::int64_t>(highest));
}

TEST(Search, TakesAsManySimulationsAsRequested) {
  const Ignorant net;
  for (const std::int64_t simulations : {2, 7, 50}) {
    Tree trees[] = {Tree(*game_of("connect_four"), {.simulations = simulations})};
    Evaluations memory(net.adviser, net.state);
    search(trees, memory);
    const std::vector<std::int64_t> visits = trees[0].visits();
    EXPECT_EQ(std::accumulate(visits.begin(), visits.end(), std::int64_t{0}), simulations);
  }
}

TEST(Search, DrawsFromThePolicyIfItHasAKey) {
  const Ignorant net;
  Evaluations memory(net.adviser, net.state);
  const auto start = game_of("connect_four");
  std::vector<int> counts(7);
  std::vector<double> policy;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    Tree trees[] = {Tree(*start, {.simulations = 7}, RandomKey{seed})};
    search(trees, memory);
    ++counts[static_cast<std::size_t>(trees[0].best())];
    policy = trees[0].policy();
  }
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_NEAR(policy[i], 1.0 / 7, 1e-6);
    EXPECT_NEAR(counts[i], 2000.0 / 7, 60);
  }
}

/// In any position of tic-tac-toe, an outcome that the search regards as known is right.
TEST(Search, KnowsOutcomesThatTheRulesDecide) {
  const Ignorant net;
  Evaluations memory(net.adviser, net.state);
  const auto solved = *Solved::of(*game_of("tic_tac_toe"), 10'000);
  int known = 0, all = 0;
  for (const auto& position : random_openings(*game_of("tic_tac_toe"), 150, 4, RandomKey{3})) {
    for (const std::int64_t simulations : {8, 2000}) {
      Tree trees[] = {Tree(*position, {.simulations = simulations})};
      search(trees, memory);
      const std::vector<std::int64_t> best = solved.best_actions(*position);
      if (!trees[0].solved()) continue;
      ++(simulations == 8 ? known : all);
      EXPECT_EQ(std::ranges::count(best, trees[0].best()), 1) << position->drawing();
      const auto after = position->copy();
      const int mover = position->player();
      after->step(best.front());
      while (!after->over()) after->step(solved.best_actions(*after).front());
      EXPECT_EQ(trees[0].value(), after->outcome(mover)) << position->drawing();
      const std::vector<double> policy = trees[0].policy();
      for (std::int64_t a = 0; a < 9; ++a)
        EXPECT_TRUE(policy[static_cast<std::size_t>(a)] == 0 || std::ranges::count(best, a) == 1);
    }
  }
  EXPECT_GT(known, 30);
  EXPECT_GT(all, 120);
}

/// A player with three stones in a row and both ends free cannot be stopped.
TEST(Search, KnowsThatALossIsTwoMovesAhead) {
  const Ignorant net;
  Evaluations memory(net.adviser, net.state);
  const auto lost = game_of("connect_four", {2, 6, 3, 6, 4}), must_block = game_of("connect_four", {2, 6, 3});
  Tree trees[] = {Tree(*lost, {.simulations = 7}), Tree(*must_block, {.simulations = 200})};
  EXPECT_EQ(trees[0].descend(), nullptr);
  EXPECT_TRUE(trees[0].solved());
  EXPECT_EQ(trees[0].value(), -1);
  search(trees, memory);
  EXPECT_TRUE(trees[1].best() == 1 || trees[1].best() == 4) << trees[1].best();
}

/// After 3 the first player threatens to have three in a row with both ends free, which the second must prevent.
TEST(Search, LooksFurtherAheadIfAsked) {
  const auto open_two = game_of("connect_four", {2, 6, 3, 6});  // the first player to move: 4 or 1 wins
  for (const std::int64_t ahead : {1, 2}) {
    Tree tree(*open_two, {.simulations = 7, .look_ahead = ahead});
    const Environment* const leaf = tree.descend();
    EXPECT_EQ(leaf == nullptr, ahead == 2) << ahead;
    EXPECT_EQ(tree.solved(), ahead == 2);
    if (tree.solved()) {
      EXPECT_EQ(tree.value(), 1);
      EXPECT_TRUE(tree.best() == 1 || tree.best() == 4) << tree.best();
    }
  }
}

/// A game without rules, which counts the actions that are tried.
class Open final : public Environment {
 public:
  /// After `last` steps nothing is legal.
  Open(std::int64_t actions, std::int64_t last, int& tried) : actions_(actions), last_(last), tried_(tried) {}
  [[nodiscard]] std::string_view name() const override { return "open"; }
  [[nodiscard]] Shape observation_shape() const override { return {1}; }
  [[nodiscard]] std::int64_t actions() const override { return actions_; }
  [[nodiscard]] int players() const override { return 2; }
  [[nodiscard]] std::string drawing() const override { return "\n"; }
  [[nodiscard]] std::unique_ptr<Environment> copy() const override { return std::make_unique<Open>(*this); }

 protected:
  void start(std::uint64_t) override {}
  Result act(std::int64_t) override {
    ++tried_;
    return {};
  }
  [[nodiscard]] bool allows(std::int64_t) const override { return steps() < last_; }
  void look(std::span<float> into) const override { into[0] = 0; }

 private:
  std::int64_t actions_, last_;
  int& tried_;
};

TEST(Search, AStuckGameIsRefusedAndNotTakenForALoss) {
  int tried = 0;
  Open game(6, 1, tried);
  game.reset(1);
  for (const std::int64_t ahead : {0, 1, 3}) {
    Tree tree(game, {.simulations = 4, .look_ahead = ahead});
    EXPECT_FALSE(tree.solved());
    ASSERT_TRUE(tree.descend());
    tree.expand(std::vector<float>(6, -std::log(6.f)), 0);
    EXPECT_THROW((void)tree.descend(), UsageError) << ahead;
  }
}

/// Of 1,000 actions there are 1,000 positions, and a look ahead of one action would try a million.
TEST(Search, LooksAheadOnlyWhereThatTakesFewPositions) {
  for (const auto& [actions, wanted] : {std::pair{1000, 1000}, std::pair{10, 10 + 100 + 1000}}) {
    int tried = 0;
    Open game(actions, 100, tried);
    game.reset(1);
    const Tree tree(game, {.simulations = 4, .look_ahead = 3});
    EXPECT_EQ(tried, wanted);
  }
}

TEST(Search, EvaluatesThePositionAfterTheOnlyMove) {
  const auto forced = game_of("connect_four", {3, 0, 3, 0, 3}), after = game_of("connect_four", {3, 0, 3, 0, 3, 3});
  Tree tree(*forced, {.simulations = 7});
  const Environment* const leaf = tree.descend();
  ASSERT_TRUE(leaf);
  EXPECT_EQ(key_of(*leaf), key_of(*after));
  const std::vector<float> equal(7, -std::log(7.f));
  tree.expand(equal, 0.5);
  EXPECT_EQ(tree.best(), 3);
  EXPECT_EQ(tree.value(), -0.5);
  EXPECT_EQ(tree.policy()[3], 1);
}

/// What a net says of a position and of its mirror image is the same once both are averaged.
TEST(Search, AveragesOverSymmetries) {
  const Adviser adviser(weighing, 1);
  const State state = state_of_weighing();
  const auto one = game_of("tic_tac_toe", {0, 4, 5}), image = game_of("tic_tac_toe", {2, 4, 3});
  const Environment* const both[] = {one.get(), image.get()};
  std::vector<Environment::Symmetry> mirror;
  for (const Environment::Symmetry& look : one->symmetries()) {
    if (look.actions == std::vector<std::int64_t>{2, 1, 0, 5, 4, 3, 8, 7, 6}) mirror = {look};
  }
  ASSERT_EQ(mirror.size(), 1u);
  const Said plain = adviser(state, both), mean = adviser(state, both, mirror);
  EXPECT_NE(plain.values[0], plain.values[1]);
  EXPECT_NEAR(mean.values[0], (plain.values[0] + plain.values[1]) / 2, 1e-6);
  EXPECT_NEAR(mean.values[1], mean.values[0], 1e-6);
  for (std::size_t a = 0; a < 9; ++a) {
    const auto there = static_cast<std::size_t>(mirror[0].actions[a]);
    if (!one->legal(static_cast<std::int64_t>(a))) continue;
    EXPECT_NEAR(mean.of(0)[a], (plain.of(0)[a] + plain.of(1)[there]) / 2, 1e-6) << a;
    EXPECT_NEAR(mean.of(1)[there], mean.of(0)[a], 1e-6) << a;
  }
}

TEST(Search, EndsWhenItIsStopped) {
  const Ignorant net;
  Evaluations memory(net.adviser, net.state);
  int asked = 0;
  Tree trees[] = {Tree(*game_of("connect_four"), {.simulations = 1'000'000})};
  search(trees, memory, [&] { return ++asked > 5; });
  const std::vector<std::int64_t> visits = trees[0].visits();
  EXPECT_LT(std::accumulate(visits.begin(), visits.end(), std::int64_t{0}), 100);
}

TEST(Search, SolvesTicTacToe) {
  const auto start = game_of("tic_tac_toe");
  const auto solved = Solved::of(*start, 10'000);
  ASSERT_TRUE(solved);
  EXPECT_EQ(solved->best_actions(*start).size(), 9u);  // every opening leads to a draw
  EXPECT_EQ(solved->best_actions(*game_of("tic_tac_toe", {0})), (std::vector<std::int64_t>{4}));
  EXPECT_EQ(solved->best_actions(*game_of("tic_tac_toe", {0, 4, 8})), (std::vector<std::int64_t>{1, 3, 5, 7}));
  EXPECT_FALSE(Solved::of(*game_of("connect_four"), 10'000));
}

TEST(Search, OpeningsAreDistinct) {
  const auto openings = random_openings(*game_of("connect_four"), 100, 4, RandomKey{1});
  ASSERT_EQ(openings.size(), 100u);
  std::set<std::string> known;
  for (const auto& opening : openings) {
    EXPECT_EQ(opening->steps(), 4);
    EXPECT_FALSE(opening->over());
    known.insert(key_of(*opening));
  }
  EXPECT_EQ(known.size(), 100u);
  EXPECT_EQ(random_openings(*game_of("tic_tac_toe"), 100, 1, RandomKey{1}).size(), 9u);  // there are only nine openings
}

TEST(Search, PointsAreThoseOfTheFirstSideWhicheverPlayerItIs) {
  const auto solved = *Solved::of(*game_of("tic_tac_toe"), 10'000);
  const Side perfect = [&](Positions positions, std::span<const std::int64_t>) {
    std::vector<std::int64_t> actions;
    for (const Environment* one : positions) actions.push_back(solved.best_actions(*one).front());
    return actions;
  };
  const Side last = [](Positions positions, std::span<const std::int64_t>) {
    std::vector<std::int64_t> actions;
    for (const Environment* one : positions) actions.push_back(one->legal_actions().back());
    return actions;
  };
  for (const bool first : {true, false}) {
    std::vector<std::unique_ptr<Environment>> games;
    games.push_back(game_of("tic_tac_toe"));
    games.push_back(game_of("tic_tac_toe"));
    const auto points =
        first ? play_games(games, {false, true}, perfect, last) : play_games(games, {false, true}, last, perfect);
    for (const double one : points) EXPECT_TRUE(first ? one >= 0.5 : one <= 0.5);
  }
}

TEST(Acting, ActionsAreDrawnWithTheirProbabilities) {
  const auto game = game_of("tic_tac_toe", {0});
  std::vector<float> log_probabilities(9, std::log(0.1f));
  log_probabilities[4] = std::log(0.3f);
  std::vector<int> counts(9);
  for (std::uint64_t i = 0; i < 10'000; ++i)
    ++counts[static_cast<std::size_t>(drawn(log_probabilities, *game, random_unit(RandomKey{1}, i)))];
  EXPECT_EQ(counts[0], 0);
  EXPECT_NEAR(counts[4], 3000, 150);
  EXPECT_NEAR(counts[1], 1000, 100);
  EXPECT_EQ(most_probable(log_probabilities, *game), 4);
}

}  // namespace
}  // namespace thalweg::acting
