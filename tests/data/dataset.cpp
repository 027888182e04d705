#include "thalweg/data.hpp"

#include <numeric>

#include "data/gather.hpp"
#include "files.hpp"

namespace thalweg {
namespace {

using test::expect_error;

Dataset numbered(std::int64_t rows, std::int64_t columns) {
  std::vector<float> inputs(static_cast<std::size_t>(rows * columns));
  std::iota(inputs.begin(), inputs.end(), 0.F);
  std::vector<std::int32_t> labels(static_cast<std::size_t>(rows));
  std::iota(labels.begin(), labels.end(), 0);
  return Dataset::from(inputs, {rows, columns}, labels);
}

TEST(Dataset, OfLabelsHoldsThemAsIntegers) {
  const Dataset data = numbered(3, 2);
  EXPECT_EQ(data.rows(), 3);
  EXPECT_EQ(data.names(), (std::vector<std::string>{"input", "target"}));
  EXPECT_TRUE(identical(data["input"], Tensor::from(std::vector<float>{0, 1, 2, 3, 4, 5}, {3, 2})));
  EXPECT_TRUE(identical(data["target"], Tensor::of<std::int32_t>({0, 1, 2})));
}

TEST(Dataset, OfTargetsHasAColumnForEachNumber) {
  const std::vector<float> inputs(12), one(3, 1.F), two(6, 2.F);
  EXPECT_EQ(Dataset::from(inputs, {3, 2, 2}, one)["target"].shape(), (Shape{3, 1}));
  EXPECT_EQ(Dataset::from(inputs, {3, 2, 2}, two)["target"].shape(), (Shape{3, 2}));
  EXPECT_EQ(Dataset::from(inputs, {3, 2, 2}, two)["input"].shape(), (Shape{3, 2, 2}));
}

TEST(Dataset, DifferentNumbersOfRowsAreRefused) {
  const std::vector<float> inputs(6);
  const std::vector<std::int32_t> labels(2), negative{0, -1, 2};
  const std::vector<float> targets(4);
  expect_error<UsageError>([&] { (void)Dataset::from(inputs, {3, 2}, labels); }, {"2 labels", "3 rows"});
  expect_error<UsageError>([&] { (void)Dataset::from(inputs, {3, 2}, targets); }, {"4 targets", "3 rows"});
  expect_error<UsageError>([&] { (void)Dataset::from(inputs, {2, 2}, labels); }, {"6 values", "(2, 2)"});
  expect_error<UsageError>([&] { (void)Dataset::from(inputs, {}, labels); }, {"()"});
  expect_error<DataError>([&] { (void)Dataset::from(inputs, {3, 2}, negative); }, {"label -1", "row 1"});
}

TEST(Dataset, ColumnsHaveTheSameNumberOfRows) {
  Dataset data = numbered(3, 2);
  expect_error<UsageError>([&] { data.set("weight", zeros({4})); }, {"'weight'", "4 rows", "3"});
  expect_error<UsageError>([&] { data.set("input", zeros({4, 2})); }, {"'input'"});
  expect_error<UsageError>([&] { data.set("weight", Tensor()); }, {"scalar"});
  data.set("weight", ones({3}));
  data.set("input", zeros({3, 7}));
  EXPECT_EQ(data.names(), (std::vector<std::string>{"input", "target", "weight"}));
  EXPECT_EQ(data["input"].shape(), (Shape{3, 7}));
}

TEST(Dataset, AMissingColumnIsNamedWithTheExistingOnes) {
  const Dataset data = numbered(3, 2);
  EXPECT_FALSE(data.has("weight"));
  expect_error<UsageError>([&] { (void)data["weight"]; }, {"'weight'", "input, target"});
  expect_error<UsageError>([&] { (void)Dataset()["input"]; }, {"none"});
  EXPECT_EQ(Dataset().rows(), 0);
}

TEST(Dataset, ASliceSharesItsMemoryAndTakeCopies) {
  const Dataset data = numbered(4, 2);
  const Dataset slice = data.slice(1, 3);
  EXPECT_EQ(slice["input"].raw(), data["input"].raw() + 2 * sizeof(float));
  EXPECT_TRUE(identical(slice["target"], Tensor::of<std::int32_t>({1, 2})));

  const std::vector<std::int64_t> rows{3, 0, 3};
  const Dataset taken = data.take(rows);
  EXPECT_TRUE(identical(taken["input"], Tensor::from(std::vector<float>{6, 7, 0, 1, 6, 7}, {3, 2})));
  EXPECT_TRUE(identical(taken["target"], Tensor::of<std::int32_t>({3, 0, 3})));
  EXPECT_EQ(data.take({}).rows(), 0);
  expect_error<UsageError>([&] { (void)data.slice(2, 5); }, {"2 to 5"});
}

TEST(Dataset, ACopyHasTheSameIdentityAndAChangedOneAnother) {
  Dataset data = numbered(4, 2);
  const Dataset copy = data, slice = data.slice(0, 4);
  EXPECT_EQ(copy.identity(), data.identity());
  EXPECT_NE(slice.identity(), data.identity());
  data.set("input", Tensor({4, 2}, f32));
  EXPECT_NE(copy.identity(), data.identity());
  EXPECT_EQ(Dataset().identity(), nullptr);
  const Dataset moved = std::move(data);
  EXPECT_NE(moved.identity(), nullptr);
  EXPECT_EQ(data.identity(), nullptr);  // NOLINT: a moved-from data set has no columns
}

TEST(Gather, CopiesRowsOfAnyLength) {
  const std::vector<std::int64_t> rows{6, 0, 3, 3, 8};
  for (const std::int64_t bytes : {0, 1, 3, 4, 8, 31, 32, 33, 63, 64, 228, 1023, 1024, 1025, 3136}) {
    const Tensor table = random_uniform({9, bytes}, 0, 256, 1, f64).to(u8);
    std::vector<std::byte> into(rows.size() * static_cast<std::size_t>(bytes) + 1, std::byte{0xa5});
    data::gather(data::row_source(table), rows, std::span(into).first(into.size() - 1));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto length = static_cast<std::size_t>(bytes);
      const std::byte* wanted = table.raw() + static_cast<std::size_t>(rows[i]) * length;
      EXPECT_TRUE(std::equal(wanted, wanted + length, into.begin() + static_cast<std::ptrdiff_t>(i * length))) << bytes;
    }
    EXPECT_EQ(into.back(), std::byte{0xa5}) << bytes;
  }
}

TEST(Gather, RowsAndSizesAreChecked) {
  const Tensor column = Tensor::from(std::vector<float>{0, 1, 2, 3}, {2, 2});
  std::vector<std::byte> into(8);
  for (const std::int64_t row : {std::int64_t{-1}, std::int64_t{2}}) {
    const std::vector<std::int64_t> rows{row};
    expect_error<UsageError>([&] { data::gather(data::row_source(column), rows, into); }, {std::to_string(row)});
    expect_error<UsageError>([&] { data::gather(data::row_source(zeros({0, 2})), rows, into); }, {"0 rows"});
  }
  const std::vector<std::int64_t> both{0, 1};
  expect_error<UsageError>([&] { data::gather(data::row_source(column), both, into); },
                           {"2 rows of 8 bytes into 8 bytes"});
}

}  // namespace
}  // namespace thalweg
