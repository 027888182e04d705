#pragma once
// Environments in which one player acts, or two players in turn: a pole to balance, a game. An environment of your own
// is a class that defines its observations, its actions and the effect of each action.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thalweg/var.hpp"

namespace thalweg {

/// An episode of an environment. It is a function of the seed of its reset and of the actions since then: equal seeds
/// and actions give equal numbers. With two players, they act in turn, and one wins what the other loses.
class Environment {
 public:
  virtual ~Environment() = default;

  // Definition: overridden by each environment.

  [[nodiscard]] virtual std::string_view name() const = 0;
  /// The shape of an observation: (numbers), or (height, width, channels) for a board.
  [[nodiscard]] virtual Shape observation_shape() const = 0;
  [[nodiscard]] virtual std::int64_t actions() const = 0;  ///< they are 0, 1, ..., actions() - 1
  [[nodiscard]] virtual int players() const { return 1; }
  /// The name of an action for people, without spaces: "left", "4".
  [[nodiscard]] virtual std::string action_name(std::int64_t action) const;
  /// The present state as text for people; every line has a line end.
  [[nodiscard]] virtual std::string drawing() const = 0;
  [[nodiscard]] virtual std::unique_ptr<Environment> copy() const = 0;
  /// A symmetry of the environment: element i of the new observation is observation[from[i]], and the new value of
  /// action a is that of actions[a].
  struct Symmetry {
    std::vector<std::int64_t> from, actions;
  };
  /// All symmetries but the identity.
  [[nodiscard]] virtual std::vector<Symmetry> symmetries() const { return {}; }

  // Use: the same for all environments, and checked.

  /// Begins an episode.
  void reset(std::uint64_t seed);
  /// Takes an action for the player whose turn it is, and returns that player's reward. Throws UsageError for an action
  /// that is not legal, NumericError for a reward that is not finite; both name the line of the call.
  double step(std::int64_t action, Source source = Source::here());
  [[nodiscard]] bool legal(std::int64_t action) const;  ///< false for all actions once the episode is over
  [[nodiscard]] std::vector<std::int64_t> legal_actions() const;
  [[nodiscard]] bool over() const { return over_; }
  /// Whether the episode is over only because it reached its largest length: it could have continued.
  [[nodiscard]] bool cut() const { return cut_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }  ///< since the reset
  [[nodiscard]] int player() const { return player_; }  ///< the player whose turn it is: 0, or 0 or 1 for two players
  /// The sum of a player's rewards so far.
  [[nodiscard]] double outcome(int player = 0) const { return player == 0 ? outcome_ : -outcome_; }
  /// The observation of the player whose turn it is. Throws UsageError where the span has another size.
  void observe(std::span<float> into, Source source = Source::here()) const;

 protected:
  Environment() = default;
  Environment(const Environment&) = default;
  Environment& operator=(const Environment&) = default;

  /// The result of an action. Only the last one of an episode is `over`, and also `cut` where the length ends it.
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
  double outcome_ = 0;  // the outcome for player 0
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
