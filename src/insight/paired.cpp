#include "insight/paired.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <vector>

#include "core/error.hpp"

namespace thalweg {

namespace {

/// The 97.5 % quantiles of Student's t distribution with 1, 2, ... degrees of freedom. Beyond the table the last one is
/// used, which is a little too wide.
constexpr double quantiles[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281,
                                2.2010,  2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860,
                                2.0796,  2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423};

}  // namespace

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b) {
  return paired_difference(a, b, std::vector<double>(a.size(), 1));
}

double effective_count(std::span<const double> weights) {
  double sum = 0, squares = 0;
  for (const double weight : weights) sum += weight, squares += weight * weight;
  return squares > 0 ? sum * sum / squares : 0;
}

PairedDifference paired_difference(std::span<const double> a, std::span<const double> b,
                                   std::span<const double> weights) {
  if (a.size() != b.size() || a.size() != weights.size() || a.size() < 2)
    fail<UsageError>("[paired_difference] {} and {} values. Wanted: the same number of both, two or more", a.size(),
                     b.size());
  const double count = effective_count(weights), total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean += weights[i] * (a[i] - b[i]) / total;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double part = weights[i] / total * (a[i] - b[i] - mean);
    squares += part * part;
  }
  const double freedom = std::max(1.0, count - 1), error = std::sqrt(squares * count / freedom);
  const auto place = static_cast<std::size_t>(std::floor(freedom + 1e-9));
  const double reach = quantiles[std::min(place, std::size(quantiles)) - 1] * error;
  return {mean, mean - reach, mean + reach};
}

}  // namespace thalweg
