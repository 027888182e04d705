#pragma once
// Search in games of two: guided by a net's policy and values (AlphaZero), or by games played out at random (UCT),
// which the former is measured against; and perfect play where a game is small.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "system/acting.hpp"

namespace thalweg::acting {

struct SearchOptions {
  std::int64_t simulations = 50;
  double exploration = 1.5;  ///< how much the policy counts beside the values (c of PUCT)
  double noise = 0;          ///< of the root's policy this part is drawn from a Dirichlet distribution
  double concentration = 1;  ///< of that distribution
};

/// Positions that were searched from one, with what was found (Silver et al. 2018). A visit goes on by the action with
/// the highest Q + c P sqrt(N) / (1 + n); Q is 0 before the first visit.
class Tree {
 public:
  explicit Tree(const Environment& root);

  /// The position that the next visit ends at, which `expand` is to be told of; null where the game is over there,
  /// whose outcome is counted at once.
  const Environment* descend(double exploration);
  void expand(std::span<const float> log_probabilities, double value);

  /// Mixes noise into the root's policy; its position must be expanded.
  void add_noise(const SearchOptions& options, RandomKey key);
  [[nodiscard]] bool is_expanded() const { return nodes_.front().children > 0; }
  [[nodiscard]] const Environment& root() const { return *nodes_.front().position; }
  /// How often each action was visited.
  [[nodiscard]] std::vector<std::int64_t> visits() const;
  /// The action becomes the root; what was found below it stays.
  void advance(std::int64_t action);

 private:
  struct Node {
    std::unique_ptr<Environment> position = {};  // none before the first visit
    double prior = 0, value_sum = 0;             // the latter for the one who chose the action
    std::int64_t visits = 0;
    std::size_t parent = 0, first_child = 0, children = 0;
    std::int64_t action = 0;
  };
  [[nodiscard]] std::size_t best_child(std::size_t at, double exploration) const;
  void back_up(std::size_t leaf, double value);

  std::vector<Node> nodes_;  // the root first; the children of one stand together
  std::size_t leaf_ = 0;
};

/// A net in one state that remembers what it said: games have positions in common, their first ones above all.
class Evaluations {
 public:
  Evaluations(const Adviser& adviser, State state) : adviser_(&adviser), state_(std::move(state)) {}
  /// Of each position what the net says; those that are not known are asked of at once.
  [[nodiscard]] Said operator()(Positions positions);

 private:
  struct Known {
    std::vector<float> log_probabilities;
    float value;
  };
  const Adviser* adviser_;
  State state_;
  std::unordered_map<std::string, Known> known_;
};

/// Visits all trees in step, and asks the net of all their leaves at once.
void search(std::span<Tree> trees, Evaluations& net, const SearchOptions& options, std::span<const RandomKey> keys);

/// The actions of a side at positions that are not over, all at once. `number` is that of each game.
using Side = std::function<std::vector<std::int64_t>(Positions, std::span<const std::int64_t> number)>;

/// The most visited action of a search without noise. The adviser must outlive it.
[[nodiscard]] Side searching(const Adviser& adviser, State state, SearchOptions options);

/// The most visited action of plain tree search: UCB1 over visits that are played out at random (Kocsis and Szepesvari
/// 2006), c = sqrt 2 of values in [0, 1].
[[nodiscard]] std::int64_t best_by_playouts(const Environment& at, std::int64_t playouts, RandomKey key);
[[nodiscard]] Side playing_out(std::int64_t playouts, RandomKey key);

/// Plays each position to its end, `first` moving for player 0 or, in games where `swapped`, for player 1. Gives the
/// points of `first` in each game: 1, 1/2 or 0.
[[nodiscard]] std::vector<double> play_games(std::span<std::unique_ptr<Environment>> games,
                                             const std::vector<bool>& swapped, const Side& first, const Side& second);

/// Positions of that many plies, each as likely as random play makes it, no two alike and none over; fewer where there
/// are no more.
[[nodiscard]] std::vector<std::unique_ptr<Environment>> random_openings(const Environment& start, std::int64_t count,
                                                                        int plies, RandomKey key);

/// What tells positions apart.
[[nodiscard]] std::string key_of(const Environment& at);

/// The outcome of each position of a small game under perfect play of both, for the one whose turn it is.
class Solved {
 public:
  /// Nothing where there are more than `most` positions.
  [[nodiscard]] static std::optional<Solved> of(const Environment& start, std::size_t most);
  [[nodiscard]] std::vector<std::int64_t> best_actions(const Environment& at) const;

 private:
  double value(const Environment& at, std::size_t most);
  [[nodiscard]] double known(const Environment& after, int player) const;

  std::map<std::string, double> values_;
};

}  // namespace thalweg::acting
