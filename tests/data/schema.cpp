#include "data/schema.hpp"

#include <functional>

#include "data/cell.hpp"
#include "tables.hpp"

namespace thalweg::data {
namespace {

using test::expect_error;
using test::mentions;
using test::table_of;

/// A table with one feature x (0, 1, 2, ...) and these targets.
Table with_targets(const std::vector<std::string>& targets) {
  std::string text = "x,y\n";
  for (std::size_t i = 0; i < targets.size(); ++i) text += std::to_string(i) + ".5," + targets[i] + "\n";
  return table_of(text);
}

/// `rows` targets 0, 1, ..., n - 1, 0, 1, ..., with the text `before` before each.
std::vector<std::string> counting(std::size_t rows, std::size_t n, const std::string& before = "") {
  std::vector<std::string> targets;
  for (std::size_t i = 0; i < rows; ++i) targets.push_back(before + std::to_string(i % n));
  return targets;
}

Task task_of(const std::vector<std::string>& targets) {
  return infer_schema(with_targets(targets), {.target = "y"}).schema.task;
}
std::vector<std::string> classes_of(const std::vector<std::string>& targets, const std::string& task = "auto") {
  return infer_schema(with_targets(targets), {.target = "y", .task = task}).schema.classes;
}

TEST(Cell, MissingValuesAreThese) {
  for (const char* cell : {"", "  ", "NA", "?", "NaN", "nan", "null", "NULL", " NA "})
    EXPECT_TRUE(is_missing(cell)) << cell;
  for (const char* cell : {"0", "None", "N/A", "na", "-", "NAN1"}) EXPECT_FALSE(is_missing(cell)) << cell;
}

TEST(Cell, NumbersAreFiniteAndFitF32) {
  EXPECT_EQ(number_in(" 1e-3 "), 1e-3);
  EXPECT_EQ(number_in("+5"), 5.0);
  for (const std::string& cell : {std::string("1e-400"), std::string("-2.5E-1000"), "0." + std::string(400, '0') + "1"})
    EXPECT_EQ(number_in(cell), 0.0) << cell;
  for (const std::string& cell : {std::string("1e400"), "1" + std::string(400, '0') + ".5"})
    EXPECT_EQ(number_in(cell), std::nullopt) << cell;
  for (const char* cell :
       {"1e-3x", "+5 apples", "inf", "-inf", "nan", "1e39", "1,5", "0x10", "", "--1", "+-1", "1 2"}) {
    EXPECT_EQ(number_in(cell), std::nullopt) << cell;
  }
}

TEST(Schema, TheTaskFollowsFromTheTarget) {
  EXPECT_EQ(task_of(counting(20, 2)), Task::binary);
  EXPECT_EQ(task_of({"1", "2", "1"}), Task::binary);
  EXPECT_EQ(task_of({"no", "yes", "no"}), Task::binary);
  EXPECT_EQ(task_of({"red", "green", "blue"}), Task::multiclass);
  EXPECT_EQ(task_of(counting(100, 20)), Task::multiclass);
  EXPECT_EQ(task_of(counting(99, 20)), Task::regression) << "fewer than five rows per class";
  EXPECT_EQ(task_of(counting(1000, 21)), Task::regression);
  EXPECT_EQ(task_of({"0.5", "1.5", "0.5", "1.5"}), Task::regression);
  EXPECT_EQ(task_of(counting(1000, 60, "name")), Task::multiclass);
}

TEST(Schema, ClassesAreSortedAsNumbersWhereAllAreNumbers) {
  EXPECT_EQ(classes_of({"10", "9", "10.0", "9"}), (std::vector<std::string>{"9", "10"}));
  EXPECT_EQ(classes_of({"yes", "no"}), (std::vector<std::string>{"no", "yes"}));
  EXPECT_EQ(classes_of({"1.5", "-2", "0"}, "multiclass"), (std::vector<std::string>{"-2", "0", "1.5"}));
  EXPECT_TRUE(classes_of({"1.5", "-2", "0"}).empty());
}

TEST(Schema, TheTaskGivenIsTheTask) {
  const auto infer = [](const std::vector<std::string>& targets, const std::string& task) {
    return infer_schema(with_targets(targets), {.target = "y", .task = task}).schema.task;
  };
  EXPECT_EQ(infer(counting(20, 2), "regression"), Task::regression);
  EXPECT_EQ(infer(counting(20, 2), "multiclass"), Task::multiclass);
  EXPECT_EQ(infer({"1.5", "2.5"}, "binary"), Task::binary);
  expect_error<DataError>([&] { infer({"a", "b", "c"}, "binary"); }, {"'y'", "3 values"});
  expect_error<DataError>([&] { infer({"1", "b", "3"}, "regression"); }, {"line 3", "'y'", "'b'"});
  expect_error<UsageError>([&] { infer({"1", "2"}, "guess"); }, {"task", "regression"});
  const auto typed = [](const char* kind, const char* task) {
    const TableOptions options{.target = "y", .types = {{"y", {std::string(kind)}}}, .task = task};
    return infer_schema(with_targets(counting(200, 40)), options).schema.task;
  };
  EXPECT_EQ(typed("category", "auto"), Task::multiclass);
  EXPECT_EQ(typed("number", "auto"), Task::regression);
  expect_error<UsageError>([&] { typed("category", "regression"); }, {"regression"});
}

TEST(Schema, ATargetOfOneValueCannotBePredicted) {
  expect_error<DataError>([] { task_of({"1", "1.0"}); }, {"'y'", "one value"});
  expect_error<DataError>([] { task_of({"?", ""}); }, {"no value"});
}

TEST(Schema, ColumnsAreNumbersOrCategoriesAndConstantsAreLeftOut) {
  const Table table = table_of("n,c,mixed,one,none,w,y\n1,a,1,k,,1,0.5\n2.5,b,x,k,NA,2,1\n?,a,2,k,?,1,7\n");
  const Inference result = infer_schema(table, {.target = "y", .weight = "w"});
  EXPECT_EQ(result.schema.features,
            (std::vector<Schema::Feature>{
                {"n", ColumnKind::number}, {"c", ColumnKind::category}, {"mixed", ColumnKind::category}}));
  EXPECT_EQ(result.rows, (std::vector<std::int64_t>{0, 1, 2}));
  for (const char* line : {"3 rows", "regression of y", "numbers: n", "c (2 levels), mixed (3 levels)",
                           "one value alone: one", "no value: none", "(impute): n (1)", "weight of a row: w"}) {
    EXPECT_TRUE(mentions(result.notes, line)) << line;
  }
}

TEST(Schema, OptionsChooseTheColumns) {
  const Table table = table_of("a,b,c,y\n1,1,x,0\n2,2,z,1\n");
  const auto names = [&](const TableOptions& options) {
    std::vector<std::string> result;
    for (const auto& feature : infer_schema(table, options).schema.features) result.push_back(feature.name);
    return result;
  };
  EXPECT_EQ(names({.target = "y", .drop = {"b"}}), (std::vector<std::string>{"a", "c"}));
  EXPECT_EQ(names({.target = "y", .features = {"c", "a"}}), (std::vector<std::string>{"a", "c"}));
  const TableOptions typed{.target = "y", .types = {{"a", {std::string("category")}}}};
  EXPECT_EQ(infer_schema(table, typed).schema.features[0].kind, ColumnKind::category);
}

TEST(Schema, NamesInOptionsAreChecked) {
  const Table table = table_of("alpha,beta,y\n1,1,0\n2,2,1\n");
  const auto expect_usage = [&](const TableOptions& options, std::initializer_list<std::string_view> words) {
    expect_error<UsageError>([&] { (void)infer_schema(table, options); }, words);
  };
  expect_usage({}, {"no target", "alpha, beta, y"});
  expect_usage({.target = "alpa"}, {"'alpa'", "'alpha'"});
  expect_usage({.target = "y", .drop = {"betta"}}, {"drop", "'beta'"});
  expect_usage({.target = "y", .features = {"Alpha"}}, {"features", "'alpha'"});
  expect_usage({.target = "y", .types = {{"bet", {std::string("number")}}}}, {"types", "'beta'"});
  expect_usage({.target = "y", .types = {{"beta", {std::string("words")}}}}, {"beta = \"words\"", "category"});
  expect_usage({.target = "y", .weight = "zzzzzz"}, {"weight", "alpha, beta, y"});
  expect_usage({.target = "y", .drop = {"y"}}, {"'y'", "target"});
  expect_usage({.target = "y", .features = {"alpha"}, .drop = {"alpha"}}, {"'alpha'", "features", "drop"});
  expect_usage({.target = "y", .weight = "y"}, {"target and weight"});
  expect_usage({.target = "y", .missing = "ignore"}, {"missing", "impute"});
  expect_error<DataError>(
      [&] {
        (void)infer_schema(table, {.target = "y", .drop = {"alpha", "beta"}});
      },
      {"no column"});
}

/// Numbers in brackets or with a Unicode minus are values, so the hint must not say to leave these cells blank.
TEST(Schema, TheHintKeepsCellsWithDigits) {
  const auto hint_of = [](const std::string& other) {
    std::string text = "x,y\n";
    for (int i = 0; i < 20; ++i)
      text += (i % 4 == 0 ? other : std::to_string(i) + ".5") + "," + std::to_string(i) + ".5\n";
    const auto warnings = infer_schema(table_of(text), {.target = "y"}).warnings;
    return warnings.empty() ? "" : warnings.front();
  };
  EXPECT_NE(hint_of("(1.5)").find("write such cells as the others are"), std::string::npos) << hint_of("(1.5)");
  EXPECT_NE(hint_of("\xe2\x88\x92 1.5").find("write such cells as"), std::string::npos);
  EXPECT_NE(hint_of("none").find("leave such cells blank"), std::string::npos);
}

TEST(Schema, NumbersWithAUnitAreReported) {
  const auto table_with = [](const std::string& before, const std::string& after) {
    std::string text = "x,y\n";
    for (int i = 0; i < 30; ++i)
      text += before + std::to_string(7 * i) + ".5" + after + "," + std::to_string(i) + ".5\n";
    return table_of(text);
  };
  for (const auto& [before, after] : {std::pair("$", ""), {"", " kg"}, {"\xe2\x82\xac ", ""}, {"-$", ""}}) {
    const Table table = table_with(before, after);
    expect_error<DataError>([&] { (void)infer_schema(table, {.target = "y"}); },
                            {"no column is left", "x: every cell is a number with", "keep only the numbers"});
    const Inference found = infer_schema(table, {.target = "x"});
    ASSERT_FALSE(found.warnings.empty()) << before << after;
    EXPECT_NE(found.warnings.front().find("x: every cell is a number with"), std::string::npos) << before << after;
  }
  std::string levels = "x,y\n";  // so many that each would get a warning of its own
  for (int i = 0; i < 180; ++i) levels += std::to_string(i / 3) + " kg," + std::to_string(i) + ".5\n";
  const Inference found = infer_schema(table_of(levels), {.target = "y"});
  ASSERT_EQ(found.warnings.size(), 1U);
  EXPECT_NE(found.warnings.front().find("keep only the numbers"), std::string::npos) << found.warnings.front();
  for (const std::string name : {"A", "row "})
    EXPECT_TRUE(infer_schema(table_with(name, ""), {.target = "x"}).warnings.empty()) << name;
}

TEST(Schema, AnUnknownSeparatorIsReported) {
  expect_error<UsageError>([] { (void)infer_schema(table_of("x|y\n1|2\n3|4\n"), {.target = "y"}); },
                           {"'x|y'", "separated by comma, semicolon or tab"});
}

TEST(Schema, OnlyRowsOfWeightZeroIsAnError) {
  const Inference found = infer_schema(table_of("x,w,y\n1,1,2\n2,1,4\n3,1,5\n"), {.target = "y", .weight = "w"});
  expect_error<DataError>([&] { (void)usable_rows(table_of("x,w,y\n1,0,2\n2,0,3\n"), found.schema); },
                          {"no row has a weight above 0 in 'w'"});
}

TEST(Schema, AFewTextsAmongNumbersAreAMistake) {
  std::string text = "x,y\n";
  for (int i = 0; i < 19; ++i) text += std::to_string(i) + "," + std::to_string(i) + ".5\n";
  const Table table = table_of(text + "12;5,3\n");
  expect_error<DataError>([&] { (void)infer_schema(table, {.target = "y"}); }, {"t.csv, line 21", "'x'", "'12;5'"});
  const TableOptions typed{.target = "y", .types = {{"x", {std::string("category")}}}};
  EXPECT_EQ(infer_schema(table, typed).schema.features[0].kind, ColumnKind::category);
  const TableOptions numbers{.target = "y", .types = {{"c", {std::string("number")}}}};
  expect_error<DataError>([&] { (void)infer_schema(table_of("c,y\nred,1\nblue,2\n"), numbers); }, {"line 2", "'red'"});
}

TEST(Schema, MissingValuesAreImputedRejectedOrDropped) {
  const Table table = table_of("a,b,y\n1,x,0\n?,x,1\n3,,1\n4,z,\n5,z,0\n");
  const auto rows = [&](const char* policy) { return infer_schema(table, {.target = "y", .missing = policy}).rows; };
  EXPECT_EQ(rows("impute"), (std::vector<std::int64_t>{0, 1, 2, 4}));
  EXPECT_EQ(rows("drop"), (std::vector<std::int64_t>{0, 4}));
  expect_error<DataError>([&] { rows("reject"); }, {"line 3", "'a'", "no value"});
  EXPECT_TRUE(mentions(infer_schema(table, {.target = "y"}).warnings, "rows without y, left out: 1"));
  expect_error<DataError>(
      [] { (void)infer_schema(table_of("a,b,y\n?,1,0\n1,?,1\n?,2,0\n2,?,2\n"), {.target = "y", .missing = "drop"}); },
      {"no row"});
}

TEST(Schema, WeightsAreNotNegative) {
  const auto infer = [](const std::string& weight) {
    return infer_schema(table_of("x,w,y\n1,1,0\n2," + weight + ",1\n"), {.target = "y", .weight = "w"});
  };
  EXPECT_EQ(infer("0.5").schema.weight, "w");
  for (const char* weight : {"-1", "inf", "much", ""}) {
    expect_error<DataError>([&] { infer(weight); }, {"line 3", "'w'", "0 or more"});
  }
  expect_error<DataError>([] { (void)infer_schema(table_of("x,w,y\n1,0,0\n2,0,1\n"), {.target = "y", .weight = "w"}); },
                          {"'w'"});
}

TEST(Schema, IdentifiersAndManyLevelsAreWarnedAbout) {
  std::string text = "id,code,level,real,y\n";
  for (int i = 0; i < 120; ++i) {
    text += fmt::format("{},c{},l{},{}.5,{}\n", 1000 + i, i, i % 60, i, i % 2);
  }
  const Inference result = infer_schema(table_of(text), {.target = "y"});
  ASSERT_EQ(result.warnings.size(), 2U);
  EXPECT_TRUE(mentions(result.warnings, "id is different in every row"));
  EXPECT_TRUE(mentions(result.warnings, "level has 60 levels"));
  EXPECT_TRUE(mentions(result.notes, "a name for each row: code")) << "text that is different in each row is left out";
  const TableOptions kept{.target = "y", .types = {{"code", {std::string("category")}}}};
  EXPECT_TRUE(mentions(infer_schema(table_of(text), kept).notes, "code (120 levels)"));
}

TEST(Schema, AColumnThatIsMostlyMissingIsNotCalledAnIdentifier) {
  std::string text = "rare,x,y\n";
  for (int i = 0; i < 120; ++i) text += fmt::format("{},{}.5,{}\n", i % 5 == 0 ? fmt::format("{}", i) : "", i, i % 2);
  EXPECT_TRUE(infer_schema(table_of(text), {.target = "y"}).warnings.empty());
}

/// The schema of 100 rows with one feature x, whose cells are `cell(row)`.
Inference of_cells(const std::function<std::string(int)>& cell, char separator = ',') {
  std::string text = fmt::format("x{}y\n", separator);
  for (int i = 0; i < 100; ++i) text += fmt::format("\"{}\"{}{}\n", cell(i), separator, i % 2);
  return infer_schema(table_of(text), {.target = "y"});
}

TEST(Schema, TheFormOfNumbersIsRecognisedAndReported) {
  const Inference comma = of_cells([](int i) { return fmt::format("{},{:03}", i % 3, i); }, ';');
  EXPECT_EQ(comma.schema.features[0].kind, ColumnKind::number);
  EXPECT_EQ(comma.schema.features[0].form, (NumberForm{',', '\0', false}));
  EXPECT_TRUE(mentions(comma.notes, "decimal commas"))
      << "in a table with semicolons, the comma in 1,234 is a decimal comma";
  const Inference thousands = of_cells([](int i) { return fmt::format("{},{:03}", i % 3 + 1, i); });
  EXPECT_EQ(thousands.schema.features[0].form, (NumberForm{'.', ',', false}));
  EXPECT_TRUE(mentions(thousands.notes, "thousands"));
  const Inference percent = of_cells([](int i) { return fmt::format("{}.5%", i); });
  EXPECT_EQ(percent.schema.features[0].form, (NumberForm{'.', '\0', true}));
  EXPECT_TRUE(mentions(percent.notes, "percent"));
  const Inference dots = of_cells([](int i) { return fmt::format("1.{:03}.000,5", i); });
  EXPECT_EQ(dots.schema.features[0].form, (NumberForm{',', '.', false}));
  const Inference mixed = of_cells([](int i) { return i % 2 ? fmt::format("1,{:03}", i) : fmt::format("{}", i); });
  EXPECT_EQ(mixed.schema.features[0].form, (NumberForm{'.', ',', false}));
}

TEST(Schema, ATargetInAFormIsANumber) {
  std::string text = "x,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},\"{},{:03}\"\n", i, 100 + i, i);
  const Table table = table_of(text);
  const Inference result = infer_schema(table, {.target = "y"});
  EXPECT_EQ(result.schema.task, Task::regression);
  EXPECT_EQ(number_at(table, 3, 1, result.schema.target_form), 103003.0);
}

TEST(Schema, TheFormOfNumbersCanBeGiven) {
  const Table table = table_of("x,y\n\"1,234\",0\n\"2,345\",1\n");
  const auto form = [&](const char* word) {
    return infer_schema(table, {.target = "y", .types = {{"x", {std::string(word)}}}}).schema.features[0].form;
  };
  EXPECT_EQ(form("number").group, ',');
  EXPECT_EQ(form("decimal_comma"), (NumberForm{',', '\0', false}));
  expect_error<DataError>([&] { form("thousands_space"); }, {"line 2", "'1,234'"});
}

TEST(Schema, DatesAreRecognisedInTheirOrder) {
  const auto order = [](const std::function<std::string(int)>& cell) {
    const Inference result = of_cells(cell);
    EXPECT_EQ(result.schema.features[0].kind, ColumnKind::date);
    EXPECT_TRUE(mentions(result.notes, "dates"));
    return result.schema.features[0].order;
  };
  EXPECT_EQ(order([](int i) { return fmt::format("20{:02}-{:02}-07 12:30", i % 30, i % 12 + 1); }),
            DateOrder::year_month_day);
  EXPECT_EQ(order([](int i) { return fmt::format("{}.{}.2020", i % 28 + 1, i % 12 + 1); }), DateOrder::day_month_year);
  EXPECT_EQ(order([](int i) { return fmt::format("{}/{}/2020", i % 28 + 1, i % 12 + 1); }), DateOrder::day_month_year)
      << "25/1 is not a date if the month comes first";
  EXPECT_EQ(order([](int i) { return fmt::format("{}/{}/20{:02}", i % 12 + 1, i % 11 + 1, i % 30); }),
            DateOrder::month_day_year);
  EXPECT_EQ(order([](int i) { return fmt::format("{}/{}/{:02}", i % 28 + 1, i % 12 + 1, i % 5); }),
            DateOrder::day_month_year);
  EXPECT_EQ(order([](int i) { return fmt::format("{} Mar {}", i % 28 + 1, 1990 + i % 9); }), DateOrder::day_month_year);
  EXPECT_EQ(order([](int i) { return fmt::format("May {}, {}", i % 28 + 1, 1990 + i % 9); }),
            DateOrder::month_day_year);
  expect_error<DataError>(
      [&] { order([](int i) { return i == 7 ? "2020-02-30" : fmt::format("2020-02-{:02}", i % 29 + 1); }); },
      {"line 9", "'2020-02-30'"});
}

TEST(Schema, DatesWithAnAmbiguousOrderAreReported) {
  const auto both_ways = [](const std::function<std::string(int)>& cell) {
    return mentions(of_cells(cell).warnings, "can be read both ways");
  };
  const auto slashes = [](int i) { return fmt::format("{:02}/{:02}/2020", i % 12 + 1, i % 11 + 1); };
  EXPECT_TRUE(mentions(of_cells(slashes).warnings,
                       "x: every date can be read both ways; the month was taken to come "
                       "first. Hint: --type=x=date_dmy, if the day does."));
  EXPECT_TRUE(both_ways([](int i) { return fmt::format("{:02}-{:02}-2020", i % 12 + 1, i % 11 + 1); }));
  EXPECT_FALSE(both_ways([](int i) { return fmt::format("{}/{}/2020", i % 12 + 1, i % 28 + 1); }));
  EXPECT_FALSE(both_ways([](int i) { return fmt::format("{0}/{0}/2020", i % 12 + 1); }))
      << "both orders give the same day";
  EXPECT_FALSE(both_ways([](int i) { return fmt::format("1.{}.2020", i % 12 + 1); }))
      << "with points the day comes first";
  EXPECT_FALSE(both_ways([](int i) { return fmt::format("2020-{:02}-01", i % 12 + 1); }));
  std::string text = "d,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},{}\n", slashes(i), i % 2);
  const TableOptions said{.target = "y", .types = {{"d", {std::string("date_mdy")}}}};
  EXPECT_FALSE(mentions(infer_schema(table_of(text), said).warnings, "both ways"));
}

