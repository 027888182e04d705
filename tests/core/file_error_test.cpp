#include "core/file_error.hpp"

#include <gtest/gtest.h>

namespace thalweg {
namespace {

namespace fs = std::filesystem;

TEST(FileError, SaysWhereWhatAndWhatToDo) {
  const auto message = [](std::errc code, const fs::path& path) {
    return message_of(fs::filesystem_error("status", path, std::make_error_code(code)));
  };
  EXPECT_EQ(
      message(std::errc::too_many_symbolic_link_levels, "a/b"),
      "[files] 'a/b': Too many levels of symbolic links. Wanted: a file or a folder that can be used. Hint: a link "
      "leads to itself; ls -l shows where.");
  EXPECT_LT(message(std::errc::filename_too_long, std::string(100'000, 'x')).size(), 400U);
  EXPECT_TRUE(message(std::errc::no_such_file_or_directory, "").starts_with("[files] the current folder: "));
}

TEST(FileError, BecomesAnIoError) {
  EXPECT_EQ(looking_at_files([] { return 7; }), 7);
  EXPECT_THROW(looking_at_files([] { (void)fs::exists(std::string(100'000, 'x')); }), IoError);
  EXPECT_THROW(looking_at_files([] { fail<DataError>("as it is"); }), DataError);
}

}  // namespace
}  // namespace thalweg
