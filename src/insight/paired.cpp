#include "insight/paired.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

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
  if (a.size() != b.size() || a.size() < 2)
    fail<UsageError>("[paired_difference] {} and {} values. Wanted: the same number of both, two or more", a.size(),
                     b.size());
  const auto count = static_cast<double>(a.size());
  double mean = 0, squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) mean += (a[i] - b[i]) / count;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
  const double error = std::sqrt(squares / (count - 1) / count);
  const double reach = quantiles[std::min(a.size() - 1, std::size(quantiles)) - 1] * error;
  return {mean, mean - reach, mean + reach};
}

}  // namespace thalweg
