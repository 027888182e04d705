#pragma once
// Encoded rows of a table in compact form: the memory for a category does not grow with its number of levels.

#include "thalweg/data.hpp"

namespace thalweg::data {

/// Adjacent columns of the input that belong to one feature.
struct InputSegment {
  std::int64_t width = 1;
  bool one_hot = false;  ///< at most one of them is 1, the others are 0
};

/// Encoded rows that store a one-hot segment as the index of its 1. Unpacking restores every bit.
class PackedRows {
 public:
  explicit PackedRows(std::vector<InputSegment> segments);

  /// Bytes of a stored row.
  [[nodiscard]] std::int64_t row_bytes() const { return static_cast<std::int64_t>(slots_ * sizeof(Slot)); }
  void reserve(std::int64_t rows) { packed_.reserve(static_cast<std::size_t>(rows) * slots_); }
  /// Adds a row with all its segments.
  void add(std::span<const float> row);
  /// Writes row number `row`.
  void unpack(std::int64_t row, std::span<float> into) const;

 private:
  union Slot {
    float value;
    std::int32_t place;  // -1 for none
  };

  std::vector<InputSegment> segments_;
  std::size_t slots_ = 0;  // slots per row
  std::vector<Slot> packed_;
};

/// A dataset column that unpacks rows as batches need them.
[[nodiscard]] RowReader reader_of(PackedRows rows, std::int64_t width);

}  // namespace thalweg::data
