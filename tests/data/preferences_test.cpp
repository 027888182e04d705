// Pairs of a chosen and a rejected text, read from tables: their tokens, and bad rows, refused with file and line.

#include "data/preferences.hpp"

#include <gtest/gtest.h>

#include "core/error.hpp"
#include "temporary_folder.hpp"

namespace thalweg::data {
namespace {

class Preferences : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] std::vector<Preference> read(const std::string& rows, const PreferenceColumns& columns = {}) const {
    write("p.csv", "kind,first,first_score,second,second_score\n" + rows);
    return preferences_of(read_table(path("p.csv")), columns);
  }
  void refused(const std::string& rows, const std::string& why, const PreferenceColumns& columns = {}) const {
    try {
      (void)read(rows, columns);
      ADD_FAILURE() << why;
    } catch (const DataError& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  }
};

TEST_F(Preferences, TheTextWithTheHigherScoreIsChosen) {
  const auto pairs =
      read("tea,good,5,bad,1\ntea,\"worse \n thing\",-0.5,better,1e1\n", {.prompt = "kind", .group = "kind"});
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].chosen, "good");
  EXPECT_EQ(pairs[0].rejected, "bad");
  EXPECT_EQ(pairs[1].chosen, "better");
  EXPECT_EQ(pairs[1].rejected, "worse thing");
  EXPECT_EQ(pairs[1].prompt, "tea");
  EXPECT_EQ(pairs[1].group, "tea");
  EXPECT_EQ(pairs[1].line, 3);
}

TEST_F(Preferences, RefuseRowsInWhichNothingIsPreferredByFileAndLine) {
  const std::string good = "tea,good,5,bad,1\n";
  refused(good + "tea,a,2,b,2.0\n", "p.csv, line 3: both texts have the score 2");
  refused(good + "tea,a b,2,a  b,1\n", "line 3: both texts are the same");
  refused(good + "tea,\"  \",2,b,1\n", "line 3: an empty first");
  refused(good + "tea,a,2,,1\n", "line 3: an empty second");
  refused(good + "tea,a,many,b,1\n", "line 3: first_score = 'many'. Wanted: a number");
  refused(good + "tea,a,2,b,nan\n", "line 3: second_score = 'nan'");
  refused(good + "tea,a,,b,1\n", "line 3: first_score = ''");
  refused(good, "no column 'winner'", {.first = "winner"});
  refused(good, "no column 'product'", {.group = "product"});
}

TEST_F(Preferences, BecomeTokensOfALineWithPromptAndEnd) {
  const TextPreprocessing text{Tokenizer::bytes(), 10};
  const auto pairs = read("tea:,abc,5,x,1\n:,abcdefghijkl,2,yz,1\n", {.prompt = "kind"});
  std::int64_t cut = 0;
  const Dataset rows = rows_of(pairs, text, "p.csv", cut);
  EXPECT_EQ(cut, 1);
  const auto line = [&](const std::string& column, std::int64_t row) {
    const Tensor own = rows[column].rows(row, row + 1);
    const auto tokens = own.values<std::int32_t>();
    return std::string(tokens.begin(), tokens.end());
  };
  EXPECT_EQ(line("chosen", 0), std::string("\ntea: abc\n", 10));
  EXPECT_EQ(line("rejected", 0), std::string("\ntea: x\n\0\0", 10));
  EXPECT_EQ(line("chosen", 1), "\n: abcdefg");
  EXPECT_EQ(rows["chosen_count"].at(0), 10);
  EXPECT_EQ(rows["rejected_count"].at(0), 8);
  EXPECT_EQ(rows["prompt"].at(0), 5);
  EXPECT_EQ(rows["prompt"].at(1), 2);
  for (std::int64_t row = 0; row < 2; ++row) {  // one of them has the full length, so no end follows it
    EXPECT_EQ(text_at(rows["chosen_text"], row), pairs[static_cast<std::size_t>(row)].chosen);
    EXPECT_EQ(text_at(rows["rejected_text"], row), pairs[static_cast<std::size_t>(row)].rejected);
  }
}

TEST_F(Preferences, RefusePromptsThatLeaveNoRoomAndTokensWithoutAnEnd) {
  const auto pairs = read("a long prompt,abc,5,x,1\n", {.prompt = "kind"});
  std::int64_t cut = 0;
  EXPECT_THROW((void)rows_of(pairs, {Tokenizer::bytes(), 10}, "p.csv", cut), DataError);
  EXPECT_THROW((void)end_of_line(Tokenizer::characters("abc")), DataError);
  EXPECT_EQ(end_of_line(Tokenizer::bytes()), '\n');
}

}  // namespace
}  // namespace thalweg::data
