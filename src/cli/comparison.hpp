#pragma once
// A summary of the runs of `compare`: each method's best rate, how much the rate matters, the spread over seeds.

#include <span>
#include <string>
#include <vector>

namespace thalweg::cli {

/// One run.
struct Trial {
  std::string method;
  double lr = 0;
  std::int64_t seed = 0;
  double result = 0;  ///< infinite where it diverged
};

/// The runs of one method at one rate.
struct RateResult {
  double lr = 0, lower = 0, median = 0, upper = 0;  ///< quartiles over the seeds
  std::int64_t diverged = 0;                        ///< runs of these
};

struct MethodResult {
  std::string method;
  std::vector<RateResult> rates;  ///< ascending
  RateResult best;                ///< of the lowest median
  double width = 0;   ///< decades: the rates around the best whose medians are within a factor of the best's
  double stable = 0;  ///< the largest rate up to which no run diverged; 0 where the smallest did
};

/// Quartile by linear interpolation between order statistics; part = 0.5 is the median.
[[nodiscard]] double quantile(std::vector<double> values, double part);
/// Methods from the best to the worst. Results up to `floor` count as equal when rates are compared.
[[nodiscard]] std::vector<MethodResult> compare_methods(std::span<const Trial> trials, double factor, double floor);

}  // namespace thalweg::cli
