#pragma once
// Search in games of two players: guided by a net's policy and values (Gumbel AlphaZero), or by random games (UCT),
// against which the first is measured; and perfect play for small games.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "system/acting.hpp"

namespace thalweg::acting {

struct SearchOptions {
  std::int64_t simulations = 50;
  std::int64_t considered = 16;  ///< the largest number of actions that are compared at the root
  double value_scale = 0.1;      ///< weight of the values relative to the policy: c in the scores below
  std::int64_t look_ahead = 1;   ///< actions that are tried from each new position, to see whether they decide the game
};

/// For each simulation at a root, the number of visits that its action has had so far, for `considered` actions
/// (sequential halving, Karnin et al. 2013, as Danihelka et al. 2022 use it).
[[nodiscard]] std::vector<std::int64_t> considered_visits(std::int64_t considered, std::int64_t simulations);

/// The search tree of one position (Gumbel AlphaZero, Danihelka et al. 2022). The scores of a position's actions are
/// log p + (50 + max n) c Q, where p is the net's policy, n the visits, and Q the mean value of the visits. For actions
/// without visits, Q is a mean of the net's value and the values of the visited actions. At the root sequential halving
/// keeps the highest scores; below it, visits follow the softmax of the scores.
///
/// If the rules decide a position, by a move that ends the game, by the replies to it or by the known outcomes of the
/// positions after it, its outcome replaces the values, and the net is not evaluated (Winands et al. 2008). Nor is it
/// where all moves but one are known to lose: the position after that move is evaluated in its place. Outcomes are in
/// [-1, 1].
class Tree {
 public:
  /// With a key, Gumbel noise is added to the scores at the root, so that the best action is drawn at random.
  Tree(const Environment& root, const SearchOptions& options, std::optional<RandomKey> key = {});

  /// Runs one more simulation and returns the position at its end, for which `expand` must then be called. Null if the
  /// outcome of that position is known; it is then counted at once.
  const Environment* descend();
  void expand(std::span<const float> log_probabilities, double value);

  /// Whether its simulations are done, or the outcome under perfect play is known.
  [[nodiscard]] bool is_done() const { return solved() || next_ > std::ssize(schedule_); }
  [[nodiscard]] bool solved() const { return nodes_.front().exact.has_value(); }
  /// The action with the highest score among the most visited ones. Actions that are known to be worse than another are
  /// left out, unless all are.
  [[nodiscard]] std::int64_t best() const;
  /// The softmax of the scores without noise, (actions); 0 for actions that are known to be worse than another.
  [[nodiscard]] std::vector<double> policy() const;
  /// The value under this policy for the player whose turn it is, or the outcome if that is known.
  [[nodiscard]] double value() const;
  [[nodiscard]] std::vector<std::int64_t> visits() const;  ///< (actions)

 private:
  struct Node {
    std::unique_ptr<Environment> position;
    std::int64_t action = 0;
    std::size_t parent = 0, first_child = 0, children = 0;
    double log_prior = 0;
    std::optional<double> said = {};   // the net's value, for the player whose turn it is
    std::optional<double> exact = {};  // the outcome, for the player who chose the action
    double value_sum = 0;              // for the player who chose the action
    std::int64_t visits = 0;

    [[nodiscard]] bool is_known() const { return exact || visits > 0; }
    [[nodiscard]] double value() const { return exact ? *exact : value_sum / static_cast<double>(visits); }
  };
  [[nodiscard]] std::span<const Node> children_of(std::size_t at) const {
    return std::span(nodes_).subspan(nodes_[at].first_child, nodes_[at].children);
  }
  void open(std::size_t at);
  void settle(std::size_t at);
  void back_up(std::size_t at, double value);
  [[nodiscard]] double for_chooser(std::size_t at, double value) const;
  [[nodiscard]] double mixed_value(std::size_t at) const;
  void score(std::size_t at, std::vector<double>& scores) const;
  [[nodiscard]] std::size_t root_choice();
  [[nodiscard]] std::size_t choice_below(std::size_t at);
  [[nodiscard]] std::optional<std::size_t> only_choice(std::size_t at) const;
  [[nodiscard]] bool is_worse(const Node& child) const;

