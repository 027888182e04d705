// Tokenizers, and windows of tokens as rows of a data set.

#include "data/text.hpp"

#include <filesystem>

#include "core/random.hpp"
#include "data/preprocessing.hpp"
#include "files.hpp"

namespace thalweg::data {
namespace {

using test::expect_error;
using test::TempFolder;

constexpr std::string_view prose =
    "Call me Ishmael. Some years ago - never mind how long precisely - having little or no money in my purse, and "
    "nothing particular to interest me on shore, I thought I would sail about a little and see the watery part of the "
    "world. It is a way I have of driving off the spleen, and regulating the circulation.\n\n  42 whales; 1851.";

std::string random_bytes(std::uint64_t seed, std::int64_t size, int values) {
  std::string text;
  for (std::int64_t i = 0; i < size; ++i) {
    const double u = random_unit({seed, 7}, static_cast<std::uint64_t>(i));
    text += static_cast<char>(static_cast<int>(u * values) + (values < 256 ? 'a' : 0));
  }
  return text;
}

TEST(Tokenizer, ByteTokensAreTheBytes) {
  const Tokenizer bytes = Tokenizer::bytes();
  EXPECT_EQ(bytes.size(), 256);
  EXPECT_EQ(bytes.encode("a\xff"), (std::vector<std::int32_t>{97, 255}));
  const std::string any = random_bytes(1, 500, 256);
  EXPECT_EQ(bytes.decode(bytes.encode(any)), any);
}

TEST(Tokenizer, CharactersAreSortedAndOthersAreUnknown) {
  const Tokenizer characters = Tokenizer::characters("b\xc3\xa9 a\xe2\x82\xac");  // "bé a€"
  EXPECT_EQ(characters.size(), 6);
  EXPECT_EQ(characters.alphabet(), " ab\xc3\xa9\xe2\x82\xac");
  EXPECT_EQ(characters.encode("a\xc3\xa9z"), (std::vector<std::int32_t>{2, 4, 0}));
  EXPECT_EQ(characters.decode(characters.encode("\xe2\x82\xac b")), "\xe2\x82\xac b");
  expect_error<DataError>([&] { (void)Tokenizer::characters("a\xff"); }, {"not UTF-8", "bytes"});
  expect_error<DataError>([&] { (void)characters.encode("\xc3"); }, {"not UTF-8"});
}

TEST(Tokenizer, PairsAreMergedInTheOrderOfTheirFrequency) {
  // counted by hand: "ab" occurs 4 times, then "abc" 3 times, and each other pair once
  const Tokenizer bpe = Tokenizer::bpe("abc abc abcd ab", 258);
  ASSERT_EQ(bpe.size(), 258);
  EXPECT_EQ(bpe.token(256), "ab");
  EXPECT_EQ(bpe.token(257), " ab");
  EXPECT_EQ(bpe.encode("ab cab"), (std::vector<std::int32_t>{256, ' ', 'c', 256}));
  EXPECT_EQ(bpe.encode("a b"), (std::vector<std::int32_t>{'a', ' ', 'b'}));
}

TEST(Tokenizer, MergesEndWhereNoPairOccursTwice) { EXPECT_EQ(Tokenizer::bpe("abcdef", 400).size(), 256); }

TEST(Tokenizer, DecodingGivesTheTextBack) {
  const Tokenizer bpe = Tokenizer::bpe(prose, 300);
  EXPECT_GT(bpe.size(), 280);
  EXPECT_LT(bpe.encode(prose).size(), prose.size() * 3 / 4);
  EXPECT_EQ(bpe.decode(bpe.encode(prose)), prose);
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::string text = random_bytes(seed, static_cast<std::int64_t>(seed * 3), seed % 2 ? 256 : 4);
    EXPECT_EQ(bpe.decode(bpe.encode(text)), text) << seed;
  }
}

TEST(Tokenizer, PiecesJoinToTheText) {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const std::string text = random_bytes(seed, 300, 256) + std::string(prose) + std::string(200, seed % 2 ? ' ' : 'x');
    std::string joined;
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view piece = next_piece(rest);
      ASSERT_FALSE(piece.empty());
      ASSERT_LE(piece.size(), 64U);
      joined += piece;
      rest.remove_prefix(piece.size());
    }
    EXPECT_EQ(joined, text);
  }
  std::string_view text = "It's  a 42nd\n whale";
  std::vector<std::string> pieces;
  while (!text.empty()) {
    pieces.emplace_back(next_piece(text));
    text.remove_prefix(pieces.back().size());
  }
  EXPECT_EQ(pieces, (std::vector<std::string>{"It", "'", "s", " ", " a", " 42", "nd", "\n", " whale"}));
}

