#include "system/text_rewards.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace thalweg {

TextAdvantages advantages_of(const TextCourse& course, double weight, double lambda) {
  const std::size_t count = course.values.size();
  TextAdvantages made{std::vector<double>(count), std::vector<double>(count)};
  double later = 0;
  for (std::size_t t = count; t-- > 0;) {
    const bool last = t + 1 == count;
    const double reward = (last ? course.reward : 0) - weight * course.log_ratio[t];
    const double next = last ? 0 : course.values[t + 1];
    later = reward + next - course.values[t] + lambda * later;
    made.advantage[t] = later;
    made.returns[t] = later + course.values[t];
  }
  return made;
}

double next_weight(double weight, double divergence, double wanted, double first) {
  return std::max(first, weight * (1 + std::clamp(divergence / wanted - 1, -0.2, 1.0) / 2));
}

std::vector<float> standardised(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double scale = 1 / (std::sqrt(squares / count) + 1e-8);
  std::vector<float> result;
  for (const double value : values) result.push_back(static_cast<float>((value - mean) * scale));
  return result;
}

}  // namespace thalweg
