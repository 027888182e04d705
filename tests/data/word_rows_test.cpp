#include "data/word_rows.hpp"

#include <gtest/gtest.h>

#include "data/documents.hpp"
#include "data/preprocessing.hpp"
#include "thalweg/error.hpp"

namespace thalweg::data {
namespace {

constexpr std::string_view text = "the cat saw the dog\nthe dog ran\nThe cat's END\n";

WordPreprocessing fitted(std::int64_t words = 3, std::int64_t rare = 5, std::int64_t length = 4) {
  return WordPreprocessing::fit({.words = words, .rare = rare, .length = length}, text, "text");
}

TEST(WordRows, FrequentWordsHaveNumbersOfTheirOwnAndRareOnesShareSome) {
  const WordPreprocessing words = fitted();
  EXPECT_EQ(words.words, (std::vector<std::string>{"the", "dog", "cat"}));
  EXPECT_EQ(words.first_word(), 8);
  EXPECT_EQ(words.size(), 11);
  const WordCoder coder(words);
  const std::vector<std::int32_t> numbers = coder("The DOG zebra\n\nzebra!\n");
  ASSERT_EQ(numbers.size(), 6U);
  EXPECT_EQ((std::vector{numbers[0], numbers[1], numbers[3], numbers[5]}), (std::vector{8, 9, 2, 2}));
  EXPECT_EQ(numbers[2], numbers[4]);  // depends only on the spelling
  EXPECT_GE(numbers[2], 3);
  EXPECT_LT(numbers[2], 8);
}

TEST(WordRows, MaskIsASpecialTokenOnlyIfRequested) {
  const WordCoder coder(fitted());
  EXPECT_EQ(coder("the [MASK] dog", true), (std::vector<std::int32_t>{8, 1, 9, 2}));
  EXPECT_EQ(coder("[MASK][MASK]", true), (std::vector<std::int32_t>{1, 1, 2}));
  EXPECT_GT(coder("the [MASK] dog")[1], 2);  // here it is the word "mask"
  EXPECT_EQ(coder.words().text_of(1), "[MASK]");
  EXPECT_EQ(coder.words().text_of(9), "dog");
}

TEST(WordRows, AWindowHasWordsOfOneDocumentAndIsPadded) {
  const WordCoder coder(fitted());
  const std::vector<std::string_view> documents = {"the dog the dog the", "cat", "..."};
  const Dataset rows = windows_of(coder, documents, "here");
  ASSERT_EQ(rows.rows(), 3);
  const std::vector<std::int32_t> wanted = {8, 9, 8, 9, 8, 2, 0, 0, 10, 2, 0, 0}, counts = {4, 2, 2};
  EXPECT_TRUE(std::ranges::equal(rows["input"].values<std::int32_t>(), wanted));
  EXPECT_TRUE(std::ranges::equal(rows["count"].values<std::int32_t>(), counts));
}

TEST(Documents, AreSeparatedByBlankLines) {
  const auto documents = documents_in("\n \na b\nc\n\t\r\n\n\nd\n");
  ASSERT_EQ(documents.size(), 2U);
  EXPECT_EQ(documents[0], "a b\nc\n");
  EXPECT_EQ(documents[1], "d\n");
  EXPECT_TRUE(documents_in(" \n\n").empty());
}

TEST(WordRows, ATextWithoutWordsIsRefused) {
  EXPECT_THROW((void)WordPreprocessing::fit({}, " ... \n", "here"), DataError);
  EXPECT_THROW((void)windows_of(WordCoder(fitted()), std::vector<std::string_view>{"...", ""}, "here"), DataError);
}

TEST(WordRows, AreSavedWithAModelAndInvalidOnesAreRefused) {
  WordPreprocessing words = fitted();
  words.classes = {"bad", "good"};
  const Preprocessing both(words);
  EXPECT_EQ(Preprocessing::from_json(both.json()), both);
  EXPECT_EQ(both.classes(), words.classes);
  const std::string json = both.json();
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string other = json;
    return other.replace(other.find(from), from.size(), to);
  };
  EXPECT_THROW((void)Preprocessing::from_json(with("\"rare\": 5", "\"rare\": 0")), ModelError);
  EXPECT_THROW((void)Preprocessing::from_json(with("\"length\": 4", "\"length\": 1")), ModelError);
  EXPECT_THROW((void)Preprocessing::from_json(with("\"length\": 4", "\"length\": 1000000")), ModelError);
  EXPECT_THROW((void)Preprocessing::from_json(with("\"dog\"", "7")), ModelError);
}

}  // namespace
}  // namespace thalweg::data
