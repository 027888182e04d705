#pragma once
// What tuning a policy on preferences has gained, and what it has given up.

#include "system/reward_net.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// The policies that are measured, and from what they write.
struct TunedPolicy {
  const TextPolicy& policy;
  const State& state;   ///< as it is now
  const State& before;  ///< as it was when the tuning began
  const std::vector<std::string>& prompts;
  const TextJudge* judge = nullptr;  ///< null: rewards are not measured
};

/// Of so many texts by each policy, drawn with the same random numbers: the mean reward; the divergence of a text, by
/// which the policy differs from what it was, in nats: sum over the places of KL(policy || before), whose mean over the
/// policy's texts is the divergence of the distributions of texts; entropy a token; distinct_runs; tokens a text; and
/// the part of the texts that end. Beside it the same "before". With a judge, a picture: each text by its divergence
/// and its reward.
[[nodiscard]] SystemFigures figures_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key);

/// How many different runs of three tokens in a row are written, over how many are written in all: 1 where none comes
/// twice, near 0 where all texts say the same.
[[nodiscard]] double distinct_runs(const TextRows& rows);

/// The first texts of both policies, side by side.
[[nodiscard]] NamedMedia samples_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key);

/// For `thalweg generate`.
[[nodiscard]] Generated generated(const TextPolicy& policy, const State& state, const std::vector<std::string>& prompts,
                                  const GenerateRequest& request);

}  // namespace thalweg
