#pragma once
// The quality of a ranking: how many of the first items are relevant.

#include <cstdint>
#include <span>

namespace thalweg {

/// Means over lists, for the `k` items with the highest scores of each list.
struct RankingFigures {
  double precision = 0;  ///< the fraction of these that are relevant; of all items where a list is shorter
  double recall = 0;     ///< the fraction of all relevant items that are among these
  double ndcg =
      0;  ///< sum gain_i / log2(i + 1) over the places i = 1, 2, ..., divided by the same sum of the best order
  std::int64_t lists = 0;
};

/// Measures the ranking of lists, one after another. Where scores are equal, the earlier item comes first.
class Ranking {
 public:
  /// An item is relevant if its value reaches `wanted`. Its gain is its value; where `lowest` is negative, the value
  /// minus `lowest`, because with negative gains the figures would leave [0, 1].
  Ranking(std::int64_t k, double wanted, double lowest = 0) : k_(k), wanted_(wanted), least_(lowest < 0 ? lowest : 0) {}
  /// A list in which no item or every item is relevant says nothing about the order and is left out.
  void add(std::span<const double> scores, std::span<const double> values);
  [[nodiscard]] RankingFigures figures() const;

 private:
  std::int64_t k_;
  double wanted_, least_;
  RankingFigures sums_;
};

}  // namespace thalweg
