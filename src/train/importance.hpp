#pragma once
// What a model's predictions owe to each feature of a table.

#include <functional>
#include <string>
#include <vector>

#include "data/preprocessing.hpp"
#include "thalweg/data.hpp"

namespace thalweg {

struct Importance {
  std::string feature;
  double rise = 0;  ///< of the loss, when the feature's values are dealt out to other rows
};

/// Permutation importance (Breiman 2001), the most important first: by how much the loss rises on the first 2000 rows
/// (fewer where they are very wide) when a feature's columns of the input change places among them, once for each
/// feature, always in the same way. `loss` measures a set of rows. A feature that says the same as another shares its
/// importance with it. None where that would be more work than `most` numbers read.
[[nodiscard]] std::vector<Importance> permutation_importance(const data::TablePreprocessing& table, const Dataset& rows,
                                                             const std::function<double(const Dataset&)>& loss,
                                                             double most = 1e8);

}  // namespace thalweg