TEST(Schema, TheCenturyOfShortYearsIsReported) {
  const auto notes = [](const char* form) {
    return of_cells([=](int i) { return fmt::format(fmt::runtime(form), i % 28 + 1, i % 12 + 1, i % 7 + 10); }).notes;
  };
  EXPECT_TRUE(mentions(notes("{}.{}.{}"), "dates (day_month_year, years of two digits from 1969 to 2068): x"));
  EXPECT_TRUE(mentions(notes("{}.{}.20{}"), "dates (day_month_year): x"));
}

TEST(Schema, DatesWhoseYearMayComeFirstAreReported) {
  const auto year_first = [](int i) { return fmt::format("2{}-{:02}-{:02}", i % 3, i % 12 + 1, i % 28 + 1); };
  const Inference found = of_cells(year_first);
  EXPECT_EQ(found.schema.features[0].order, DateOrder::day_month_year);
  EXPECT_TRUE(mentions(found.warnings,
                       "x: every date can be read with the year first, too; its two digits were taken to come last. "
                       "Hint: --type=x=date_ymd, if they come first."));
  EXPECT_FALSE(
      mentions(of_cells([](int i) { return fmt::format("{:02}-{:02}-2{}", i % 28 + 1, i % 12 + 1, i % 3); }).warnings,
               "year first"))
      << "the last two digits have fewer values than the first, as years have";
  std::string text = "x,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},{}\n", year_first(i), i % 2);
  const TableOptions said{.target = "y", .types = {{"x", {std::string("date_ymd")}}}};
  EXPECT_EQ(infer_schema(table_of(text), said).schema.features[0].order, DateOrder::year_month_day);
}

