#include "train/importance.hpp"

#include <algorithm>

#include "core/random.hpp"
#include "data/feature_columns.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_rows = 2000, most_numbers = 1 << 20;  // held at once

RandomKey key() { return {1, 0}; }

/// So many of the rows, in their order. The first ones of a sorted file may all have the same value of a feature.
std::vector<std::int64_t> sample(std::int64_t rows, std::int64_t count) {
  std::vector<std::int64_t> drawn = shuffled(key().fold("importance rows"), rows);
  drawn.resize(static_cast<std::size_t>(count));
  std::ranges::sort(drawn);
  return drawn;
}

/// A copy in which columns begin to end of each row come from another row.
Tensor dealt_out(const Tensor& input, std::int64_t begin, std::int64_t end, const std::vector<std::int64_t>& from) {
  Tensor result = input;
  const std::int64_t width = input.shape()[1];
  const auto values = result.mutable_values<float>();
  const auto given = input.values<float>();
  for (std::int64_t row = 0; row < input.shape()[0]; ++row) {
    for (std::int64_t column = begin; column < end; ++column) {
      values[static_cast<std::size_t>(row * width + column)] =
          given[static_cast<std::size_t>(from[static_cast<std::size_t>(row)] * width + column)];
    }
  }
  return result;
}

}  // namespace

std::int64_t importance_rows(const data::TablePreprocessing& table, const Dataset& rows) {
  return std::min({rows.rows(), most_rows, most_numbers / std::max<std::int64_t>(1, table.width())});
}

std::vector<Importance> permutation_importance(const data::TablePreprocessing& table, const Dataset& rows,
                                               const std::function<double(const Dataset&)>& loss, double most) {
  const std::int64_t count = importance_rows(table, rows);
  const std::vector<std::int64_t> widths = data::feature_widths(table);
  const double work = static_cast<double>(count * table.width()) * static_cast<double>(widths.size());
  if (count < 2 || work > most) return {};
  Dataset some = rows.take(sample(rows.rows(), count));
  const Tensor input = some["input"];
  const double before = loss(some);
  const std::vector<std::int64_t> from = shuffled(key().fold("importance"), count);
  std::vector<Importance> result;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    some.set("input", dealt_out(input, begin, begin + widths[i], from));
    result.push_back({table.schema().features[i].name, loss(some) - before});
    begin += widths[i];
  }
  std::ranges::stable_sort(result, std::ranges::greater{}, &Importance::rise);
  return result;
}

}  // namespace thalweg
