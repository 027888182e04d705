#pragma once
// Computes the advantages of tokens from the reward of their text.

#include <cstdint>
#include <span>
#include <vector>

namespace thalweg {

/// The inputs for one text: its reward, and for each written token the expected value before it and its log P - log Q.
struct TextCourse {
  double reward = 0;                      ///< of the whole text
  std::vector<double> values, log_ratio;  ///< of each token
};
struct TextAdvantages {
  std::vector<double> advantage, returns;  ///< of each token
};
/// Each token costs weight (log P - log Q), and the last one gets the reward. A_t = sum over l of lambda^l delta_{t+l},
/// delta_t = r_t + V_{t+1} - V_t, nothing discounted, and V = 0 after the last token (Schulman et al. 2016); the
/// returns are A + V.
[[nodiscard]] TextAdvantages advantages_of(const TextCourse& course, double weight, double lambda);

/// The weight of the divergence for the next texts: weight (1 + clamp(divergence / wanted - 1, -1/5, 1) / 2), but at
/// least its initial value. So it rises if the policy is further away than wanted (Ziegler et al. 2019, eq. 5). It
/// rises faster than it falls, and the lower bound keeps it from vanishing while the divergence is still growing.
[[nodiscard]] double next_weight(double weight, double divergence, double wanted, double first);

/// The values, scaled to mean 0 and deviation 1.
[[nodiscard]] std::vector<float> standardised(std::span<const double> values);

}  // namespace thalweg