  std::vector<Node> nodes_;  // the root first; the children of a node are adjacent
  double scale_;
  std::int64_t look_ahead_;
  std::vector<std::int64_t> schedule_;  // the visits for each simulation
  std::vector<double> noise_;           // for the root's children
  std::vector<double> scores_;          // a member only to reuse its memory
  std::int64_t next_ = 0;               // the next simulation; the evaluation of the root is number 0
  std::size_t leaf_ = 0;
};

/// A net with fixed parameters that caches its outputs, because games share positions, mainly the first ones.
class Evaluations {
 public:
  /// With symmetries, the outputs are means over a position and its images.
  Evaluations(const Adviser& adviser, State state, std::vector<Environment::Symmetry> symmetries = {})
      : adviser_(&adviser), state_(std::move(state)), symmetries_(std::move(symmetries)) {}
  struct Known {
    std::vector<float> log_probabilities = {};
    float value = 0;
  };
  /// The cached outputs for a position; null if there are none. Valid until the next `ask`.
  [[nodiscard]] const Known* find(const Environment& position) const;
  /// Evaluates all positions in one batch.
  void ask(Positions positions);

 private:
  const Adviser* adviser_;
  State state_;
  std::vector<Environment::Symmetry> symmetries_;
  std::unordered_map<std::string, Known> known_;
};

/// Continues all trees until each is done, and evaluates one leaf of each tree in a common batch. Ends early at a stop.
void search(std::span<Tree> trees, Evaluations& net, const Stop& stop = {});

/// Chooses the actions of a side at several unfinished positions at once. `number` has the number of each game.
using Side = std::function<std::vector<std::int64_t>(Positions, std::span<const std::int64_t> number)>;

/// The best action of a search without noise. The adviser must outlive it. With symmetries, as in Evaluations.
[[nodiscard]] Side searching(const Adviser& adviser, State state, SearchOptions options,
                             std::vector<Environment::Symmetry> symmetries = {});

/// The most visited action of plain tree search: UCB1, where each visit is a random game to the end (Kocsis and
/// Szepesvari 2006), with c = sqrt 2 for values in [0, 1].
[[nodiscard]] std::int64_t best_by_playouts(const Environment& at, std::int64_t playouts, RandomKey key);
[[nodiscard]] Side playing_out(std::int64_t playouts, RandomKey key);

/// Plays each game to its end. `first` moves for player 0, or for player 1 in games with `swapped`. Returns the points
/// of `first` in each game: 1, 1/2 or 0. Games that a stop ends early count with their present points.
[[nodiscard]] std::vector<double> play_games(std::span<std::unique_ptr<Environment>> games,
                                             const std::vector<bool>& swapped, const Side& first, const Side& second,
                                             const Stop& stop = {});

/// Different unfinished positions after `plies` random moves. Fewer than `count` if there are not enough.
[[nodiscard]] std::vector<std::unique_ptr<Environment>> random_openings(const Environment& start, std::int64_t count,
                                                                        int plies, RandomKey key);

/// A key that differs between different positions.
[[nodiscard]] std::string key_of(const Environment& at);

/// The outcome of each position of a small game under perfect play of both players, for the player whose turn it is.
class Solved {
 public:
  /// Empty if there are more than `most` positions.
  [[nodiscard]] static std::optional<Solved> of(const Environment& start, std::size_t most);
  [[nodiscard]] std::vector<std::int64_t> best_actions(const Environment& at) const;

 private:
  double value(const Environment& at, std::size_t most);
  [[nodiscard]] double known(const Environment& after, int player) const;

  std::map<std::string, double> values_;
};

}  // namespace thalweg::acting
