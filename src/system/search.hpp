#pragma once
// Search in games of two: guided by a net's policy and values (Gumbel AlphaZero), or by games played out at random
// (UCT), which the former is measured against; and perfect play where a game is small.

#include <map>
#include <optional>
#include <string>
#include <unordered_map>

#include "system/acting.hpp"

namespace thalweg::acting {

struct SearchOptions {
  std::int64_t simulations = 50;
  std::int64_t considered = 16;  ///< actions at the root that are looked at, at most
  double value_scale = 0.1;      ///< how much the values count beside the policy: c of the scores below
};

/// What action each simulation at a root goes to: one that was visited so often, of `considered` ones (sequential
/// halving, Karnin et al. 2013, as Danihelka et al. 2022 use it).
[[nodiscard]] std::vector<std::int64_t> considered_visits(std::int64_t considered, std::int64_t simulations);

/// Positions that were searched from one, with what was found (Gumbel AlphaZero, Danihelka et al. 2022). The scores of
/// a position's actions are log p + (50 + max n) c Q, where p is the net's policy, n the visits, and Q the mean value
/// of the visits or, before the first, a mean of the net's value and those of the visited. At the root sequential
/// halving keeps the highest scores; below it, visits follow the softmax of the scores.
///
/// Where the rules decide a position, by a move that ends the game or by what is known of all positions behind it, its
/// outcome takes the place of the values, and the net is not asked (Winands et al. 2008). Outcomes are in [-1, 1].
class Tree {
 public:
  /// With a key, noise of a Gumbel distribution is added to the scores at the root, so that the best action is drawn.
  Tree(const Environment& root, const SearchOptions& options, std::optional<RandomKey> key = {});

  /// One simulation more: the position at its end, which `expand` is to be told of; null where its outcome is known,
  /// which is counted at once.
  const Environment* descend();
  void expand(std::span<const float> log_probabilities, double value);

  /// Whether its simulations are done, or the outcome under perfect play is known.
  [[nodiscard]] bool is_done() const { return solved() || next_ > std::ssize(schedule_); }
  [[nodiscard]] bool solved() const { return nodes_.front().exact.has_value(); }
  /// The action with the highest score of the most visited; one that is known to be worse than another only where all
  /// are.
  [[nodiscard]] std::int64_t best() const;
  /// The softmax of the scores, without noise: of an action that is known to be worse than another 0. (actions)
  [[nodiscard]] std::vector<double> policy() const;
  /// For the one whose turn it is, where the policy is followed: the outcome where that is known.
  [[nodiscard]] double value() const;
  [[nodiscard]] std::vector<std::int64_t> visits() const;  ///< (actions)

 private:
  struct Node {
    std::unique_ptr<Environment> position;
    std::int64_t action = 0;
    std::size_t parent = 0, first_child = 0, children = 0;
    double log_prior = 0;
    std::optional<double> said = {};   // by the net, for the one whose turn it is
    std::optional<double> exact = {};  // the outcome, for the one who chose the action
    double value_sum = 0;              // for the one who chose the action
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
  [[nodiscard]] bool is_worse(const Node& child) const;

  std::vector<Node> nodes_;  // the root first; the children of one stand together
  double scale_;
  std::vector<std::int64_t> schedule_;  // of the simulations
  std::vector<double> noise_;           // of the root's children
  std::vector<double> scores_;          // kept for its memory
  std::int64_t next_ = 0;               // simulation; the root's own evaluation is number 0
  std::size_t leaf_ = 0;
};

/// A net in one state that remembers what it said: games have positions in common, their first ones above all.
class Evaluations {
 public:
  Evaluations(const Adviser& adviser, State state) : adviser_(&adviser), state_(std::move(state)) {}
  struct Known {
    std::vector<float> log_probabilities = {};
    float value = 0;
  };
  /// What the net said of it; null where it was not asked yet. Valid until the next `ask`.
  [[nodiscard]] const Known* find(const Environment& position) const;
  /// Asks of all at once.
  void ask(Positions positions);

 private:
  const Adviser* adviser_;
  State state_;
  std::unordered_map<std::string, Known> known_;
};

/// Takes all trees on until each is done, and asks the net of a leaf of each at once. Ends early where it is stopped.
void search(std::span<Tree> trees, Evaluations& net, const Stop& stop = {});

/// The actions of a side at positions that are not over, all at once. `number` is that of each game.
using Side = std::function<std::vector<std::int64_t>(Positions, std::span<const std::int64_t> number)>;

/// The best action of a search without noise. The adviser must outlive it.
[[nodiscard]] Side searching(const Adviser& adviser, State state, SearchOptions options);

/// The most visited action of plain tree search: UCB1 over visits that are played out at random (Kocsis and Szepesvari
/// 2006), c = sqrt 2 of values in [0, 1].
[[nodiscard]] std::int64_t best_by_playouts(const Environment& at, std::int64_t playouts, RandomKey key);
[[nodiscard]] Side playing_out(std::int64_t playouts, RandomKey key);

/// Plays each position to its end, `first` moving for player 0 or, in games where `swapped`, for player 1. Gives the
/// points of `first` in each game: 1, 1/2 or 0. Games that a stop ends early count as they stand.
[[nodiscard]] std::vector<double> play_games(std::span<std::unique_ptr<Environment>> games,
                                             const std::vector<bool>& swapped, const Side& first, const Side& second,
                                             const Stop& stop = {});

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
