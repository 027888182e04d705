#include "data/csv.hpp"

#include <unistd.h>
#include <algorithm>

#include <array>
#include <thread>

#include "core/random.hpp"
#include "core/utf8.hpp"
#include "data/table.hpp"
#include "files.hpp"
#include "gzip.hpp"

namespace thalweg::data {
namespace {

using test::expect_error;
using test::TempFolder;
using Rows = std::vector<std::vector<std::string>>;

class Csv : public ::testing::Test {
 protected:
  /// The header and the rows of a CSV text.
  Rows read(std::string_view text, std::optional<char> separator = {}) {
    CsvReader reader(folder.write("t.csv", text), separator);
    Rows rows{reader.header()};
    while (reader.next()) rows.emplace_back(reader.cells().begin(), reader.cells().end());
    return rows;
  }
  std::vector<std::int64_t> lines(std::string_view text) {
    CsvReader reader(folder.write("t.csv", text));
    std::vector<std::int64_t> result;
    while (reader.next()) result.push_back(reader.line());
    return result;
  }
  void expect_refused(std::string_view text, std::initializer_list<std::string_view> words) {
    expect_error<DataError>([&] { read(text); }, words);
    expect_error<DataError>([&] { read(text); }, {"t.csv"});
  }
  TempFolder folder;
};

TEST_F(Csv, CommaSemicolonAndTabAreRecognised) {
  const Rows wanted{{"a", "b"}, {"1", "2"}, {"", "x"}};
  EXPECT_EQ(read("a,b\n1,2\n,x\n"), wanted);
  EXPECT_EQ(read("a;b\n1;2\n;x\n"), wanted);
  EXPECT_EQ(read("a\tb\n1\t2\n\tx\n"), wanted);
  EXPECT_EQ(read("\"a,a,a\";b\n1,5;2\n"), (Rows{{"a,a,a", "b"}, {"1,5", "2"}}));
  EXPECT_EQ(read("a,b;c\n1,2;3\n", ';'), (Rows{{"a,b", "c"}, {"1,2", "3"}}));
  EXPECT_EQ(read("one\n1\n2\n"), (Rows{{"one"}, {"1"}, {"2"}}));
}

/// Spreadsheet programs write and read a first line `sep=;`.
TEST_F(Csv, TheFirstLineMayNameTheSeparator) {
  const Rows wanted{{"a", "b,c"}, {"1", "2"}};
  EXPECT_EQ(read("sep=;\na;b,c\n1;2\n"), wanted);
  EXPECT_EQ(read("\xef\xbb\xbfsep=|\r\na|b,c\r\n1|2\r\n"), wanted);
  EXPECT_EQ(read("sep=,\na,\"b,c\"\n1,2\n"), wanted);
  EXPECT_EQ(lines("sep=;\na;b\n1;2\n3;4\n"), (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(read("sep=x\n1\n"), (Rows{{"sep=x"}, {"1"}}));
}

TEST_F(Csv, AnEmptyLineIsABlankCellWhereThereIsOneColumn) {
  const Rows wanted{{"x"}, {"1"}, {""}, {"3"}, {""}, {"5"}};
  for (const std::string_view text :
       {"x\n1\n\n3\n\n5\n", "x\r\n1\r\n\r\n3\r\n  \r\n5", "\n\nx\r1\r\r3\r\r5\r", "x\n1\n\"\"\n3\n\n5\n"}) {
    EXPECT_EQ(read(text), wanted) << text;
  }
  EXPECT_EQ(lines("x\n1\n\n\n4\n"), (std::vector<std::int64_t>{2, 3, 4, 5}));
}

TEST_F(Csv, WithoutAHeaderColumnsAreNumbered) {
  CsvReader reader(folder.write("t.csv", "\n1,a\n2,b\n"), {}, false);
  EXPECT_EQ(reader.header(), (std::vector<std::string>{"column 1", "column 2"}));
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.cells()[1], "a");
  EXPECT_EQ(reader.line(), 2);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.cells()[0], "2");
  EXPECT_FALSE(reader.next());
}

TEST_F(Csv, AGzipFileIsDecompressed) {
  std::string text = "a,b\n";
  for (int i = 0; i < 50'000; ++i) text += std::to_string(i) + ",x\n";
  const std::string packed = test::gzip(text);
  CsvReader reader(folder.write("t.csv.gz", packed));
  for (int i = 0; i < 50'000; ++i) {
    ASSERT_TRUE(reader.next());
    ASSERT_EQ(reader.cells()[0], std::to_string(i));
  }
  EXPECT_FALSE(reader.next());
  expect_refused(packed.substr(0, packed.size() / 2), {"cut short"});
}

TEST_F(Csv, NamesInAListMayBeQuoted) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(split_names("a,b,c"), (Names{"a", "b", "c"}));
  EXPECT_EQ(split_names("\"a,b\",c"), (Names{"a,b", "c"}));
  EXPECT_EQ(split_names("\"q\"\"q\",x"), (Names{"q\"q", "x"}));
  EXPECT_EQ(split_names("q\"q"), (Names{"q\"q"}));
  EXPECT_EQ(split_names("x=1,p.q, y z"), (Names{"x=1", "p.q", " y z"}));
}

TEST_F(Csv, EndsOfLinesAndByteOrderMarksDoNotMatter) {
  const Rows wanted{{"a", "b"}, {"1", "2"}, {"3", "4"}};
  for (const std::string_view text :
       {"a,b\n1,2\n3,4\n", "a,b\n1,2\n3,4", "a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4\r",
        "\xef\xbb\xbf"
        "a,b\n1,2\n3,4\n",
        "\n\na,b\n1,2\n\n3,4\n\n", "\r\n\r\na,b\r\n  \r\n1,2\r\n3,4", " a , b\n1 , 2\n 3,4 \n"}) {
    EXPECT_EQ(read(text), wanted) << text;
  }
}

TEST_F(Csv, QuotedNewlinesStayInTheField) {
  EXPECT_EQ(read("a,b\n\"one\ntwo\",\"x\r\ny\"\n"), (Rows{{"a", "b"}, {"one\ntwo", "x\r\ny"}}));
  EXPECT_EQ(read("\"a\nname\",b\n1,2\n"), (Rows{{"a\nname", "b"}, {"1", "2"}}));
}

TEST_F(Csv, QuotesAreDoubledInsideQuotes) {
  EXPECT_EQ(read("a,b\n\"say \"\"hi\"\"\",\"\"\n\" x \",\"1,2\"\n"),
            (Rows{{"a", "b"}, {"say \"hi\"", ""}, {" x ", "1,2"}}));
}

TEST_F(Csv, ARowHasItsLineNumber) {
  EXPECT_EQ(lines("a,b\n1,2\n\n3,4\n"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(lines("a,b\r\n1,2\r\n\r\n3,4\r\n"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(lines("a,b\r1,2\r\r3,4\r"), (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(lines("a,b\n\"1\n1\n1\",2\n3,\"4\r\n4\"\n5,6"), (std::vector<std::int64_t>{2, 5, 7}));
}

TEST_F(Csv, RowsAcrossChunksAreWhole) {
  std::string text = "number,text\n";
  constexpr int rows = 50'000;
  for (int i = 0; i < rows; ++i) text += std::to_string(i) + ",\"line\nof " + std::to_string(i) + "\"\r\n";
  CsvReader reader(folder.write("long.csv", text));
  for (int i = 0; i < rows; ++i) {
    ASSERT_TRUE(reader.next());
    ASSERT_EQ(reader.cells()[0], std::to_string(i));
    ASSERT_EQ(reader.cells()[1], "line\nof " + std::to_string(i));
    ASSERT_EQ(reader.line(), 2 + 2 * i);
  }
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.next());
}

TEST_F(Csv, ARaggedRowIsReportedAfterTheRowsBeforeIt) {
  CsvReader reader(folder.write("t.csv", "a,b\n1,2\n\"x\ny\",3,4\n5,6\n"));
  EXPECT_TRUE(reader.next());
  expect_error<DataError>([&] { reader.next(); }, {"t.csv, line 3", "3 cells", "first line has 2"});
  expect_refused("a,b\n1\n", {"line 2", "1 cell,"});
  expect_refused("My table\n\na,b\n1,2\n", {"line 3", "2 cells", "take away what is above"});
}

TEST_F(Csv, EmptyFilesAreRefusedAndAHeaderAloneHasNoRows) {
  for (const std::string_view text : {"", "\n\n", "  \n", "\xef\xbb\xbf"}) expect_refused(text, {"empty"});
  EXPECT_EQ(read("a,b\n"), (Rows{{"a", "b"}}));
  EXPECT_EQ(read("a,b"), (Rows{{"a", "b"}}));
}

TEST_F(Csv, ColumnNamesMustDifferAndABlankOneIsNumbered) {
  expect_refused("a,b,a\n1,2,3\n", {"line 1", "'a'", "another name"});
  EXPECT_EQ(read(",a,\n1,2,3\n")[0], (std::vector<std::string>{"column 1", "a", "column 3"}));
}

TEST_F(Csv, AFirstLineOfNumbersIsReportedAsAMissingHeader) {
  expect_refused("\n1,2.5\n3,4\n", {"line 2", "number", "name"});
}

TEST_F(Csv, MisplacedQuotesAreReported) {
  expect_refused("a,b\n1,2\n3,\"4\n5,6\n", {"line 3", "not closed"});
  expect_refused("a,b\n1,2\n3,x\"4\n", {"line 3", "quote"});
  expect_refused("a,b\n\"1\"x,2\n", {"line 2", "quote"});
  expect_refused("\"a,b\n1,2\n", {"line 1", "not closed"});
}

TEST_F(Csv, AQuoteThatIsNeverClosedDoesNotFillTheMemory) {
  expect_refused("a,b\n1,\"" + std::string(70 << 20, 'x'), {"line 2", "64 MB"});
  expect_refused("\"" + std::string(70 << 20, 'x'), {"4 MB"});
}

TEST_F(Csv, TextThatIsNotUtf8IsRefused) {
  expect_refused("a,b\n1,caf\xe9\n", {"line 2", "UTF-8", "iconv"});
  expect_refused(std::string_view("a\0,\0b\0\n\0", 8), {"zero byte"});
  EXPECT_EQ(read("größe,b\n1,日本\n"), (Rows{{"größe", "b"}, {"1", "日本"}}));
}

TEST(Utf8, FollowsTheStandard) {
  for (const char* good :
       {"", "abc", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf",
                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe2\x82", "a\xe2\x82z"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST_F(Csv, MissingFilesAreUsageErrors) {
  expect_error<UsageError>([&] { CsvReader reader(folder / "nowhere.csv"); }, {"nowhere.csv"});
  expect_error<UsageError>([&] { CsvReader reader(folder / ""); }, {"folder"});
}

TEST(CsvStream, RowsAreReturnedAsTheyArrive) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const auto say = [&](std::string_view text) {
    ASSERT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  };
  say("a,b\n1,2\n");
  CsvReader reader(ends[0], "standard input");
  ASSERT_TRUE(reader.next());  // although the writer has not closed the pipe
  EXPECT_EQ(reader.cells()[1], "2");
  say("3,");
  std::thread later([&] {
    say("4\n5,6");
    ::close(ends[1]);
  });
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.cells()[1], "4");
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.cells()[1], "6");
  EXPECT_FALSE(reader.next());
  later.join();
  ::close(ends[0]);
}

TEST_F(Csv, RandomBytesAreReadOrRefused) {
  const std::string_view alphabet =
      ",;\t\"\"\n\r \xef\xbb\xbf"
      "a1?.-\xc3\xa4\x80";
  int refused = 0;
  for (std::uint64_t round = 0; round < 1000; ++round) {
    std::string text;
    const auto size = random_words({1, 0}, round)[0] % 60;
    for (std::uint64_t i = 0; i < size; ++i) {
      const std::uint32_t draw = random_words({2, round}, i)[0];
      text += round % 3 == 0 ? static_cast<char>(draw) : alphabet[draw % alphabet.size()];
    }
    try {
      for (const auto& row : read(text)) ASSERT_FALSE(row.empty());
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
  EXPECT_LT(refused, 1000);
}

TEST_F(Csv, WhatIsWrittenIsReadBack) {
  const std::vector<std::vector<std::string_view>> rows{{"plain", "with, comma", "with \"quotes\""},
                                                        {"two\nlines", "\r", " blanks "},
                                                        {"", "\t", "ä;\""},
                                                        {"1.5", "NA", "'"}};
  for (const char separator : {',', ';', '\t'}) {
    std::string text = csv_line(std::vector<std::string_view>{"a", "b", "c"}, separator);
    for (const auto& row : rows) text += csv_line(row, separator);
    const Rows back = read(text);
    ASSERT_EQ(back.size(), rows.size() + 1);
    for (std::size_t i = 0; i < rows.size(); ++i)
      EXPECT_TRUE(std::ranges::equal(back[i + 1], rows[i])) << separator << i;
  }
  EXPECT_EQ(csv_line(std::vector<std::string_view>{"a", "b c", "1,2"}), "a,b c,\"1,2\"\n");
  EXPECT_EQ(csv_line(std::vector<std::string_view>{"", ""}), ",\n");
  EXPECT_EQ(csv_line(std::vector<std::string_view>{""}), "\"\"\n");
}

TEST_F(Csv, ATableHoldsEveryCellAndLine) {
  const Table table = read_table(folder.write("t.csv", "a,b\n1,\n\n\"x\ny\",long text\n"));
  EXPECT_EQ(table.rows(), 2);
  EXPECT_EQ(table.cell(0, 0), "1");
  EXPECT_EQ(table.cell(0, 1), "");
  EXPECT_EQ(table.cell(1, 0), "x\ny");
  EXPECT_EQ(table.cell(1, 1), "long text");
  EXPECT_EQ(table.line(1), 4);
  EXPECT_EQ(table.find("b"), 1U);
  EXPECT_EQ(table.find("c"), std::nullopt);
  expect_error<DataError>([&] { (void)read_table(folder.write("t.csv", "a,b\n")); }, {"no row"});
}

TEST_F(Csv, ATableLargerThanTheBudgetIsRefusedWithItsSize) {
  std::string text = "a,b\n";
  for (int i = 0; i < 100'000; ++i) text += "1,2\n";
  const auto path = folder.write("t.csv", text);
  expect_error<MemoryError>([&] { (void)read_table(path, {}, 300'000); }, {"t.csv", "0.4 MB", "0.3 MB"});
  expect_error<MemoryError>([&] { (void)read_table(path, {}, 1'000'000); }, {"1.0 MB"});
  EXPECT_EQ(read_table(path, {}, 10'000'000).rows(), 100'000);
}

}  // namespace
}  // namespace thalweg::data
