#pragma once
// What systems that act share: their environment, what a net is given of several at once, and what it says.

#include <memory>
#include <span>

#include "core/random.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/system.hpp"

namespace thalweg::acting {

using Positions = std::span<const Environment* const>;

/// Begun with seed 0. Throws UsageError where there is none of that name, or it is for another number of players.
[[nodiscard]] std::unique_ptr<Environment> environment_named(const SystemData& data, std::string_view system,
                                                             const std::string& name, int players);

/// A seed that follows from a key.
[[nodiscard]] std::uint64_t seed_of(RandomKey key);

/// (rows, ...) f32: what is seen at each position; zeros in the rows beyond.
[[nodiscard]] Tensor observations(Positions positions, std::int64_t rows);
/// (rows, actions) f32: 1 where an action is legal, else 0; 1 in the rows beyond.
[[nodiscard]] Tensor legal_actions(Positions positions, std::int64_t rows);
/// (batch, actions) logits, those of illegal actions out of reach.
[[nodiscard]] Var masked(const Var& logits, const Var& legal);

/// What a net says: log-probabilities of the actions, and the value for the one whose turn it is.
struct Said {
  std::int64_t actions = 0;
  std::vector<float> log_probabilities = {}, values = {};  ///< (positions, actions); (positions)
  [[nodiscard]] std::span<const float> of(std::size_t position) const {
    const auto count = static_cast<std::size_t>(actions);
    return std::span(log_probabilities).subspan(position * count, count);
  }
};

/// A net of "observation" and "legal" that gives "log_probabilities" (batch, actions) and "value" (batch), asked of any
/// number of positions at once: of few sizes of batch, so that few plans are made.
class Adviser {
 public:
  Adviser(std::function<NamedVars(Scope, const Batch&)> net, int threads) : net_(std::move(net), threads) {}
  [[nodiscard]] Said operator()(const State& state, Positions positions) const;

 private:
  Apply net_;
};

/// Of a net that gives both as a pair.
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
/// One of the legal actions by their probabilities; `unit` is uniform in [0, 1).
[[nodiscard]] std::int64_t drawn(std::span<const float> log_probabilities, const Environment& at, double unit);
/// One of the legal actions, each as likely.
[[nodiscard]] std::int64_t any_action(const Environment& at, double unit);

/// The state of an objective that has learned nothing yet.
[[nodiscard]] State untrained(const Objective& objective, const Dataset& like, std::uint64_t seed);

}  // namespace thalweg::acting
