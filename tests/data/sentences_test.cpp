// Sentences with classes and sounds with texts, from tables: their rows, and bad ones, refused with file and line.

#include "data/sentences.hpp"

#include <gtest/gtest.h>

#include "data/utterances.hpp"
#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg::data {
namespace {

template <class F>
void expect_refused(const F& read, const std::string& why) {
  try {
    read();
    ADD_FAILURE() << why;
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
  }
}

template <class T>
std::vector<T> values(const Tensor& tensor) {
  const auto all = tensor.values<T>();
  return {all.begin(), all.end()};
}

class Sentences : public testing::TemporaryFolderTest {
 protected:
  [[nodiscard]] std::vector<Sentence> sentences(const std::string& name) const {
    const std::string place = path(name).string();
    return sentences_at(place, {}, classes_of(place, {}));
  }
};

TEST_F(Sentences, BecomeRowsOfWordsWithTheirTexts) {
  write("s.csv", "class,text\ngood,a b a\nbad,\"b, c\"\ngood,!\n");
  const std::vector<Sentence> all = sentences("s.csv");
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[1].where, path("s.csv").string() + ":3");
  WordPreprocessing words = WordPreprocessing::fit({.words = 2, .rare = 2, .length = 3}, "a b a\nb, c\n", "s.csv");
  std::int64_t cut = 0;
  const Dataset rows = rows_of(all, std::vector<std::int64_t>{2, 0}, words, cut);
  EXPECT_EQ(cut, 1);  // three words and the end of the sentence
  EXPECT_EQ(values<std::int32_t>(rows["input"]), (std::vector<std::int32_t>{0, 0, 0, 5, 6, 5}));
  EXPECT_EQ(values<std::int32_t>(rows["count"]), (std::vector<std::int32_t>{0, 3}));
  EXPECT_EQ(values<std::int32_t>(rows["target"]), (std::vector<std::int32_t>{1, 1}));  // of bad, good
  EXPECT_EQ(values<std::uint8_t>(rows["text"]), (std::vector<std::uint8_t>{'!', 0, 0, 0, 0, 'a', ' ', 'b', ' ', 'a'}));
}

/// A class is written into the model as JSON, which is UTF-8.
TEST_F(Sentences, RefuseTextsAndClassesThatAreNotUtf8ByFileAndLine) {
  write("text.txt", "a b\nb c\xff\n");
  expect_refused([&] { (void)sentences("text.txt"); }, "text.txt:2: a text that is not UTF-8");
  write("class.txt", "a b\n\nb\xff c\n");
  expect_refused([&] { (void)sentences("class.txt"); }, "class.txt:3: a class that is not UTF-8");
  std::filesystem::create_directories(path("folder/a"));
  std::filesystem::create_directories(path("folder/b\xff"));
  write("folder/a/1.txt", "a b");
  write("folder/b\xff/1.txt", "b c");
  expect_refused([&] { (void)sentences("folder"); }, "has a name that is not UTF-8");
}

TEST_F(Sentences, RefuseATextWithoutAClassByFileAndLine) {
  write("empty.csv", "class,text\ngood,a b a\n,b c\n");
  expect_refused([&] { (void)sentences("empty.csv"); }, "empty.csv:3: a text without a class");
}

class Utterances : public testing::TemporaryFolderTest {};

TEST_F(Utterances, AreTheRowsOfATable) {
  write("s.csv", "file,text,by\na.wav,\"two\nlines\",anna\n/b.ogg,ab,bo\n");
  const auto all = utterances_of_table(path("s.csv"), {.speaker = "by"});
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].sound, path("a.wav"));
  EXPECT_EQ(all[0].text, "two\nlines");
  EXPECT_EQ(all[1].sound, "/b.ogg");
  EXPECT_EQ(all[1].speaker, "bo");
  EXPECT_EQ(all[1].place, 4);
  EXPECT_EQ(all[1].where, path("s.csv").string() + ", line 4, /b.ogg");
  EXPECT_EQ(utterances_of_table(path("s.csv"), {})[0].speaker, "");
  EXPECT_EQ(letters_of(all, ""), (std::vector<std::string>{"\n", "a", "b", "e", "i", "l", "n", "o", "s", "t", "w"}));
  EXPECT_EQ(letters_of(all, "ba"), (std::vector<std::string>{"a", "b"}));
  expect_refused([&] { (void)utterances_of_table(path("s.csv"), {.speaker = "nobody"}); }, "no column 'nobody'");
  expect_refused([&] { (void)utterances_of_table(path("s.csv"), {.text = "words"}); }, "s.csv has no column 'words'");
}

TEST_F(Utterances, NeedTextsSomewhere) {
  write("s.csv", "file,text\na.wav,\nb.wav,\n");
  const auto all = utterances_of_table(path("s.csv"), {});
  expect_refused([&] { (void)letters_of(all, ""); }, "all 2 texts are empty");
}

}  // namespace
}  // namespace thalweg::data
