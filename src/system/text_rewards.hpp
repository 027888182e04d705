#pragma once
// From the reward of a text to advantages of its tokens.

#include <cstdint>
#include <span>
#include <vector>

namespace thalweg {

/// Of one text: at each token written, what was expected of it before, and log P - log Q of the token.
struct TextCourse {
  double reward = 0;                      ///< of the whole text
  std::vector<double> values, log_ratio;  ///< of each token
};
struct TextAdvantages {
  std::vector<double> advantage, returns;  ///< of each token
};
/// Each token costs weight (log P - log Q), and the last one gets the reward. A_t = sum over l of lambda^l delta_{t+l},
/// delta_t = r_t + V_{t+1} - V_t, nothing discounted, and V = 0 behind the last (Schulman et al. 2016); the returns are
/// A + V.
[[nodiscard]] TextAdvantages advantages_of(const TextCourse& course, double weight, double lambda);

/// The weight of the divergence for the next texts: weight (1 + clamp(divergence / wanted - 1, -1/5, 1) / 2), but no
/// less than it was at first. So it rises where the policy has gone further than is wanted (Ziegler et al. 2019, eq.
/// 5), faster than it falls, and does not run out while the policy is still on its way.
[[nodiscard]] double next_weight(double weight, double divergence, double wanted, double first);

/// Values with mean 0 and deviation 1.
[[nodiscard]] std::vector<float> standardised(std::span<const double> values);

}  // namespace thalweg