TEST(Tokenizer, InvalidMergesAndTokensAreRefused) {
  EXPECT_THROW((void)Tokenizer::bpe({{97, 256}}), ModelError);
  EXPECT_THROW((void)Tokenizer::bpe({{97, 98}, {97, 98}}), ModelError);
  EXPECT_THROW((void)Tokenizer::bpe("abab", 100), UsageError);
  EXPECT_THROW((void)Tokenizer::bytes().decode(std::vector<std::int32_t>{256}), UsageError);
}

TEST(Text, PreprocessingIsTheSameAfterWritingAndReadingJson) {
  for (const Tokenizer& tokenizer :
       {Tokenizer::bytes(), Tokenizer::characters("na\xc3\xafve"), Tokenizer::bpe(prose, 270)}) {
    const Preprocessing stored = TextPreprocessing{tokenizer, 64};
    EXPECT_EQ(Preprocessing::from_json(stored.json()), stored);
    EXPECT_EQ(stored.task(), Task::language);
  }
  for (const char* damaged : {R"({"format":1,"kind":"text","tokenizer":"words","sequence_length":8})",
                              R"({"format":1,"kind":"text","tokenizer":"bytes","sequence_length":0})",
                              R"({"format":1,"kind":"text","tokenizer":"bpe","sequence_length":8,"merges":[[1,900]]})",
                              R"({"format":1,"kind":"text","tokenizer":"bytes"})"}) {
    EXPECT_THROW((void)Preprocessing::from_json(damaged), ModelError) << damaged;
  }
}

TEST(Text, WindowsPredictTheNextTokenAndShareTheirMemory) {
  const TextPreprocessing text{Tokenizer::bytes(), 4};
  const Dataset data = text.encode("abcdefghijkl", "here");  // 12 tokens: 2 windows of 4, each with the next token
  ASSERT_EQ(data.rows(), 2);
  EXPECT_TRUE(
      identical(data["input"], Tensor::from(std::vector<std::int32_t>{97, 98, 99, 100, 101, 102, 103, 104}, {2, 4})));
  EXPECT_TRUE(
      identical(data["target"], Tensor::from(std::vector<std::int32_t>{98, 99, 100, 101, 102, 103, 104, 105}, {2, 4})));
  EXPECT_EQ(data["target"].raw() - data["input"].raw(), 4);
  EXPECT_EQ(data.unit().token_bytes->at(97), 1);
  EXPECT_EQ(text.encode("abcde", "here").rows(), 1);
}

TEST(Text, WindowsMayOverlap) {
  const Dataset data = TextPreprocessing{Tokenizer::bytes(), 4}.encode("abcdefgh", "here", 2);
  ASSERT_EQ(data.rows(), 2);
  EXPECT_EQ(data["input"].at(4), 'c');
  EXPECT_EQ(data["target"].at(7), 'g');
}

TEST(Text, ATextShorterThanAWindowIsRefused) {
  expect_error<DataError>(
      [] {
        (void)TextPreprocessing{Tokenizer::bytes(), 4}.encode("abcd", "some.txt");
      },
      {"some.txt has 4 tokens", "more than sequence_length = 4"});
}

TEST(Text, AFolderIsReadInTheOrderOfItsPaths) {
  const TempFolder folder;
  std::filesystem::create_directory(folder / "b");
  folder.write("c.txt", "three");
  folder.write("a.txt", "one ");
  folder.write("b/x.txt", "two ");
  EXPECT_EQ(read_text(folder / ""), "one two three");
  EXPECT_EQ(read_text(folder / "a.txt"), "one ");
}

TEST(Text, UnreadableFilesAreNamed) {
  const TempFolder folder;
  expect_error<UsageError>([&] { (void)read_text(folder / "none.txt"); }, {"no file", "none.txt"});
  expect_error<DataError>([&] { (void)read_text(folder.write("empty.txt", "")); }, {"empty.txt is empty"});
  std::filesystem::create_directory(folder / "nothing");
  expect_error<DataError>([&] { (void)read_text(folder / "nothing"); }, {"is empty"});
}

TEST(Text, TheHeldOutEndBeginsAtACharacter) {
  const auto [train, held_out] = split_text(
      "aaaaaaaa\xe2\x82\xac"
      "bb",
      0.4);  // 0.4 of the bytes would begin inside the euro sign
  EXPECT_EQ(train, "aaaaaaaa");
  EXPECT_EQ(held_out,
            "\xe2\x82\xac"
            "bb");
  EXPECT_TRUE(split_text("abc", 0).second.empty());
}

}  // namespace
}  // namespace thalweg::data
