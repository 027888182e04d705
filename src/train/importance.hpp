#pragma once
// How much a model's predictions depend on each feature of a table.

#include <functional>
#include <string>
#include <vector>

#include "data/preprocessing.hpp"
#include "thalweg/data.hpp"

namespace thalweg {

struct Importance {
  std::string feature;
  double rise = 0;  ///< of the loss, when the feature's values are permuted among the rows
};

/// How many rows permutation importance is measured on: all, or 2000 of them, or fewer where they are very wide.
[[nodiscard]] std::int64_t importance_rows(const data::TablePreprocessing& table, const Dataset& rows);

/// Permutation importance (Breiman 2001), the most important first: by how much the loss rises on so many rows, drawn
/// once and for all, when a feature's columns of the input are permuted among these rows, once for each feature, always
/// by the same permutation. `loss` measures a set of rows. Features with the same information share their importance.
/// None where more than `most` numbers would have to be read.
[[nodiscard]] std::vector<Importance> permutation_importance(const data::TablePreprocessing& table, const Dataset& rows,
                                                             const std::function<double(const Dataset&)>& loss,
                                                             double most = 1e8);

}  // namespace thalweg
