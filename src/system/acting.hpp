#pragma once
// The common code of systems that act: their environment, the inputs of a net for several positions at once, and its
// outputs.

#include <memory>
#include <span>

#include "core/random.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::acting {

using Positions = std::span<const Environment* const>;

/// The environment with this name, reset with seed 0. Throws UsageError if there is none, or if it is for another
/// number of players.
[[nodiscard]] std::unique_ptr<Environment> environment_named(const SystemData& data, std::string_view system,
                                                             const std::string& name, int players);

/// A seed that follows from a key.
[[nodiscard]] std::uint64_t seed_of(RandomKey key);

/// (rows, ...) f32: the observation of each position; zeros in the remaining rows.
[[nodiscard]] Tensor observations(Positions positions, std::int64_t rows);
/// (rows, actions) f32: 1 where an action is legal, else 0; 1 in the remaining rows.
[[nodiscard]] Tensor legal_actions(Positions positions, std::int64_t rows);
/// (batch, actions): the logits, with values for illegal actions that are so low that these are never chosen.
[[nodiscard]] Var masked(const Var& logits, const Var& legal);

/// The outputs of a net: log-probabilities of the actions, and the value for the player to move.
struct Said {
  std::int64_t actions = 0;
  std::vector<float> log_probabilities = {}, values = {};  ///< (positions, actions); (positions)
  [[nodiscard]] std::span<const float> of(std::size_t position) const {
    const auto count = static_cast<std::size_t>(actions);
    return std::span(log_probabilities).subspan(position * count, count);
  }
};

/// A net that computes "log_probabilities" (batch, actions) and "value" (batch) from "observation" and "legal", for any
/// number of positions at once. It uses only a few sizes of batch, so that few plans are made.
class Adviser {
 public:
  Adviser(std::function<NamedVars(Scope, const Batch&)> net, int threads) : net_(std::move(net), threads) {}
  /// For each position, the mean of the outputs for it and for its images under the symmetries. The means of
  /// log-probabilities are not normalised.
  [[nodiscard]] Said operator()(const State& state, Positions positions,
                                std::span<const Environment::Symmetry> symmetries = {}) const;
  /// Throws ModelError if the state lacks a parameter of the net, or has it in another shape: before anything is shown,
  /// or is made of the sizes in the net's options.
  void expect_net_in(const State& state, const Environment& game) const;

 private:
  Apply net_;
};

/// Makes an adviser from a net that returns both as a pair.
template <class Net>
[[nodiscard]] Adviser adviser_of(const Net& net, int threads) {
  return Adviser(
      [net](const Scope& s, const Batch& b) -> NamedVars {
        const auto [log_probabilities, value] = net(s, b);
        return {{"log_probabilities", log_probabilities}, {"value", value}};
      },
      threads);
}

/// The most probable of the legal actions.
[[nodiscard]] std::int64_t most_probable(std::span<const float> log_probabilities, const Environment& at);
/// Draws one of the legal actions by their probabilities; `unit` is uniform in [0, 1).
[[nodiscard]] std::int64_t drawn(std::span<const float> log_probabilities, const Environment& at, double unit);
/// Draws one of the legal actions, all with the same probability.
[[nodiscard]] std::int64_t any_action(const Environment& at, double unit);

/// Throws UsageError if the rows of a collection, of so many numbers each, take more than 256 MiB. The options of a
/// trained system come from its file, which could ask for any number of rows.
void expect_collection(std::string_view system, std::int64_t rows, std::int64_t numbers);

/// The initial state of an objective.
[[nodiscard]] State untrained(const Objective& objective, const Dataset& like, std::uint64_t seed);

}  // namespace thalweg::acting
