#pragma once
// A summary of the runs of `compare`: for each method the best rate, the range of good rates, and the spread over
// seeds.

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace thalweg::cli {

/// One run.
struct Trial {
  std::string method;
  double lr = 0;
  std::int64_t seed = 0;
  double result = 0;  ///< infinite if it diverged
};

/// The runs of one method at one rate.
struct RateResult {
  double lr = 0, lower = 0, median = 0, upper = 0;  ///< quartiles over the seeds
  std::int64_t diverged = 0;                        ///< number of diverged runs
};

struct MethodResult {
  std::string method;
  std::vector<RateResult> rates;  ///< ascending
  RateResult best;                ///< the rate with the lowest median
  double width = 0;               ///< decades of rates around the best that are about as good; NaN if unknown
  double stable = 0;  ///< the largest rate up to which no run diverged; 0 if runs diverged at the smallest rate
};

/// Quartile by linear interpolation between order statistics; part = 0.5 is the median.
[[nodiscard]] double quantile(std::vector<double> values, double part);
/// Decides when a result is about as good as the best.
struct AboutAsGood {
  double factor = 2;  ///< times the best
  double floor = 0;   ///< results up to it count as equal
  /// For results that may be below 0, whose ratios have no meaning: the result of a run that learned nothing. A result
  /// is then about as good if its distance below `nothing` is at least 1 / `factor` of the best result's. NaN: not
  /// known.
  std::optional<double> nothing = {};

  /// The highest result that is about as good as this one; NaN if that is not known.
  [[nodiscard]] double limit(double best) const;
};
/// Methods from the best to the worst.
[[nodiscard]] std::vector<MethodResult> compare_methods(std::span<const Trial> trials, const AboutAsGood& rule);

}  // namespace thalweg::cli
