#pragma once
// Measures the effect of tuning a policy on preferences: the gain in reward, and the distance from the policy before.

#include "system/reward_net.hpp"
#include "thalweg/system.hpp"

namespace thalweg {

/// The policies that are measured, and the prompts from which they write.
struct TunedPolicy {
  const TextPolicy& policy;
  const State& state;   ///< the present policy
  const State& before;  ///< the policy at the start of the tuning
  const std::vector<std::string>& prompts;
  const TextJudge* judge = nullptr;  ///< null: rewards are not measured
};

/// Each policy writes `texts` texts, drawn with the same random numbers. Measured are: the mean reward; the divergence
/// per text from the policy before, in nats; the entropy per token; distinct_runs; the tokens per text; and the
/// fraction of texts that end. The divergence of a text is the sum over its places of KL(policy || before); its mean
/// over the policy's texts is the divergence of the distributions of texts. The baseline "before" has the same figures.
/// With a judge there is a picture of each text by its divergence and its reward.
[[nodiscard]] SystemFigures figures_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key);

/// The number of different runs of three tokens divided by the number of all such runs: 1 if no run occurs twice, near
/// 0 if all texts are the same.
[[nodiscard]] double distinct_runs(const TextRows& rows);

/// The first texts of both policies, side by side.
[[nodiscard]] NamedMedia samples_of(const TunedPolicy& tuned, std::int64_t texts, RandomKey key);

/// The texts of one policy, for `thalweg generate`.
[[nodiscard]] Generated generated(const TextPolicy& policy, const State& state, const std::vector<std::string>& prompts,
                                  const GenerateRequest& request);

}  // namespace thalweg
