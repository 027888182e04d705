#include "data/split.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

#include "core/error.hpp"
#include "core/random.hpp"

namespace thalweg::data {

namespace {

/// The rows of each class, shuffled; without labels all rows are one class.
std::vector<std::vector<std::int64_t>> shuffled_classes(std::int64_t n, std::uint64_t seed,
                                                        std::span<const std::int32_t> labels) {
  if (!labels.empty() && static_cast<std::int64_t>(labels.size()) != n) {
    fail<UsageError>("[split] {} labels for {} rows", labels.size(), n);
  }
  std::map<std::int32_t, std::vector<std::int64_t>> classes;
  for (std::int64_t row = 0; row < n; ++row)
    classes[labels.empty() ? 0 : labels[static_cast<std::size_t>(row)]].push_back(row);
  const RandomKey key = RandomKey{seed, 0}.fold("split");
  std::vector<std::vector<std::int64_t>> result;
  for (const auto& [label, rows] : classes) {
    const Permutation permutation(key.fold(static_cast<std::uint64_t>(label)), static_cast<std::int64_t>(rows.size()));
    std::vector<std::int64_t>& shuffled = result.emplace_back();
    for (std::int64_t i = 0; i < permutation.size(); ++i)
      shuffled.push_back(rows[static_cast<std::size_t>(permutation(i))]);
  }
  return result;
}

Split split_by(const std::vector<bool>& is_held_out) {
  Split split;
  for (std::size_t row = 0; row < is_held_out.size(); ++row) {
    (is_held_out[row] ? split.held_out : split.train).push_back(static_cast<std::int64_t>(row));
  }
  return split;
}

/// How many rows of each class are held out: its share rounded down, then one more each by largest remainder until the
/// total is right, if possible from classes that keep a row for training.
std::vector<std::size_t> shares(const std::vector<std::vector<std::int64_t>>& classes, double fraction,
                                std::size_t total) {
  std::vector<std::size_t> counts;
  std::vector<std::tuple<bool, double, std::size_t>> next;  // whether it takes the last row, minus the remainder, class
  for (const auto& rows : classes) {
    const double share = fraction * static_cast<double>(rows.size());
    const auto count = std::min(static_cast<std::size_t>(share), rows.size() - 1);
    next.emplace_back(count + 1 == rows.size(), static_cast<double>(count) - share, counts.size());
    counts.push_back(count);
    total -= std::min(total, count);
  }
  std::ranges::sort(next);
  for (std::size_t i = 0; i < std::min(total, next.size()); ++i) ++counts[std::get<2>(next[i])];
  return counts;
}

}  // namespace

Split split_fraction(std::int64_t n, double fraction, std::uint64_t seed, std::span<const std::int32_t> labels) {
  if (!(fraction > 0 && fraction < 1)) fail<UsageError>("[split] fraction = {}. Wanted: in (0, 1)", fraction);
  if (n < 2) fail<DataError>("[split] {} rows cannot be cut into two parts", n);
  const auto total = std::clamp<std::int64_t>(std::llround(fraction * static_cast<double>(n)), 1, n - 1);
  const auto classes = shuffled_classes(n, seed, labels);
  const auto counts = shares(classes, fraction, static_cast<std::size_t>(total));
  std::vector<bool> is_held_out(static_cast<std::size_t>(n));
  for (std::size_t c = 0; c < classes.size(); ++c) {
    for (std::size_t i = 0; i < counts[c]; ++i) is_held_out[static_cast<std::size_t>(classes[c][i])] = true;
  }
  return split_by(is_held_out);
}

std::vector<Split> split_folds(std::int64_t n, std::int64_t k, std::uint64_t seed,
                               std::span<const std::int32_t> labels) {
  if (k < 2) fail<UsageError>("[split] {} folds. Wanted: 2 or more", k);
  if (k > n) fail<DataError>("[split] {} folds of {} rows. Hint: at most one fold a row.", k, n);
  std::vector<std::vector<bool>> folds(static_cast<std::size_t>(k), std::vector<bool>(static_cast<std::size_t>(n)));
  std::size_t dealt = 0;  // rows are assigned to the folds in turn, class after class
  for (const std::vector<std::int64_t>& rows : shuffled_classes(n, seed, labels)) {
    for (const std::int64_t row : rows) folds[dealt++ % folds.size()][static_cast<std::size_t>(row)] = true;
  }
  std::vector<Split> splits;
  for (const std::vector<bool>& fold : folds) splits.push_back(split_by(fold));
  return splits;
}

Dataset spread_rows(const Dataset& rows, std::int64_t count) {
  const std::int64_t there = rows.rows();
  if (count >= there) return rows;
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < count; ++i) places.push_back(i * there / count);
  return rows.select(places);
}

Tensor spread_rows(const Tensor& rows, std::int64_t count) {
  Dataset all;
  all.set("rows", rows);
  return spread_rows(all, count)["rows"];
}

}  // namespace thalweg::data
