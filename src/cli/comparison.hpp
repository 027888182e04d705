#pragma once
// A summary of the runs of `compare`: each method's best rate, how much the rate matters, the spread over seeds.

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
  double width = 0;   ///< decades: the rates around the best that are about as good; NaN where that is not known
  double stable = 0;  ///< the largest rate up to which no run diverged; 0 where the smallest did
};

/// Quartile by linear interpolation between order statistics; part = 0.5 is the median.
[[nodiscard]] double quantile(std::vector<double> values, double part);
/// When a result is about as good as the best.
struct AboutAsGood {
  double factor = 2;  ///< times the best
  double floor = 0;   ///< results up to it count as equal
  /// Where results may be below 0, and their ratios mean nothing: the result of one that learned nothing. What is about
  /// as good is then below it by the best's distance over `factor`. NaN: it is not known.
  std::optional<double> nothing = {};

  /// The highest result that is about as good as this one; NaN where that is not known.
  [[nodiscard]] double limit(double best) const;
};
/// Methods from the best to the worst.
[[nodiscard]] std::vector<MethodResult> compare_methods(std::span<const Trial> trials, const AboutAsGood& rule);

}  // namespace thalweg::cli
