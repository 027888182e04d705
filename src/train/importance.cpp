#include "train/importance.hpp"

#include <algorithm>

#include "core/random.hpp"
#include "data/feature_columns.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t most_rows = 2000, most_numbers = 1 << 20;  // rows to measure on, and numbers in memory at once

RandomKey key() { return {1, 0}; }

/// A random sample of the rows, in their order. The first rows of a sorted file might all have the same value of a
/// feature.
std::vector<std::int64_t> sample(std::int64_t rows, std::int64_t count) {
  std::vector<std::int64_t> drawn = shuffled(key().fold("importance rows"), rows);
  drawn.resize(static_cast<std::size_t>(count));
  std::ranges::sort(drawn);
  return drawn;
}

/// Replaces columns begin to end of each row of `input` by those of another row of `given`, or of the same row if
/// `from` is empty.
void deal_out(Tensor& input, const Tensor& given, std::int64_t begin, std::int64_t end,
              const std::vector<std::int64_t>& from = {}) {
  const std::int64_t width = given.shape()[1];
  const auto values = input.mutable_values<float>();
  const auto read = given.values<float>();
  for (std::int64_t row = 0; row < given.shape()[0]; ++row) {
    const std::int64_t other = from.empty() ? row : from[static_cast<std::size_t>(row)];
    for (std::int64_t column = begin; column < end; ++column)
      values[static_cast<std::size_t>(row * width + column)] = read[static_cast<std::size_t>(other * width + column)];
  }
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
  Tensor dealt = input;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::int64_t end = begin + widths[i];
    some.set("input", input);  // releases the reference to `dealt`, which is then written in place and not copied
    if (i > 0) deal_out(dealt, input, begin - widths[i - 1], begin);
    deal_out(dealt, input, begin, end, from);
    some.set("input", dealt);
    result.push_back({table.schema().features[i].name, loss(some) - before});
    begin = end;
  }
  std::ranges::stable_sort(result, std::ranges::greater{}, &Importance::rise);
  return result;
}

}  // namespace thalweg
