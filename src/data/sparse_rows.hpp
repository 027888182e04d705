#pragma once
// Sparse rows: only entries other than 0 are stored.

#include <cstdint>
#include <span>
#include <vector>

namespace thalweg::data {

/// A row: the columns that have an entry, ascending, and the entries.
struct SparseRow {
  std::span<const std::int32_t> columns;
  std::span<const float> values;
};

/// Compressed sparse rows.
class SparseRows {
 public:
  void add(SparseRow row) {
    columns_.insert(columns_.end(), row.columns.begin(), row.columns.end());
    values_.insert(values_.end(), row.values.begin(), row.values.end());
    ends_.push_back(columns_.size());
  }
  [[nodiscard]] SparseRow operator[](std::int64_t row) const {
    const auto r = static_cast<std::size_t>(row);
    const std::size_t begin = r == 0 ? 0 : ends_[r - 1], size = ends_[r] - begin;
    return {std::span(columns_).subspan(begin, size), std::span(values_).subspan(begin, size)};
  }
  /// The entries of a row, for scaling.
  [[nodiscard]] std::span<float> values(std::int64_t row) {
    const auto r = static_cast<std::size_t>(row);
    const std::size_t begin = r == 0 ? 0 : ends_[r - 1];
    return std::span(values_).subspan(begin, ends_[r] - begin);
  }
  [[nodiscard]] std::int64_t rows() const { return static_cast<std::int64_t>(ends_.size()); }
  [[nodiscard]] std::int64_t entries() const { return static_cast<std::int64_t>(values_.size()); }

 private:
  std::vector<std::int32_t> columns_;
  std::vector<float> values_;
  std::vector<std::size_t> ends_;
};

}  // namespace thalweg::data
