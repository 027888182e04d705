#include "run/content.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "temporary_folder.hpp"

namespace thalweg {
namespace {

TEST(Content, DifferentTextsHaveDifferentHashes) {
  std::set<std::uint64_t> seen;
  std::string text;
  for (int length = 0; length < 300; ++length) {
    EXPECT_TRUE(seen.insert(content_of(text)).second) << length;
    text += '\0';
  }
  EXPECT_EQ(content_of("abc"), content_of(std::string_view("abcd").substr(0, 3)));
  EXPECT_NE(content_of("b", content_of("a")), content_of("a", content_of("b")));
  EXPECT_NE(content_of("b", content_of("a")), content_of("", content_of("ab")));
}

TEST(Content, ARowSetFindsEachRowAsOftenAsItOccurs) {
  RowSet rows({7, 8, 7});
  EXPECT_EQ(rows.left(), 3);
  EXPECT_FALSE(rows.take(9));
  EXPECT_TRUE(rows.take(7));
  EXPECT_TRUE(rows.take(7));
  EXPECT_FALSE(rows.take(7));
  EXPECT_EQ(rows.left(), 1);
}

class ContentOfFiles : public testing::TemporaryFolderTest {};

TEST_F(ContentOfFiles, AFolderWithALinkToItselfIsReadOnce) {
  std::filesystem::create_directories(path("d/e"));
  write("d/e/b", "two");
  const FileContent before = content_of_file(path("d"));
  std::filesystem::create_directory_symlink(path("d"), path("d/e/loop"));
  EXPECT_EQ(content_of_file(path("d")).checksum, before.checksum);
  std::filesystem::create_directories(path("other"));
  write("other/c", "three");
  std::filesystem::create_directory_symlink(path("other"), path("d/link"));
  EXPECT_EQ(content_of_file(path("d")).files, 2) << "links to other folders are followed";
}

TEST_F(ContentOfFiles, OfAFolderDependsOnNamesAndContents) {
  std::filesystem::create_directories(path("d/e"));
  write("d/a", "one");
  write("d/e/b", "two");
  const FileContent before = content_of_file(path("d"));
  EXPECT_EQ(before.files, 2);
  EXPECT_EQ(before.bytes, 6);
  EXPECT_FALSE(before.names_only);
  write("d/e/b", "tow");
  EXPECT_NE(content_of_file(path("d")).checksum, before.checksum);
  write("d/e/b", "two");
  EXPECT_EQ(content_of_file(path("d")).checksum, before.checksum);
  std::filesystem::rename(path("d/e/b"), path("d/e/c"));
  EXPECT_NE(content_of_file(path("d")).checksum, before.checksum);
}

TEST_F(ContentOfFiles, OfALargeFileDependsOnEveryBlock) {
  std::string bytes(3 << 20, 'x');
  write("f", bytes);
  const FileContent before = content_of_file(path("f"));
  EXPECT_EQ(before.bytes, 3 << 20);
  for (const std::size_t place : {std::size_t{0}, std::size_t{1} << 20, bytes.size() - 1}) {
    std::string other = bytes;
    other[place] = 'y';
    write("f", other);
    EXPECT_NE(content_of_file(path("f")).checksum, before.checksum) << place;
  }
}

TEST_F(ContentOfFiles, APipeIsNotRead) {
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(content_of_file(path("pipe")).bytes, -1);
}

}  // namespace
}  // namespace thalweg
