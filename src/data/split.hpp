#pragma once
// Splits rows into training and held-out parts, the same for the same seed on every machine.

#include <cstdint>
#include <span>
#include <vector>

#include "thalweg/data.hpp"

namespace thalweg::data {

/// Positions 0 .. n-1, both parts in ascending order.
struct Split {
  std::vector<std::int64_t> train, held_out;
};

/// Holds out a fraction of n rows, at least one and not all, chosen by the seed. With one label per row, every class is
/// held out in proportion, to within one row. Throws UsageError for a fraction outside (0, 1), DataError for fewer than
/// two rows.
[[nodiscard]] Split split_fraction(std::int64_t n, double fraction, std::uint64_t seed,
                                   std::span<const std::int32_t> labels = {});

/// k splits that hold out each row once; sizes, and with labels the classes within them, differ by one row at most.
/// Throws UsageError for k < 2, DataError for k > n.
[[nodiscard]] std::vector<Split> split_folds(std::int64_t n, std::int64_t k, std::uint64_t seed,
                                             std::span<const std::int32_t> labels = {});

/// Selects `count` of the rows, or all, evenly spread, because data may be sorted by class.
[[nodiscard]] Dataset spread_rows(const Dataset& rows, std::int64_t count);
[[nodiscard]] Tensor spread_rows(const Tensor& rows, std::int64_t count);

}  // namespace thalweg::data
