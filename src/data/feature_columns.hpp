#pragma once
// Which columns of the encoded input belong to each feature of a table.

#include "data/preprocessing.hpp"

namespace thalweg::data {

/// The number of input columns of each feature, in the order of the schema.
[[nodiscard]] std::vector<std::int64_t> feature_widths(const TablePreprocessing& table);

/// The columns of the input of one category, and how many numbers a model learns for each of them instead.
struct EmbeddedColumns {
  std::int64_t feature = 0;  ///< its index in the schema
  std::int64_t begin = 0, columns = 0, numbers = 0;
};
/// For each category with more columns than the schema's bound: min(32, 1.6 columns^0.56) numbers, rounded up (fastai's
/// rule for tables, with an upper bound).
[[nodiscard]] std::vector<EmbeddedColumns> embedded_columns(const TablePreprocessing& table);

}  // namespace thalweg::data
