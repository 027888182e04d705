#include "data/words.hpp"

#include <gtest/gtest.h>

#include "thalweg/error.hpp"

namespace thalweg::data {
namespace {

using Numbers = std::vector<std::int32_t>;

TEST(Words, AreNumberedByHowOftenTheyOccurThenByTheAlphabet) {
  const Words words = read_words("The cat saw the dog.\nA dog, a cat; THE end\n", 1, "text");
  EXPECT_EQ(words.vocabulary.words, (std::vector<std::string>{"the", "a", "cat", "dog", "end", "saw"}));
  EXPECT_EQ(words.vocabulary.counts, (std::vector<std::int64_t>{3, 2, 2, 2, 1, 1}));
  EXPECT_EQ(words.numbers, (Numbers{0, 2, 5, 0, 3, -1, 1, 3, 1, 2, 0, 4, -1}));
  EXPECT_EQ(words.in_text, 11);
}

TEST(Words, RareOnesAreLeftOutAsIfTheyWereNotThere) {
  const Words words = read_words("a b a\nc\nb a d b\n", 2, "text");
  EXPECT_EQ(words.vocabulary.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(words.numbers, (Numbers{0, 1, 0, -1, 1, 0, 1, -1}));  // the line of c alone is no sentence
  EXPECT_EQ(words.in_text, 8);
}

TEST(Words, AreLettersDigitsAndApostrophesBetweenThem) {
  std::string_view line = "'Don't -- 3rd caf\xc3\xa9's rock 'n' roll'";
  std::vector<std::string> found;
  for (std::string word; next_word(line, word);) found.push_back(word);
  EXPECT_EQ(found, (std::vector<std::string>{"don't", "3rd", "caf\xc3\xa9's", "rock", "n", "roll"}));
}

TEST(Words, AreFoundByTheirSpelling) {
  const Words words = read_words("a b a b c", 1, "text");
  const WordNumbers numbers(words.vocabulary);
  EXPECT_EQ(numbers["b"], 1);
  EXPECT_EQ(numbers["d"], -1);
}

TEST(Words, FewerThanTwoAreRefused) {
  EXPECT_THROW((void)read_words("a a a\nb", 2, "text"), DataError);
  EXPECT_THROW((void)read_words("", 1, "text"), DataError);
}

}  // namespace
}  // namespace thalweg::data
