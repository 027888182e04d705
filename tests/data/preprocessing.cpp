#include "data/preprocessing.hpp"

#include <cmath>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/random.hpp"
#include "data/class_weights.hpp"
#include "tables.hpp"

namespace thalweg::data {
namespace {

using test::all_rows;
using test::expect_error;
using test::table_of;

TablePreprocessing fitted(const Table& table, const TableOptions& options, std::vector<std::int64_t> rows = {}) {
  Inference inference = infer_schema(table, options);
  return {table, inference.schema, rows.empty() ? inference.rows : rows};
}

std::vector<float> input_of(const TablePreprocessing& p, const Table& table) {
  const Tensor input = p.encode(table, all_rows(table))["input"];
  const auto values = input.values<float>();
  return {values.begin(), values.end()};
}

std::vector<float> row_of(const TablePreprocessing& p, const std::vector<std::string_view>& cells) {
  std::vector<float> into(static_cast<std::size_t>(p.width()), -7.F);
  p.encode_row(cells, into);
  return into;
}

TEST(TablePreprocessing, NumbersAreStandardisedAndConstantsBecomeZero) {
  const Table table = table_of("a,b,y\n1,5,0\n2,5,0\n3,5,1\n6,9,1\n");
  const auto p = fitted(table, {.target = "y"}, {0, 1, 2});
  const float unit = std::sqrt(1.5F);
  EXPECT_EQ(p.input_names(), (std::vector<std::string>{"a", "b"}));
  const std::vector<float> input = input_of(p, table), wanted{-unit, 0, 0, 0, unit, 0, 4 * unit, 0};
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_FLOAT_EQ(input[i], wanted[i]) << i;
}

TEST(TablePreprocessing, AConstantThatIsNotExactInF64IsAConstant) {
  std::string text = "a,b,y\n";
  for (int i = 0; i < 1000; ++i) text += fmt::format("0.1,{},{}\n", i, i % 2);
  const Table table = table_of(text + "0.3,1,0\n");
  std::vector<std::int64_t> rows = all_rows(table);
  rows.pop_back();
  EXPECT_EQ(row_of(fitted(table, {.target = "y"}, rows), {"0.3", "0"})[0], 0.F);
}

TEST(TablePreprocessing, VerySmallAndVeryLargeScalesAreStandardised) {
  for (const char* exponent : {"e-200", "e-160", "e-300", "e37"}) {
    const Table table = table_of(fmt::format("x,y\n1{0},5{0}\n2{0},7{0}\n3{0},9{0}\n", exponent));
    const auto p = fitted(table, {.target = "y"});
    const float unit = std::sqrt(1.5F);
    const Dataset data = p.encode(table, all_rows(table));
    for (const char* column : {"input", "target"}) {
      EXPECT_FLOAT_EQ(static_cast<float>(data[column].at(0)), -unit) << exponent;
      EXPECT_FLOAT_EQ(static_cast<float>(data[column].at(2)), unit) << exponent;
    }
  }
  const Table denormal = table_of("x,y\n1e-320,1.5\n2e-320,2.5\n3e-320,3.5\n");
  expect_error<DataError>([&] { (void)fitted(denormal, {.target = "y"}); }, {"'x'", "too little"});
}

TEST(TablePreprocessing, ALargeOffsetKeepsItsDigits) {
  const Table table = table_of("x,y\n1,1700000014.68\n2,1699999977.72\n3,1700000081.43\n");
  const auto p = fitted(table, {.target = "y"});
  const Tensor target = p.encode(table, all_rows(table))["target"];
  EXPECT_NEAR(p.target().inverse(target.at(1)), 1699999977.72, 1e-4);
}

TEST(TablePreprocessing, DatesAreDaysAndPlacesInYearAndWeek) {
  const Table table = table_of("d,y\n2024-01-01,0\n2024-07-01,1\n,0\n2024-04-01,1\n");
  const auto p = fitted(table, {.target = "y"});
  EXPECT_EQ(p.input_names(), (std::vector<std::string>{"d (days)", "d (year, sine)", "d (year, cosine)",
                                                       "d (week, sine)", "d (week, cosine)", "d is missing"}));
  const std::vector<float> monday = row_of(p, {"2024-01-01"});
  EXPECT_LT(monday[0], 0);
  EXPECT_EQ((std::vector<float>{monday.begin() + 1, monday.end()}), (std::vector<float>{0, 1, 0, 1, 0}));
  EXPECT_EQ(row_of(p, {""})[5], 1.F);
  EXPECT_EQ(row_of(p, {""})[0], row_of(p, {"2024-04-01"})[0]);
  expect_error<DataError>([&] { row_of(p, {"1.4.2024"}); }, {"'d'", "'1.4.2024'", "year_month_day"});
  const Table times = table_of("d,y\n2024-01-01 06:00,0\n2024-07-01,1\n");
  EXPECT_EQ(fitted(times, {.target = "y"}).width(), 7);
}

TEST(TablePreprocessing, NumbersInAFormAreReadInThatForm) {
  const Table table = table_of("x;y\n0,5;0\n1,5;1\n1.002,5;1\n");
  const auto p = fitted(table, {.target = "y"});
  const float unit = row_of(p, {"1,5"})[0];
  EXPECT_GT(row_of(p, {"1.002,5"})[0], unit);
  expect_error<DataError>([&] { row_of(p, {"1.5"}); }, {"'1.5'", "1.234,5"});
  std::vector<float> into(1);
  p.encode_numbers(std::vector<float>{1.5F}, into);
  EXPECT_EQ(into[0], unit) << "numbers, unlike cells, have no decimal separator";
}

TEST(TablePreprocessing, NumbersAreEncodedLikeTheirTextInCells) {
  const Table table = table_of("n,c,y\n1.5,7,0\n,8,1\n4,7,0\n2,8,1\n");
  const auto p = fitted(table, {.target = "y", .types = {{"c", {std::string("category")}}}});
  const float none = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> into(static_cast<std::size_t>(p.width()));
  const auto numbers = [&](std::vector<float> row) {
    p.encode_numbers(row, into);
    return into;
  };
  EXPECT_EQ(numbers({1.5F, 7}), row_of(p, {"1.5", "7"}));
  EXPECT_EQ(numbers({none, 8}), row_of(p, {"", "8"}));
  EXPECT_EQ(numbers({4, 9}), row_of(p, {"4", "9"}));
  expect_error<DataError>([&] { numbers({INFINITY, 7}); }, {"'n'", "finite"});
  expect_error<UsageError>([&] { numbers({1}); }, {"1 numbers for 2 features"});
}

TEST(TablePreprocessing, MissingNumbersAreTheMedianAndMarked) {
  const Table table = table_of("a,b,y\n1,1,0\n10,2,0\n?,3,1\n2,4,1\n5,5,1\n");
  const auto p = fitted(table, {.target = "y"});
  EXPECT_EQ(p.input_names(), (std::vector<std::string>{"a", "a is missing", "b"}));
  EXPECT_EQ(p.encodings()[0].fill, 3.5);
  EXPECT_EQ(row_of(p, {"", "1"})[1], 1.F);
  EXPECT_EQ(row_of(p, {"", "1"})[0], row_of(p, {"3.5", "1"})[0]);
  EXPECT_EQ(row_of(p, {"3.5", "1"})[1], 0.F);
  EXPECT_EQ(row_of(p, {"1", "NA"})[2], 0.F) << "the median and no mark, because b had no missing value in training";
  double sum = 0, squares = 0;
  const std::vector<float> input = input_of(p, table);
  for (std::size_t row = 0; row < 5; ++row) {
    sum += input[row * 3];
    squares += input[row * 3] * input[row * 3];
  }
  EXPECT_NEAR(sum, 0, 1e-6);
  EXPECT_NEAR(squares, 5, 1e-5);
}

TEST(TablePreprocessing, CategoriesHaveOneColumnPerLevel) {
  const Table table = table_of("zip,n,y\n02139,1,0\n10001,2,1\n,3,0\n02139,4,1\n94110,5,1\n");
  const TableOptions options{.target = "y", .types = {{"zip", {std::string("category")}}}};
  const auto p = fitted(table, options, {0, 1, 2, 3});
  EXPECT_EQ(p.input_names(), (std::vector<std::string>{"zip=02139", "zip=10001", "zip is missing", "n"}));
  std::vector<std::int64_t> unknown(2);
  const Dataset data = p.encode(table, all_rows(table), unknown);
  EXPECT_EQ(unknown, (std::vector<std::int64_t>{1, 0})) << "94110 occurs in no training row";
  const std::vector<std::vector<float>> wanted{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}, {1, 0, 0}, {0, 0, 0}};
  for (std::size_t row = 0; row < wanted.size(); ++row) {
    for (std::size_t i = 0; i < 3; ++i)
      EXPECT_EQ(data["input"].at(static_cast<std::int64_t>(row * 4 + i)), wanted[row][i]);
  }
}

TEST(TablePreprocessing, RareLevelsAndThoseBeyondTheBoundArePooled) {
  const Table table = table_of("c,y\na,0\na,1\na,0\nb,1\nb,0\nc,1\n,0\n");
  const auto names = [&](const TableOptions& options) { return fitted(table, options).input_names(); };
  EXPECT_EQ(names({.target = "y"}), (std::vector<std::string>{"c=a", "c=b", "c=c", "c is missing"}));
  const std::vector<std::string> two{"c=a", "c=b", "c, other levels", "c is missing"};
  EXPECT_EQ(names({.target = "y", .rare_levels = 2}), two);
  EXPECT_EQ(names({.target = "y", .max_levels = 2}), two);
  EXPECT_EQ(names({.target = "y", .max_levels = 1}),
            (std::vector<std::string>{"c=a", "c, other levels", "c is missing"}));
  const auto p = fitted(table, {.target = "y", .rare_levels = 2});
  EXPECT_EQ(row_of(p, {"c"}), (std::vector<float>{0, 0, 1, 0}));
  EXPECT_EQ(row_of(p, {"never seen"}), (std::vector<float>{0, 0, 1, 0}));
  EXPECT_EQ(row_of(p, {""}), (std::vector<float>{0, 0, 0, 1}));
  EXPECT_EQ(Preprocessing::from_json(Preprocessing(p).json()), Preprocessing(p));
}

TEST(TablePreprocessing, BalancedClassesWeighTheSame) {
  const Table table = table_of("x,w,y\n1,1,a\n2,1,a\n3,1,a\n4,3,b\n5,2,c\n6,1,c\n");
  Dataset plain = fitted(table, {.target = "y", .drop = {"w"}}).encode(table, all_rows(table));
  balance_classes(plain);
  const std::vector<double> wanted{2. / 3, 2. / 3, 2. / 3, 2, 1, 1};
  for (std::int64_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(plain["weight"].at(i), wanted[static_cast<std::size_t>(i)]);
  Dataset weighted = fitted(table, {.target = "y", .weight = "w"}).encode(table, all_rows(table));
  balance_classes(weighted);
  for (std::int64_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(weighted["weight"].at(i), i < 3 ? 1. : 3.);
  Dataset numbers;
  numbers.set("target", zeros({3, 2}));
  expect_error<UsageError>([&] { balance_classes(numbers); }, {"balanced", "no classes"});
}

TEST(TablePreprocessing, AMissingCategoryThatTrainingDidNotHaveIsZerosAndCounted) {
  const Table table = table_of("c,y\na,0\nb,1\n");
  const auto p = fitted(table, {.target = "y"});
  std::vector<float> into(2, 9.F);
  std::vector<std::int64_t> unknown(1);
  p.encode_row(std::vector<std::string_view>{"?"}, into, unknown);
  EXPECT_EQ(into, (std::vector<float>{0, 0}));
  EXPECT_EQ(unknown[0], 1);
}

TEST(TablePreprocessing, AMissingNumberIsCountedWhereNoneWasMissingInTraining) {
  const Table table = table_of("a,b,d,y\n1,1,2020-01-01,0\n,2,2020-01-02,1\n3,3,2020-02-03,1\n");
  const auto p = fitted(table, {.target = "y"});
  std::vector<float> into(static_cast<std::size_t>(p.width()));
  std::vector<std::int64_t> unknown(3);
  p.encode_row(std::vector<std::string_view>{"", "", "NA"}, into, unknown);
  EXPECT_EQ(unknown, (std::vector<std::int64_t>{0, 1, 1})) << "a was missing in training, and has a mark for it";
}

TEST(TablePreprocessing, NumbersAreEncodedAsTheirCells) {
  const Table table = table_of("zip,n,y\n02139,1.5,0\n10001,2,1\n,,0\n02139,4,1\n");
  const auto p = fitted(table, {.target = "y", .types = {{"zip", {std::string("category")}}}});
  const auto width = static_cast<std::size_t>(p.width());
  std::vector<float> by_number(width), by_cell(width);
  const float nan = std::nanf("");
  const std::vector<std::pair<std::vector<float>, std::vector<std::string_view>>> rows = {
      {{2139, 1.5F}, {"02139", "1.5"}}, {{10001, nan}, {"10001", ""}}, {{nan, -2}, {"", "-2"}}, {{7, 4}, {"7", "4"}}};
  for (const auto& [numbers, cells] : rows) {
    p.encode_numbers(numbers, by_number);
    p.encode_row(cells, by_cell);
    EXPECT_EQ(by_number, by_cell) << cells[0] << ", " << cells[1];
  }
  expect_error<DataError>([&] { p.encode_numbers(std::vector<float>{1, INFINITY}, by_number); }, {"'n'", "inf"});
  EXPECT_THROW(p.encode_numbers(std::vector<float>{1}, by_number), UsageError);
}

TEST(TablePreprocessing, TheTargetHasTheFormOfItsTask) {
  const Table numbers = table_of("x,y\n1,10.5\n2,20.5\n3,30.5\n");
  const auto regression = fitted(numbers, {.target = "y"});
  const Tensor y = regression.encode(numbers, all_rows(numbers))["target"];
  EXPECT_EQ(y.shape(), (Shape{3, 1}));
  EXPECT_NEAR(y.at(2), std::sqrt(1.5), 1e-6);
  EXPECT_NEAR(regression.target().inverse(y.at(2)), 30.5, 1e-5);
  const TargetUnit unit = regression.encode(numbers, all_rows(numbers)).unit();
  EXPECT_NEAR(unit.shift + unit.scale * y.at(2), 30.5, 1e-5);

  const Table two = table_of("x,y\n1,no\n2,yes\n3,no\n");
  EXPECT_TRUE(identical(fitted(two, {.target = "y"}).encode(two, all_rows(two))["target"],
                        Tensor::from(std::vector<float>{0, 1, 0}, {3, 1})));

  const Table more = table_of("x,y\n1,10\n2,9\n3,10.0\n4,11\n");
  EXPECT_TRUE(identical(fitted(more, {.target = "y", .task = "multiclass"}).encode(more, all_rows(more))["target"],
                        Tensor::of<std::int32_t>({1, 0, 1, 2})));
}

TEST(TablePreprocessing, AConstantTrainingTargetKeepsItsUnits) {
  const Table table = table_of("x,y\n1,10.5\n2,10.5\n3,30.5\n");
  const Affine target = fitted(table, {.target = "y"}, {0, 1}).target();
  EXPECT_EQ(target, (Affine{.shift = 10.5, .scale = 1}));
  EXPECT_EQ(target.inverse(target(30.5)), 30.5);
}

TEST(TablePreprocessing, WeightsAreASeparateColumn) {
  const Table table = table_of("x,w,y\n1,1,0\n2,2.5,1\n");
  const auto p = fitted(table, {.target = "y", .weight = "w"});
  EXPECT_TRUE(identical(p.encode(table, all_rows(table))["weight"], Tensor::of({1.F, 2.5F})));
  EXPECT_EQ(p.input_names(), std::vector<std::string>{"x"});
  const Table without = table_of("x,y\n1,0\n2,1\n");
  EXPECT_FALSE(p.encode(without, all_rows(without)).has("weight"));
}

TEST(TablePreprocessing, WeightsFarFromOneKeepTheirRatios) {
  const auto weights = [](const char* first, const char* second) {
    const Table table = table_of(fmt::format("x,w,y\n1,{},0\n2,{},1\n", first, second));
    return fitted(table, {.target = "y", .weight = "w"}).encode(table, all_rows(table))["weight"];
  };
  for (const auto& [first, second] : {std::pair("1e-300", "3e-300"), {"1e-44", "3e-44"}, {"1e38", "3e38"}}) {
    const Tensor scaled = weights(first, second);
    EXPECT_GE(scaled.at(0), 0.5) << first;
    EXPECT_LT(scaled.at(1), 4) << first;
    EXPECT_NEAR(scaled.at(1) / scaled.at(0), 3, 1e-6) << first;
  }
  EXPECT_TRUE(identical(weights("1e-5", "1e6"), Tensor::of({1e-5F, 1e6F}))) << "these are not scaled";
}

TEST(TablePreprocessing, IsFittedOnTheTrainingRowsOnly) {
  const std::string training = "n,c,y\n1,a,1.5\n4,b,2.5\n,a,9.5\n2,,4.5\n";
  const Table one = table_of(training + "5,b,1.0\n6,a,2.0\n"), other = table_of(training + "-1e9,zebra,1e9\n?,?,-3\n");
  const Inference inference = infer_schema(one, {.target = "y"});
  const std::vector<std::int64_t> rows{0, 1, 2, 3};
  const TablePreprocessing p(one, inference.schema, rows), q(other, inference.schema, rows);
  EXPECT_EQ(p, q);
  EXPECT_EQ(Preprocessing(p).json(), Preprocessing(q).json());
  EXPECT_TRUE(identical(p.encode(one, rows)["input"], q.encode(other, rows)["input"]));
  const TablePreprocessing all(one, inference.schema, all_rows(one));
  EXPECT_NE(p, all);
}

TEST(TablePreprocessing, ASingleRowIsEncodedToTheSameBitsAsInATable) {
  std::string text = "a,b,c,y\n";
  for (std::uint64_t i = 0; i < 200; ++i) {
    const double draw = random_gauss({3, 0}, i);
    text +=
        fmt::format("{},{},{},{}\n", draw, i % 7 == 0 ? "?" : fmt::format("{}", draw * draw), "xyz"[i % 3], draw > 0);
  }
  const Table table = table_of(text);
  const auto p = fitted(table, {.target = "y"});
  const std::vector<float> input = input_of(p, table);
  const auto width = static_cast<std::size_t>(p.width());
  const auto check = [&](std::int64_t begin) {
    for (std::int64_t row = begin; row < 200; row += 2) {
      const auto alone = row_of(p, {table.cell(row, 0), table.cell(row, 1), table.cell(row, 2)});
      EXPECT_EQ(std::memcmp(alone.data(), &input[static_cast<std::size_t>(row) * width], width * sizeof(float)), 0);
    }
  };
  std::thread even(check, 0), odd(check, 1);
  even.join();
  odd.join();
}

TEST(TablePreprocessing, ColumnsAreMatchedByName) {
  const Table table = table_of("a,b,y\n1,1,0\n2,4,1\n"), moved = table_of("extra,y,b,a\nq,0,1,1\nr,1,4,2\n");
  const auto p = fitted(table, {.target = "y"});
  EXPECT_EQ(p.match({"extra", "b", "a"}, "new.csv"), (std::vector<std::size_t>{2, 1}));
  EXPECT_EQ(input_of(p, table), input_of(p, moved));
  expect_error<DataError>([&] { (void)p.match({"extra"}, "new.csv"); }, {"new.csv", "'a', 'b'", "extra"});
  expect_error<DataError>([&] { (void)p.encode(table_of("a,b\n1,1\n"), std::vector<std::int64_t>{0}); }, {"'y'"});
}

TEST(TablePreprocessing, CellsThatCannotBeReadAreNamed) {
  const auto p = fitted(table_of("a,c,y\n1,x,0\n2,z,1\n"), {.target = "y"});
  const auto encode = [&](std::string_view text) {
    const Table table = table_of(text);
    return p.encode(table, all_rows(table));
  };
  expect_error<DataError>([&] { encode("a,c,y\n1,x,0\nold,x,1\n"); }, {"t.csv, line 3", "'a'", "'old'"});
  expect_error<DataError>([&] { encode("a,c,y\n1,x,0\n2,x,7\n"); }, {"t.csv, line 3", "'y'", "'7'", "0, 1"});
  expect_error<DataError>([&] { encode("a,c,y\n1,x,\n"); }, {"line 2", "'y'"});
  std::vector<float> into(3);
  const std::vector<std::string_view> bad{"1e", "x"};
  expect_error<DataError>([&] { p.encode_row(bad, into); }, {"[data] column 'a'", "'1e'"});
  expect_error<DataError>([&] { p.encode_row(bad, into, {}, {"stdin", 12}); }, {"stdin, line 12, column 'a'"});
  expect_error<UsageError>([&] { p.encode_row(std::vector<std::string_view>{"1"}, into); },
                           {"1 cells. Wanted: one for each of 2 features"});
}

TEST(TablePreprocessing, MissingValuesAreRefusedIfTheyWereRefusedInTraining) {
  for (const char* policy : {"reject", "drop"}) {
    const auto p = fitted(table_of("a,c,y\n1,x,0\n2,z,1\n"), {.target = "y", .missing = policy});
    std::vector<float> into(3);
    const std::vector<std::string_view> gap{"?", "x"};
    expect_error<DataError>([&] { p.encode_row(gap, into); }, {"'a'", "no value", policy});
  }
}

TEST(TablePreprocessing, EncodedNumbersAreAlwaysFinite) {
  const auto p = fitted(table_of("a,y\n1e-30,0\n2e-30,1\n"), {.target = "y"});
  std::vector<float> into(1);
  const std::vector<std::string_view> far{"1e30"};
  expect_error<DataError>([&] { p.encode_row(far, into); }, {"'a'", "1e30"});
  const Table wide = table_of("a,y\n3e38,0\n-3e38,1\n");
  for (const float x : input_of(fitted(wide, {.target = "y"}), wide)) EXPECT_TRUE(std::isfinite(x));
}

TEST(TablePreprocessing, AnEncodingLargerThanTheBudgetIsRefusedWithItsSize) {
  const Table table = table_of("c,y\na,0\nb,1\n");
  const auto p = fitted(table, {.target = "y"});
  expect_error<MemoryError>([&] { (void)p.encode(table, all_rows(table), {}, 15); }, {"2 rows of 2", "MB"});
  EXPECT_EQ(p.encode(table, all_rows(table), {}, 16).rows(), 2);
}

TEST(TablePreprocessing, ManyLevelsAreStoredAsIndicesAndReadAsColumns) {
  std::string text = "n,c,d,y\n";
  constexpr int rows = 9000;
  for (int i = 0; i < rows; ++i)
    text += fmt::format("{}.5,l{},{},{}\n", i, i * 7 % 2500, i % 5 == 0 ? "" : "k" + std::to_string(i % 11), i % 2);
  const Table table = table_of(text);
  const auto p = fitted(table, {.target = "y"});
  const Dataset data = p.encode(table, all_rows(table), {}, 1 << 20);
  ASSERT_TRUE(data.streams()) << "the columns need 90 MB, and the budget is 1 MB";
  const std::vector<std::int64_t> some{8999, 0, 5, 1234};
  const Tensor read = data.take(some)["input"];
  const auto width = static_cast<std::size_t>(p.width());
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::int64_t row = some[i];
    const auto wanted = row_of(p, {table.cell(row, 0), table.cell(row, 1), table.cell(row, 2)});
    EXPECT_EQ(std::memcmp(wanted.data(), read.raw() + i * width * sizeof(float), width * sizeof(float)), 0) << row;
  }
}

TEST(TensorPreprocessing, PixelsAreStandardisedOverTheTrainingRows) {
  Dataset data;
  data.set("input", Tensor::from(std::vector<std::uint8_t>{0, 10, 20, 30, 255, 255}, {3, 2, 1}));
  data.set("target", Tensor::of<std::int32_t>({0, 1, 2}));
  const std::vector<std::int64_t> rows{0, 1};
  const auto p = TensorPreprocessing::fit(data, rows, {"a", "b", "c"});
  EXPECT_EQ(p.input, (Shape{2, 1}));
  EXPECT_EQ(p.dtype, u8);
  EXPECT_EQ(p.task, Task::multiclass);
  EXPECT_DOUBLE_EQ(p.affine.shift, 15);
  EXPECT_DOUBLE_EQ(p.affine.scale, 1 / std::sqrt(125.0));
  data.set("input", data["input"].to(f32));
  EXPECT_EQ(TensorPreprocessing::fit(data, rows).affine, p.affine);
  expect_error<DataError>([&] { (void)TensorPreprocessing::fit(data, {}); }, {"nothing"});
  expect_error<UsageError>([&] { (void)TensorPreprocessing::fit(data, std::vector<std::int64_t>{3}); }, {"row 3"});
  data.set("input", full({3, 2}, std::numeric_limits<double>::infinity()));
  expect_error<DataError>([&] { (void)TensorPreprocessing::fit(data, rows); }, {"finite"});
  data.set("input", full({3, 2}, 4));
  EXPECT_EQ(TensorPreprocessing::fit(data, rows).affine, (Affine{.shift = 4, .scale = 0}));
  data.set("input", full({3, 2}, 0.1, f64));
  const std::vector<std::int64_t> three{0, 1, 2};
  EXPECT_EQ(TensorPreprocessing::fit(data, three).affine, (Affine{.shift = 0.1, .scale = 0}))
      << "a sum of tenths has rounding errors";
}

std::vector<Preprocessing> samples() {
  const Table table = table_of("größe,c,w,y\n1,\"a \"\"b\"\"\",1,no\n,b,2,yes\n3,,1,no\n0.1,b,1,yes\n");
  const Table numbers = table_of("x,y\n0.1,0.3\n0.7,1e-17\n");
  const Table forms = table_of("d;x;y\n2020-01-31 12:00;1.234,5;1,5\n2021-01-31;7,5;2,5\n");
  return {
      fitted(forms, {.target = "y"}), fitted(table, {.target = "y", .weight = "w"}),
      fitted(numbers, {.target = "y", .missing = "reject"}),
      TensorPreprocessing{.input = {28, 28, 1}, .dtype = u8, .affine = {72.9, 1 / 90.02}, .task = Task::multiclass}};
}

TEST(Preprocessing, IsTheSameAfterWritingAndReadingJson) {
  for (const Preprocessing& p : samples()) {
    const Preprocessing back = Preprocessing::from_json(p.json());
    EXPECT_EQ(back, p);
    EXPECT_EQ(back.json(), p.json());
    EXPECT_EQ(back.task(), p.task());
  }
}

TEST(Preprocessing, JsonCutAtAnyByteIsAModelError) {
  for (const Preprocessing& p : samples()) {
    const std::string json = p.json();
    for (std::size_t size = 0; size < json.size(); ++size) {
      expect_error<ModelError>([&] { (void)Preprocessing::from_json(json.substr(0, size)); }, {"[preprocessing]"});
    }
  }
}

TEST(Preprocessing, JsonWithAnyValueReplacedIsReadOrAModelError) {
  using Json = nlohmann::json;
  const std::vector<Json> strange{
      nullptr, -1, 1e308, "x", Json::array(), Json::object(), true, Json::array({-1, "b", "a"})};
  int refused = 0;
  for (const Preprocessing& p : samples()) {
    const Json flat = Json::parse(p.json()).flatten();
    for (const auto& item : flat.items()) {
      for (const Json& value : strange) {
        Json json = Json::parse(p.json());
        json[Json::json_pointer(item.key())] = value;
        try {
          (void)Preprocessing::from_json(json.dump()).json();
        } catch (const ModelError&) {
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(refused, 100);
}

/// The conversion of the JSON library has no defined result for 1e111, and makes 1 of 1.5.
TEST(Preprocessing, JsonWithANumberThatIsNotWholeIsAModelErrorWhereOneIsWanted) {
  using Json = nlohmann::json;
  std::vector<std::string> texts{
      Preprocessing(TextPreprocessing{Tokenizer::bpe({{97, 98}, {256, 99}}), 16}).json(),
      R"({"format": 1, "kind": "sequences", "longest": 16,
          "source": {"name": "word", "words": false, "symbols": ["a", "b"]},
          "target": {"name": "sounds", "words": true, "symbols": ["A1", "B"]}})",
      R"({"format": 1, "kind": "words", "words": ["a", "b"], "rare": 64, "length": 8, "classes": ["x", "y"]})"};
  for (const Preprocessing& p : samples()) texts.push_back(p.json());
  int tried = 0;
  for (const std::string& text : texts) {
    SCOPED_TRACE(text);
    (void)Preprocessing::from_json(text);
    const Json flat = Json::parse(text).flatten();
    for (const auto& item : flat.items()) {
      if (!item.value().is_number_integer()) continue;
      for (const Json& value : {Json(1.5), Json(1e111), Json(1.5e18), Json(~std::uint64_t{0})}) {
        SCOPED_TRACE(item.key());
        Json json = Json::parse(text);
        json[Json::json_pointer(item.key())] = value;
        expect_error<ModelError>([&] { (void)Preprocessing::from_json(json.dump()); },
                                 {"[preprocessing]", " is " + value.dump() + ". Wanted: a whole number"});
        ++tried;
      }
    }
  }
  EXPECT_GE(tried, 60);
}

TEST(Preprocessing, JsonWithAKeyTwiceIsAModelError) {
  const std::string json = samples()[0].json();
  const std::string twice = R"({"format": 1,)" + json.substr(json.find('{') + 1);
  expect_error<ModelError>([&] { (void)Preprocessing::from_json(twice); }, {"'format' is there twice"});
}

TEST(Preprocessing, JsonWithRandomBytesIsReadOrAModelError) {
  const std::string json = samples()[0].json();
  for (std::uint64_t round = 0; round < 2000; ++round) {
    std::string text = json;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const auto words = random_words({4, round}, i);
      text[words[0] % text.size()] = static_cast<char>(words[1]);
    }
    try {
      (void)Preprocessing::from_json(text);  // valid if only a letter of a name has changed
    } catch (const ModelError&) {
    }
  }
  expect_error<ModelError>([] { (void)Preprocessing::from_json(std::string(1'000'000, '[')); }, {"damaged"});
  expect_error<ModelError>([] { (void)Preprocessing::from_json(R"({"format": 2, "kind": "table"})"); }, {"format"});
}

}  // namespace
}  // namespace thalweg::data
