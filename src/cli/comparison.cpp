#include "cli/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

namespace thalweg::cli {

double quantile(std::vector<double> values, double part) {
  std::ranges::sort(values);
  const double place = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  const double weight = place - static_cast<double>(below);
  if (weight == 0 || values[below] == values[above]) return values[below];  // infinity minus infinity is NaN
  return values[below] + weight * (values[above] - values[below]);
}

namespace {

RateResult rate_result(double lr, const std::vector<double>& results) {
  return {.lr = lr,
          .lower = quantile(results, 0.25),
          .median = quantile(results, 0.5),
          .upper = quantile(results, 0.75),
          .diverged = std::ranges::count(results, std::numeric_limits<double>::infinity())};
}

/// The number of decades around the best rate in which results are about as good.
double width_of(const std::vector<RateResult>& rates, std::size_t best, const AboutAsGood& rule) {
  const double limit = rule.limit(rates[best].median);
  if (std::isnan(limit)) return limit;
  std::size_t low = best, high = best;
  while (low > 0 && rates[low - 1].median <= limit) --low;
  while (high + 1 < rates.size() && rates[high + 1].median <= limit) ++high;
  return std::log10(rates[high].lr / rates[low].lr);
}

MethodResult method_result(std::string method, const std::map<double, std::vector<double>>& by_rate,
                           const AboutAsGood& rule) {
  MethodResult result{.method = std::move(method), .rates = {}, .best = {}};
  for (const auto& [lr, results] : by_rate) result.rates.push_back(rate_result(lr, results));
  const auto best = std::ranges::min_element(result.rates, {}, &RateResult::median);
  result.best = *best;
  if (std::isfinite(best->median)) {
    result.width = width_of(result.rates, static_cast<std::size_t>(best - result.rates.begin()), rule);
  }
  for (const RateResult& rate : result.rates) {
    if (rate.diverged > 0) break;
    result.stable = rate.lr;
  }
  return result;
}

}  // namespace

double AboutAsGood::limit(double best) const {
  if (!nothing) return factor * std::max(best, floor);
  return best < *nothing ? *nothing - (*nothing - best) / factor : std::numeric_limits<double>::quiet_NaN();
}

std::vector<MethodResult> compare_methods(std::span<const Trial> trials, const AboutAsGood& rule) {
  std::map<std::string, std::map<double, std::vector<double>>> by_method;
  for (const Trial& trial : trials) by_method[trial.method][trial.lr].push_back(trial.result);
  std::vector<MethodResult> results;
  for (const auto& [method, by_rate] : by_method) results.push_back(method_result(method, by_rate, rule));
  std::ranges::stable_sort(results, {}, [](const MethodResult& r) { return r.best.median; });
  return results;
}

}  // namespace thalweg::cli
