#include "data/ratings.hpp"

#include <gtest/gtest.h>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg::data {
namespace {

class RatingsTest : public testing::TemporaryFolderTest {
 protected:
  const RatingColumns columns = {.user = "who", .item = "what", .rating = "stars", .side = {"age"}};
  const std::vector<std::int64_t> both = {0, 1};
};

TEST_F(RatingsTest, AreNumbersOfLevelsInAlphabeticalOrder) {
  write("t.csv", "stars,what,who,age,more\n4,tea,bo,old,x\n2.5,ale,al,,y\n1,tea,al,new,z\n");
  const RatingTable table = read_ratings(path("t.csv"), columns);
  const auto levels = levels_of(table, both);
  EXPECT_EQ(levels[0].names, (std::vector<std::string>{"al", "bo"}));
  EXPECT_EQ(levels[2].names, (std::vector<std::string>{"", "old"}));
  const std::vector<std::int64_t> all = {2, 0};
  const Ratings rows = numbered(table, all, levels);
  EXPECT_EQ(rows.numbers,
            (std::vector<std::int32_t>{0, 1, -1, 1, 1, 1}));  // "new" is not a level of the first two rows
  EXPECT_EQ(rows.ratings, (std::vector<float>{1, 4}));
  EXPECT_EQ(rows.rows(), 2);
}

TEST_F(RatingsTest, RatingsOfOneItemByOneUserBelongToTheSamePart) {
  write("t.csv", "who,what,stars,age\na,b,1,x\na,b,5,y\nb,a,2,x\n");
  const RatingTable table = read_ratings(path("t.csv"), columns);
  EXPECT_EQ(place_of_pair(table, 0, 3), place_of_pair(table, 1, 3));
  EXPECT_NE(place_of_pair(table, 0, 3), place_of_pair(table, 2, 3));
  EXPECT_NE(place_of_pair(table, 0, 3), place_of_pair(table, 0, 4));
}

TEST_F(RatingsTest, BadRowsAreRefusedWithFileAndLine) {
  const auto refusal = [&](const std::string& text) -> std::string {
    write("t.csv", text);
    try {
      (void)read_ratings(path("t.csv"), columns);
    } catch (const DataError& error) {
      return error.what();
    }
    return {};
  };
  EXPECT_NE(refusal("who,what,stars,age\na,b,1,x\na,c,many,x\n").find("t.csv:3: the stars 'many'"), std::string::npos);
  for (const char* rating : {"inf", "1e300", "many"})
    EXPECT_NE(refusal(std::string("who,what,stars,age\na,b,") + rating + ",x\n").find("Wanted: a number"),
              std::string::npos)
        << rating;
  EXPECT_NE(refusal("who,what,stars,age\n,b,1,x\n").find("t.csv:2: an empty cell"), std::string::npos);
  EXPECT_NE(refusal("who,what,stars\na,b,1\n").find("no column 'age'"), std::string::npos);
  EXPECT_NE(refusal("who,what,stars,age\n").find("no rows"), std::string::npos);
}

}  // namespace
}  // namespace thalweg::data