TEST(Schema, NumbersThatMayBeDatesAreReported) {
  const auto digits = [](int i) { return fmt::format("20{:02}{:02}{:02}", i % 30, i % 12 + 1, i % 28 + 1); };
  EXPECT_TRUE(mentions(of_cells(digits).warnings, "--type=x=date, if they are dates"));
  EXPECT_FALSE(mentions(of_cells([](int i) { return fmt::format("200013{:02}", i); }).warnings, "=date"));
  std::string text = "x,y\n";
  for (int i = 0; i < 40; ++i) text += fmt::format("{},{}\n", digits(i), i % 2);
  const TableOptions said{.target = "y", .types = {{"x", {std::string("date")}}}};
  EXPECT_EQ(infer_schema(table_of(text), said).schema.features[0].kind, ColumnKind::date);
}

TEST(Schema, PointsThatMayBeThousandsSeparatorsAreReported) {
  const auto doubted = [](const std::string& text) {
    return mentions(infer_schema(table_of(text), {.target = "y"}).warnings, "three digits behind each point");
  };
  std::string prices = "p;a;y\n", no_commas = "p;y\n", points = "p;a;y\n", commas = "p,a,y\n", large = "p;a;y\n";
  for (int i = 0; i < 40; ++i) {
    const std::string price = i % 3 ? fmt::format("{}.{:03}", i % 4 + 1, i * 7) : fmt::format("{}", 900 + i);
    prices += fmt::format("{};{},5;{}\n", price, i, i % 2);
    no_commas += fmt::format("{};{}\n", price, i % 2);
    points += fmt::format("{};{}.5;{}\n", price, i, i % 2);
    commas += fmt::format("{},{},{}\n", price, i, i % 2);
    large += fmt::format("{};{},5;{}\n", i == 20 ? "1500" : price, i, i % 2);
  }
  EXPECT_TRUE(doubted(prices));
  EXPECT_TRUE(doubted(no_commas));
  EXPECT_FALSE(doubted(points)) << "another column has decimal points";
  EXPECT_FALSE(doubted(commas)) << "in a table with commas, a point is a decimal point";
  EXPECT_FALSE(doubted(large)) << "1500 is written without a thousands separator";
  EXPECT_FALSE(mentions(of_cells([](int i) { return fmt::format("0.{:03}", i); }, ';').warnings, "three digits"));
}

