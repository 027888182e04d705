#include "system/search.hpp"

#include <gtest/gtest.h>

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

/// A net that knows nothing: every legal action alike, every position even.
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

TEST(Search, FindsTheMoveThatWinsAndTheOnlyOneThatDoesNotLose) {
  const Ignorant net;
  const auto wins = game_of("connect_four", {3, 0, 3, 0, 3, 1}), defends = game_of("connect_four", {3, 0, 3, 0, 3});
  const Environment* const both[] = {wins.get(), defends.get()};
  const std::int64_t numbers[] = {0, 1};
  const Side side = searching(net.adviser, net.state, {.simulations = 200});
  EXPECT_EQ(side(both, numbers), (std::vector<std::int64_t>{3, 3}));
  EXPECT_EQ(best_by_playouts(*wins, 1000, RandomKey{1}), 3);
  EXPECT_EQ(best_by_playouts(*defends, 1000, RandomKey{1}), 3);
}

TEST(Search, CountsEveryVisitOnceAndKeepsWhatIsBelowAMove) {
  const Ignorant net;
  Tree trees[] = {Tree(*game_of("tic_tac_toe"))};
  Evaluations memory(net.adviser, net.state);
  search(trees, memory, {.simulations = 50}, {});
  const auto sum_of = [](const std::vector<std::int64_t>& counts) {
    return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  };
  const std::vector<std::int64_t> visits = trees[0].visits();
  EXPECT_EQ(sum_of(visits), 49);  // the first visit was the root's own
  trees[0].advance(4);
  EXPECT_EQ(trees[0].root().steps(), 1);
  EXPECT_EQ(sum_of(trees[0].visits()), visits[4] - 1);
}

TEST(Search, NoiseIsAFunctionOfItsKeyAndMovesTheVisits) {
  const Ignorant net;
  const SearchOptions noisy{.simulations = 60, .noise = 0.5, .concentration = 0.3};
  const auto visits = [&](std::uint64_t seed) {
    Tree trees[] = {Tree(*game_of("connect_four"))};
    const RandomKey key{seed};
    Evaluations memory(net.adviser, net.state);
    search(trees, memory, noisy, {&key, 1});
    return trees[0].visits();
  };
  EXPECT_EQ(visits(1), visits(1));
  EXPECT_NE(visits(1), visits(2));
}

TEST(Search, SolvesTicTacToe) {
  const auto start = game_of("tic_tac_toe");
  const auto solved = Solved::of(*start, 10'000);
  ASSERT_TRUE(solved);
  EXPECT_EQ(solved->best_actions(*start).size(), 9u);  // all are drawn
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
  EXPECT_EQ(random_openings(*game_of("tic_tac_toe"), 100, 1, RandomKey{1}).size(), 9u);  // there are no more
}

TEST(Search, PointsAreThoseOfTheFirstWhicheverPlayerItIs) {
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

TEST(Acting, AnActionIsDrawnByItsProbability) {
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
