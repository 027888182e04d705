#include "data/split.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random.hpp"
#include "files.hpp"

namespace thalweg::data {
namespace {

using test::expect_error;

/// Shuffled labels, with the given number of rows for each class.
std::vector<std::int32_t> labels_of(const std::vector<int>& counts) {
  std::vector<std::int32_t> sorted;
  for (std::size_t c = 0; c < counts.size(); ++c)
    sorted.insert(sorted.end(), static_cast<std::size_t>(counts[c]), static_cast<std::int32_t>(c));
  const Permutation permutation({9, 9}, static_cast<std::int64_t>(sorted.size()));
  std::vector<std::int32_t> labels;
  for (std::size_t i = 0; i < sorted.size(); ++i)
    labels.push_back(sorted[static_cast<std::size_t>(permutation(static_cast<std::int64_t>(i)))]);
  return labels;
}

std::vector<int> counts_of(const std::vector<std::int64_t>& rows, const std::vector<std::int32_t>& labels,
                           std::size_t classes) {
  std::vector<int> counts(classes);
  for (const std::int64_t row : rows) ++counts[static_cast<std::size_t>(labels[static_cast<std::size_t>(row)])];
  return counts;
}

void expect_parts(const Split& split, std::int64_t n) {
  EXPECT_TRUE(std::ranges::is_sorted(split.train));
  EXPECT_TRUE(std::ranges::is_sorted(split.held_out));
  std::vector<std::int64_t> all = split.train, wanted(static_cast<std::size_t>(n));
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::ranges::sort(all);
  std::iota(wanted.begin(), wanted.end(), 0);
  EXPECT_EQ(all, wanted);
}

TEST(Split, AFractionIsHeldOutAndTheSeedDecidesWhich) {
  const Split split = split_fraction(100, 0.1, 1);
  expect_parts(split, 100);
  EXPECT_EQ(split.held_out.size(), 10U);
  EXPECT_EQ(split.held_out, split_fraction(100, 0.1, 1).held_out);
  EXPECT_NE(split.held_out, split_fraction(100, 0.1, 2).held_out);
  EXPECT_EQ(split_fraction(2, 0.01, 1).held_out.size(), 1U);
  EXPECT_EQ(split_fraction(2, 0.99, 1).train.size(), 1U);
}

TEST(Split, IsTheSameOnEveryMachine) {
  EXPECT_EQ(split_fraction(20, 0.25, 7).held_out, (std::vector<std::int64_t>{0, 1, 11, 13, 17}));
}

TEST(Split, EveryRowIsHeldOutAboutAsOften) {
  std::vector<int> times(50);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    for (const std::int64_t row : split_fraction(50, 0.2, seed).held_out) ++times[static_cast<std::size_t>(row)];
  }
  for (const int t : times) EXPECT_NEAR(t, 400, 90);  // 90 is five standard deviations
}

TEST(Split, ClassesAreHeldOutInProportion) {
  for (const double fraction : {0.1, 0.25, 0.5, 0.9}) {
    const std::vector<int> sizes{357, 212, 11, 3};
    const auto labels = labels_of(sizes);
    const auto n = static_cast<std::int64_t>(labels.size());
    const Split split = split_fraction(n, fraction, 3, labels);
    expect_parts(split, n);
    EXPECT_EQ(static_cast<std::int64_t>(split.held_out.size()), std::llround(fraction * static_cast<double>(n)));
    const auto held_out = counts_of(split.held_out, labels, sizes.size());
    for (std::size_t c = 0; c < sizes.size(); ++c)
      EXPECT_LE(std::abs(held_out[c] - fraction * sizes[c]), 1) << fraction;
  }
}

TEST(Split, AClassWithOneRowKeepsItForTraining) {
  const std::vector<int> sizes{1, 1, 1, 97};
  const auto labels = labels_of(sizes);
  EXPECT_EQ(counts_of(split_fraction(100, 0.2, 1, labels).train, labels, 4), (std::vector<int>{1, 1, 1, 79 - 2}));
}

TEST(Split, FoldsHoldOutEachRowOnce) {
  const std::vector<int> sizes{50, 37, 5};
  const auto labels = labels_of(sizes);
  for (const bool stratified : {false, true}) {
    const auto folds =
        split_folds(92, 5, 1, stratified ? std::span<const std::int32_t>(labels) : std::span<const std::int32_t>());
    ASSERT_EQ(folds.size(), 5U);
    std::vector<std::int64_t> all;
    for (const Split& fold : folds) {
      expect_parts(fold, 92);
      EXPECT_NEAR(static_cast<double>(fold.held_out.size()), 18.4, 0.7);
      all.insert(all.end(), fold.held_out.begin(), fold.held_out.end());
      if (!stratified) continue;
      const auto counts = counts_of(fold.held_out, labels, 3);
      EXPECT_EQ(counts[0], 10);
      EXPECT_NEAR(counts[1], 7.4, 0.7);
      EXPECT_EQ(counts[2], 1);
    }
    EXPECT_EQ(all.size(), 92U);
    std::ranges::sort(all);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
  }
}

TEST(Split, InvalidSplitsAreRefused) {
  for (const double fraction : {0.0, 1.0, -0.5, std::nan("")}) {
    expect_error<UsageError>([&] { (void)split_fraction(10, fraction, 1); }, {"fraction"});
  }
  expect_error<DataError>([] { (void)split_fraction(1, 0.5, 1); }, {"1 rows"});
  expect_error<UsageError>([] { (void)split_folds(10, 1, 1); }, {"1 folds"});
  expect_error<DataError>([] { (void)split_folds(3, 4, 1); }, {"4 folds of 3 rows"});
  const std::vector<std::int32_t> labels(3);
  expect_error<UsageError>([&] { (void)split_folds(4, 2, 1, labels); }, {"3 labels for 4 rows"});
}

}  // namespace
}  // namespace thalweg::data
