// Streamed columns, whose rows are read when they are needed, and batches that are read ahead by other threads.

#include "data/read_ahead.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <numeric>

#include "thalweg/error.hpp"

namespace thalweg {
namespace {

/// A streamed data set whose row r is (r, 10 r), with a count of all reads.
struct Counted {
  std::shared_ptr<std::atomic<int>> reads = std::make_shared<std::atomic<int>>(0);

  Dataset data(std::int64_t rows, std::int64_t broken = -1) const {
    Dataset result;
    const auto read = [reads = reads, broken](std::int64_t row, std::span<std::byte> into) {
      ++*reads;
      if (row == broken) throw DataError("row " + std::to_string(row));
      const float values[] = {static_cast<float>(row), static_cast<float>(10 * row)};
      ASSERT_EQ(into.size(), sizeof values);
      std::memcpy(into.data(), values, sizeof values);
    };
    result.set("input", {{2}, f32, read}, rows);
    Tensor target({rows, 1});
    for (std::int64_t i = 0; i < rows; ++i) target.set(i, static_cast<double>(100 * i));
    result.set("target", target);
    return result;
  }
};

TEST(Streaming, RowsAreReadWhenTheyAreTaken) {
  const Counted counted;
  const Dataset data = counted.data(9);
  EXPECT_TRUE(data.streams());
  EXPECT_EQ(data.rows(), 9);
  const std::vector<std::int64_t> odd = {7, 1, 7};
  const Dataset chosen = data.select(odd);
  EXPECT_TRUE(chosen.streams());
  EXPECT_EQ(chosen.rows(), 3);
  EXPECT_EQ(*counted.reads, 0);
  const std::vector<std::int64_t> ends = {2, 1};
  const Dataset taken = chosen.take(ends);
  EXPECT_EQ(*counted.reads, 2);
  EXPECT_FALSE(taken.streams());
  EXPECT_TRUE(identical(taken["input"], Tensor::of({7.F, 70.F, 1.F, 10.F}).reshape({2, 2})));
  EXPECT_TRUE(identical(taken["target"], Tensor::of({700.F, 100.F}).reshape({2, 1})));
  EXPECT_TRUE(identical(data.slice(4, 5)["input"], Tensor::of({4.F, 40.F}).reshape({1, 2})));
  EXPECT_THROW((void)data["input"], UsageError);
  EXPECT_THROW((void)data.take(std::vector<std::int64_t>{9}), UsageError);
  EXPECT_THROW((void)data.select(std::vector<std::int64_t>{-1}), UsageError);
  EXPECT_THROW((void)data.slice(3, 10), UsageError);
}

TEST(Streaming, ATensorReplacesAStreamedColumn) {
  Dataset data = Counted().data(3);
  data.set("input", Tensor({3, 5}));
  EXPECT_FALSE(data.streams());
  EXPECT_EQ(data["input"].shape(), (Shape{3, 5}));
}

/// Batches of three rows.
data::ReadAhead::NextRows threes(std::int64_t rows) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
  std::iota(all.begin(), all.end(), 0);
  return data::in_portions(std::move(all), 3);
}

TEST(ReadAhead, TheLastBatchHasTheRemainingRows) {
  const auto next = data::in_portions({5, 3, 8}, 2);
  EXPECT_EQ(next(), (std::vector<std::int64_t>{5, 3}));
  EXPECT_EQ(next(), (std::vector<std::int64_t>{8}));
  EXPECT_EQ(next(), std::nullopt);
}

TEST(ReadAhead, BatchesComeInOrderFromAnyNumberOfThreads) {
  const Dataset data = Counted().data(300);
  for (int threads : {1, 2, 5}) {
    data::ReadAhead ahead(data, threes(300), threads);
    for (std::int64_t row = 0; row < 300; row += 3) {
      const Dataset batch = ahead.next();
      ASSERT_EQ(batch["input"].at(0), row) << threads;
      ASSERT_EQ(batch["target"].at(2), 100 * (row + 2)) << threads;
    }
  }
}

TEST(ReadAhead, ReadsAtMostALimitedNumberOfBatchesAhead) {
  const Counted counted;
  const Dataset data = counted.data(300);
  {
    data::ReadAhead ahead(data, threes(300), 2);
    (void)ahead.next();
  }
  EXPECT_LE(*counted.reads, 3 * (1 + 3));  // the batch that was returned, and three waiting ones
}

TEST(ReadAhead, AnErrorOfReadingIsThrownWithItsBatch) {
  const Dataset data = Counted().data(30, 7);
  data::ReadAhead ahead(data, threes(30), 3);
  EXPECT_EQ(ahead.next()["input"].at(0), 0);
  EXPECT_EQ(ahead.next()["input"].at(0), 3);
  EXPECT_THROW((void)ahead.next(), DataError);
}

TEST(ReadAhead, AnErrorOfChoosingRowsIsThrownToo) {
  const Dataset data = Counted().data(30);
  int asked = 0;
  data::ReadAhead ahead(
      data,
      [&]() -> std::optional<std::vector<std::int64_t>> {
        if (asked++ == 2) throw UsageError("no more");
        return std::vector<std::int64_t>{0};
      },
      2);
  EXPECT_EQ(ahead.next().rows(), 1);
  EXPECT_EQ(ahead.next().rows(), 1);
  EXPECT_THROW((void)ahead.next(), UsageError);
}

}  // namespace
}  // namespace thalweg
