#pragma once
// Environments: worlds in which one acts, alone or two in turn: a game, a pole to balance. One of your own is a class
// that says what it looks like, which actions there are, and what each of them does.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

/// An episode of a world. It is a function of the seed that it was reset with and of the actions since: the same ones
/// give the same numbers. Of two players, who act in turn, what one wins the other loses.
class Environment {
 public:
  virtual ~Environment() = default;

  // What it is: written by the one who makes it.

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// Of what `observe` writes: (numbers), or (height, width, channels) for a board.
  [[nodiscard]] virtual Shape observation_shape() const = 0;
  [[nodiscard]] virtual std::int64_t actions() const = 0;  ///< they are 0, 1, ..., actions() - 1
  [[nodiscard]] virtual int players() const { return 1; }
  /// As a person calls it, without spaces: "left", "4".
  [[nodiscard]] virtual std::string action_name(std::int64_t action) const;
  /// The present state for a person, in plain characters, each line ended.
  [[nodiscard]] virtual std::string drawing() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Environment> copy() const = 0;
  /// A way to look at a state that changes nothing of it: observation[i] becomes observation[from[i]], and what is said
  /// of action a what is said of actions[a].
  struct Symmetry {
    std::vector<std::int64_t> from, actions;
  };
  /// All of them but the identity.
  [[nodiscard]] virtual std::vector<Symmetry> symmetries() const { return {}; }

  // Acting in it: the same for all, and checked.

  /// Begins an episode.
  void reset(std::uint64_t seed);
  /// One acts: gives the reward of the one who did. Throws UsageError for an action that is not legal, NumericError for
  /// a reward that is not finite; both name the line of the call.
  double step(std::int64_t action, Source source = Source::here());
  [[nodiscard]] bool legal(std::int64_t action) const;  ///< false for all where the episode is over
  [[nodiscard]] std::vector<std::int64_t> legal_actions() const;
  [[nodiscard]] bool over() const { return over_; }
  /// Whether it is over because it was long enough, and not by what was done: it might have gone on.
  [[nodiscard]] bool cut() const { return cut_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }  ///< since the reset
  [[nodiscard]] int player() const { return player_; }         ///< whose turn it is: 0, or of two 0 or 1
  /// The sum of a player's rewards so far.
  [[nodiscard]] double outcome(int player = 0) const { return player == 0 ? outcome_ : -outcome_; }
  /// What the one whose turn it is sees. Throws UsageError where there is not room for just that.
  void observe(std::span<float> into, Source source = Source::here()) const;

 protected:
  Environment() = default;
  Environment(const Environment&) = default;
  Environment& operator=(const Environment&) = default;

  /// What an action did. Only the last action of an episode is `over`, and `cut` where it is the length that ends it.
  struct Result {
    double reward = 0;
    bool over = false, cut = false;
  };
  virtual void start(std::uint64_t seed) = 0;
  /// Only called with actions that are allowed, and while the episode is not over.
  virtual Result act(std::int64_t action) = 0;
  [[nodiscard]] virtual bool allows(std::int64_t /*action*/) const { return true; }
  virtual void look(std::span<float> into) const = 0;

 private:
  [[noreturn]] void refuse(std::int64_t action, Source source) const;

  std::int64_t steps_ = 0;
  double outcome_ = 0;  // of player 0
  int player_ = 0;
  bool over_ = true, cut_ = false;
};

/// A row of the table of environments.
struct EnvironmentRow {
  std::string_view name, summary, source = {};
  std::function<std::unique_ptr<Environment>()> make;
};
[[nodiscard]] const std::vector<EnvironmentRow>& environments();

}  // namespace thalweg
