#include "data/words.hpp"

#include <gtest/gtest.h>

#include "thalweg/error.hpp"

namespace thalweg::data {
namespace {

using Numbers = std::vector<std::int32_t>;

TEST(Words, AreNumberedByFrequencyThenAlphabetically) {
  const Words words = read_words("The cat saw the dog.\nA dog, a cat; THE end\n", 1, "text");
  EXPECT_EQ(words.vocabulary.words, (std::vector<std::string>{"the", "a", "cat", "dog", "end", "saw"}));
  EXPECT_EQ(words.vocabulary.counts, (std::vector<std::int64_t>{3, 2, 2, 2, 1, 1}));
  EXPECT_EQ(words.numbers, (Numbers{0, 2, 5, 0, 3, -1, 1, 3, 1, 2, 0, 4, -1}));
  EXPECT_EQ(words.in_text, 11);
}

TEST(Words, RareOnesAreLeftOut) {
  const Words words = read_words("a b a\nc\nb a d b\n", 2, "text");
  EXPECT_EQ(words.vocabulary.words, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(words.numbers, (Numbers{0, 1, 0, -1, 1, 0, 1, -1}));  // the line with only c becomes no sentence
  EXPECT_EQ(words.in_text, 8);
}

TEST(Words, AreLettersDigitsAndApostrophesBetweenThem) {
  std::string_view line = "'Don't -- 3rd caf\xc3\xa9's rock 'n' roll'";
  std::vector<std::string> found;
  for (std::string word; next_word(line, word);) found.push_back(word);
  EXPECT_EQ(found, (std::vector<std::string>{"don't", "3rd", "caf\xc3\xa9's", "rock", "n", "roll"}));
}

std::vector<std::string> words_in(std::string_view line) {
  std::vector<std::string> found;
  for (std::string word; next_word(line, word);) found.push_back(word);
  return found;
}

TEST(Words, EndAtTypographicPunctuation) {
  using Found = std::vector<std::string>;
  EXPECT_EQ(words_in("\u201cStop\u201d\u2014he said\u2026 \u2018now\u2019"), (Found{"stop", "he", "said", "now"}));
  EXPECT_EQ(words_in("\u00abOui\u00bb\u00a0!\u3000\u201eja\u201c \u2013 \u00bfs\u00ed?"),
            (Found{"oui", "ja", "s\u00ed"}));
  EXPECT_EQ(words_in("\ufeffDon\u2019t 3\u00d74 1\u00ba na\u00efve \u4f60\u597d\u3002"),
            (Found{"don't", "3", "4", "1\u00ba", "na\u00efve", "\u4f60\u597d"}));
  EXPECT_EQ(words_in("dogs\u2019 \u2019tis o\u2019\u2019clock"), (Found{"dogs", "tis", "o", "clock"}));
}

TEST(Words, EndAtBytesThatAreNotUtf8) {
  EXPECT_EQ(words_in("caf\xe9s a\xc3\x28z \xff"), (std::vector<std::string>{"caf", "s", "a", "z"}));
  EXPECT_EQ(read_words("a b caf\xe9 \xc3\xa9 \xf0\x9f", 1, "text").not_utf8, 3);
  EXPECT_EQ(read_words("a b caf\u00e9", 1, "text").not_utf8, 0);
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
