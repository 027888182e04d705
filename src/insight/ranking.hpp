#pragma once
// How good an order is: of what was shown first, how much was wanted.

#include <cstdint>
#include <span>

namespace thalweg {

/// Means over lists, of the `k` items with the highest scores of each.
struct RankingFigures {
  double precision = 0;  ///< the part of them that was wanted; of a shorter list, of all its items
  double recall = 0;     ///< the part of all that was wanted, that is among them
  double ndcg = 0;       ///< sum gain_i / log2(i + 1) over their places i = 1, 2, ..., by that of the best order
  std::int64_t lists = 0;
};

/// Figures of the order of lists, one after another. Of equal scores the earlier item comes first.
class Ranking {
 public:
  /// Wanted is an item whose value reaches `wanted`; its gain is its value, or what it is above `lowest` where that is
  /// below 0: gains below 0 would make no figure of [0, 1].
  Ranking(std::int64_t k, double wanted, double lowest = 0) : k_(k), wanted_(wanted), least_(lowest < 0 ? lowest : 0) {}
  /// A list that has none that is wanted, or nothing else, says nothing of an order and is left out.
  void add(std::span<const double> scores, std::span<const double> values);
  [[nodiscard]] RankingFigures figures() const;

 private:
  std::int64_t k_;
  double wanted_, least_;
  RankingFigures sums_;
};

}  // namespace thalweg