TEST(Schema, NumbersBeyondF32AreRefusedExceptLongDigitsThatMayBeNames) {
  const auto large = [](int i) { return fmt::format("{}.5e299", i + 1); };
  expect_error<DataError>([&] { (void)of_cells(large); }, {"line 2", "'1.5e299'", "beyond 3.4e38"});
  const auto names = [](int i) { return fmt::format("9{:040}", i); };
  EXPECT_NO_THROW(
      (void)infer_schema(table_of("x,n,y\n1,9" + names(1) + ",0\n2,9" + names(2) + ",1\n"), {.target = "y"}))
      << "cells of digits only may be names";
}

TEST(Schema, LeadingZerosAreReported) {
  const auto zip = [](int i) { return fmt::format("{:05}", i * 997); };
  EXPECT_TRUE(mentions(of_cells(zip).warnings,
                       "x: leading zeros, and taken as numbers: are they names? Hint: "
                       "--type=x=category."));
  EXPECT_FALSE(mentions(of_cells([](int i) { return fmt::format("{}", i * 997); }).warnings, "leading"));
  EXPECT_FALSE(mentions(of_cells([](int i) { return fmt::format("0{}.5", i); }).warnings, "leading"));
}

TEST(Schema, AFirstLineOfNumbersIsReportedAsAPossibleRow) {
  const auto doubted = [](const std::string& header) {
    std::string text = header + "\n";
    for (int i = 0; i < 40; ++i) text += fmt::format("{}.5,{},{}.25\n", i, "uvw"[i % 3], i * 3);
    const std::string target = header.substr(header.rfind(',') + 1);
    return mentions(infer_schema(table_of(text), {.target = target}).warnings, "--no-header");
  };
  EXPECT_TRUE(doubted("0.1257,c,1.6978"));
  EXPECT_FALSE(doubted("0.1257,c,y"));
  EXPECT_FALSE(doubted("2019,c,2020")) << "these are years, which are common column names";
}

