#pragma once
// Feature importance: how much a model's predictions depend on each feature of a table.

#include <functional>
#include <string>
#include <vector>

#include "data/preprocessing.hpp"
#include "thalweg/data.hpp"

namespace thalweg {

struct Importance {
  std::string feature;
  double rise = 0;  ///< increase of the loss when the feature's values are permuted among the rows
};

/// The number of rows for permutation importance: all, or 2000 of them, or fewer if they are very wide.
[[nodiscard]] std::int64_t importance_rows(const data::TablePreprocessing& table, const Dataset& rows);

/// Permutation importance (Breiman 2001), the most important first: the increase of the loss on this many rows, sampled
/// once, when the columns of one feature are permuted among these rows, always by the same permutation. `loss` measures
/// a set of rows. Features with the same information share their importance. Empty if more than `most` numbers would
/// have to be read.
[[nodiscard]] std::vector<Importance> permutation_importance(const data::TablePreprocessing& table, const Dataset& rows,
                                                             const std::function<double(const Dataset&)>& loss,
                                                             double most = 1e8);

}  // namespace thalweg
