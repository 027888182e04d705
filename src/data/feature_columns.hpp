#pragma once
// Which columns of the input a feature of a table became.

#include "data/preprocessing.hpp"

namespace thalweg::data {

/// How many each feature has, in the order of the schema.
[[nodiscard]] std::vector<std::int64_t> feature_widths(const TablePreprocessing& table);

}  // namespace thalweg::data