TEST(Schema, ColumnsOfTextAreLeftOutWithANote) {
  const Inference result = [&] {
    std::string text = "review,n,y\n";
    for (int i = 0; i < 60; ++i) text += fmt::format("it was a day of {} and {},{}.5,{}\n", i % 40, i % 7, i, i % 2);
    return infer_schema(table_of(text), {.target = "y"});
  }();
  ASSERT_EQ(result.schema.features.size(), 1U);
  EXPECT_EQ(result.schema.features[0].name, "n");
  EXPECT_TRUE(mentions(result.notes, "left out, text or a name for each row: review"));
}

TEST(Schema, LabelsKeepTheirText) {
  const std::vector<std::string> ids{"9007199254740992", "9007199254740993", "10000000000000000"};
  std::vector<std::string> targets;
  for (int i = 0; i < 60; ++i) targets.push_back(ids[static_cast<std::size_t>(i % 3)]);
  EXPECT_EQ(classes_of(targets), ids) << "numbers that are equal as f64";
  const Table table = with_targets(targets);
  const Inference inference = infer_schema(table, {.target = "y"});
  EXPECT_EQ(class_labels(table, inference.schema, std::vector<std::int64_t>{0, 1, 2}),
            (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(Schema, DifferentSpellingsOfANumberAreReported) {
  std::vector<std::string> targets;
  for (int i = 0; i < 60; ++i) targets.emplace_back(i % 3 == 0 ? "01" : i % 3 == 1 ? "2" : "2.0");
  const Table table = with_targets(targets);
  const Inference told = infer_schema(table, {.target = "y"});
  EXPECT_EQ(told.schema.classes, (std::vector<std::string>{"2", "01"})) << "the rarer class is the second";
  EXPECT_TRUE(mentions(told.warnings, "'2', '2.0' are the same number, and so one class '2'"));
  EXPECT_EQ(class_labels(table, told.schema, std::vector<std::int64_t>{0, 1, 2}), (std::vector<std::int32_t>{1, 0, 0}));
  const Inference said = infer_schema(table, {.target = "y", .types = {{"y", {std::string("category")}}}});
  EXPECT_EQ(said.schema.classes, (std::vector<std::string>{"01", "2", "2.0"}));
  EXPECT_TRUE(mentions(said.warnings, "'2' and '2.0' are two classes, but the same number"));
  EXPECT_EQ(class_labels(table, said.schema, std::vector<std::int64_t>{0, 1, 2}), (std::vector<std::int32_t>{0, 1, 2}));
  const Inference feature = infer_schema(table_of("zip,y\n02139,0\n2139,1\n02139,1\n"),
                                         {.target = "y", .types = {{"zip", {std::string("category")}}}});
  EXPECT_TRUE(mentions(feature.warnings, "zip: '02139' and '2139' are two levels, but the same number"));
}

TEST(Schema, ThePositiveClassIsTheRarerOneOrTheOneGivenAndIsReported) {
  std::vector<std::string> targets;
  for (int i = 0; i < 30; ++i) targets.emplace_back(i % 10 == 0 ? "Fraud" : "Normal");
  const Table text = with_targets(targets);
  const Inference told = infer_schema(text, {.target = "y"});
  EXPECT_EQ(told.schema.classes, (std::vector<std::string>{"Normal", "Fraud"}));
  EXPECT_TRUE(mentions(told.notes, "binary of y (Normal, Fraud); positive: Fraud (3 of 30 rows)"));
  EXPECT_EQ(class_labels(text, told.schema, std::vector<std::int64_t>{0, 1}), (std::vector<std::int32_t>{1, 0}));
  for (std::string& target : targets) target = target == "Fraud" ? "1" : "0";
  EXPECT_EQ(infer_schema(with_targets(targets), {.target = "y"}).schema.classes, (std::vector<std::string>{"0", "1"}));
  const Inference named = infer_schema(text, {.target = "y", .positive = "Normal"});
  EXPECT_EQ(named.schema.classes, (std::vector<std::string>{"Fraud", "Normal"}));
  EXPECT_TRUE(mentions(named.notes, "positive: Normal (27 of 30 rows, as asked)"));
  EXPECT_EQ(classes_of({"b", "a"}), (std::vector<std::string>{"a", "b"}))
      << "classes with the same number of rows keep their order";
  expect_error<UsageError>([&] { (void)infer_schema(text, {.target = "y", .positive = "fraud"}); },
                           {"Normal", "Fraud"});
  expect_error<UsageError>(
      [&] { (void)infer_schema(with_targets(counting(100, 3)), {.target = "y", .positive = "1"}); }, {"multiclass"});
}

TEST(Schema, RowsOfWeightZeroAreIgnored) {
  const std::string rows = "1,a,0.5,1\n2,b,1.5,2\n3,a,2.5,1\n";
  const Table removed = table_of("n,c,y,w\n" + rows),
              zero = table_of("n,c,y,w\n1e9,zebra,1e30,0\n" + rows + "?,,7,0\nfar,b,8,0\n");
  const TableOptions options{.target = "y", .weight = "w"};
  EXPECT_EQ(infer_schema(zero, options).schema, infer_schema(removed, options).schema);
  EXPECT_EQ(infer_schema(zero, options).rows, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_TRUE(mentions(infer_schema(zero, options).notes, "0 in 3 rows"));
}

TEST(Schema, ColumnNamesMayHaveCommas) {
  const Table table = table_of("\"a,b\",c,y\n1,1,0\n2,3,1\n");
  const auto left = [&](const TableOptions& options) { return infer_schema(table, options).schema.features[0].name; };
  EXPECT_EQ(left({.target = "y", .drop = {"a", "b"}}), "c") << "--drop 'a,b' gives two names";
  EXPECT_EQ(left({.target = "y", .features = {"a,b"}}), "a,b");
}

TEST(Schema, ManyColumnsAreDescribedInOneLinePerKind) {
  std::string header = "y", row = "\n1", other = "\n2.5";
  for (int i = 0; i < 2000; ++i) {
    header += fmt::format(",column{}", i);
    row += ",1";
    other += ",2";
  }
  const Table table = table_of(header + row + other + "\n");
  for (const std::string& note : infer_schema(table, {.target = "y"}).notes) EXPECT_LT(note.size(), 400U);
  expect_error<UsageError>([&] { (void)infer_schema(table, {.target = "none of these"}); }, {"none of these"});
}

TEST(Schema, LabelsAreIndicesOfClasses) {
  const Table table = with_targets({"10", "9", "10.0", "11"});
  const Inference result = infer_schema(table, {.target = "y", .task = "multiclass"});
  EXPECT_EQ(class_labels(table, result.schema, result.rows), (std::vector<std::int32_t>{1, 0, 1, 2}));
  const std::vector<std::int64_t> last{3};
  EXPECT_EQ(class_labels(table, result.schema, last), std::vector<std::int32_t>{2});
  expect_error<DataError>(
      [&] {
        (void)class_labels(with_targets({"9", "8"}), result.schema, std::vector<std::int64_t>{1});
      },
      {"line 3", "'y'", "'8'", "9, 10, 11"});
  const Table real = with_targets({"0.5", "1.5"});
  EXPECT_TRUE(class_labels(real, infer_schema(real, {.target = "y"}).schema, last).empty());
}

TEST(Schema, EveryOptionHasADescription) {
  TableOptions options;
  read_fields(options.fields(), {{"target", {std::string("y")}}, {"drop", {OptionList{{std::string("b")}}}}}, "data");
  EXPECT_EQ(options.target, "y");
  EXPECT_EQ(options.drop, std::vector<std::string>{"b"});
  expect_error<UsageError>(
      [&] {
        read_fields(options.fields(), {{"separater", {std::string("tab")}}}, "data");
      },
      {"'separater'", "'separator'"});
  for (const Field& field : options.fields()) EXPECT_FALSE(field.doc.empty()) << field.name;
}

}  // namespace
}  // namespace thalweg::data
