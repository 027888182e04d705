#include "insight/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace thalweg {

namespace {

/// The items in the order of their scores, the highest first.
std::vector<std::size_t> ordered(std::span<const double> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t i) { return scores[i]; });
  return order;
}

double discounted(std::span<const std::size_t> order, std::span<const double> values, double least) {
  double sum = 0;
  for (std::size_t i = 0; i < order.size(); ++i)
    sum += std::max(0., values[order[i]] - least) / std::log2(static_cast<double>(i + 2));
  return sum;
}

}  // namespace

void Ranking::add(std::span<const double> scores, std::span<const double> values) {
  const auto wanted = [&](double value) { return value >= wanted_; };
  const auto all = std::ranges::count_if(values, wanted);
  if (all == 0 || all == std::ssize(values)) return;
  const auto shown = static_cast<std::size_t>(std::min(k_, std::ssize(values)));
  const auto first = ordered(scores), best = ordered(values);
  const auto top = std::span(first).first(shown);
  const auto right = static_cast<double>(std::ranges::count_if(top, [&](std::size_t i) { return wanted(values[i]); }));
  sums_.precision += right / static_cast<double>(shown);
  sums_.recall += right / static_cast<double>(all);
  const double most = discounted(std::span(best).first(shown), values, least_);
  sums_.ndcg += most > 0 ? discounted(top, values, least_) / most : 0;
  ++sums_.lists;
}

RankingFigures Ranking::figures() const {
  RankingFigures means = sums_;
  const double lists = static_cast<double>(std::max<std::int64_t>(sums_.lists, 1));
  for (double* mean : {&means.precision, &means.recall, &means.ndcg}) *mean /= lists;
  return means;
}

}  // namespace thalweg
