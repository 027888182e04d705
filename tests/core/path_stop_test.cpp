// Path and Stop: the small types that public headers use in place of std::filesystem::path and std::stop_token.

#include <gtest/gtest.h>

#include <filesystem>
#include <stop_token>
#include <type_traits>

#include "thalweg/path.hpp"
#include "thalweg/stop.hpp"

namespace thalweg {
namespace {

std::string text_of(const Path& path) { return path.string(); }

TEST(Path, IsMadeFromATextOrAPath) {
  EXPECT_EQ(text_of("a/b"), "a/b");
  EXPECT_EQ(text_of(std::string("a/b")), "a/b");
  EXPECT_EQ(text_of(std::string_view("a/bc").substr(0, 3)), "a/b");
  EXPECT_EQ(text_of(std::filesystem::path("a") / "b"), "a/b");
  EXPECT_TRUE(Path().empty());
  const std::filesystem::path back = Path("a/b");
  EXPECT_EQ(back.filename(), "b");
  EXPECT_FALSE((std::is_convertible_v<int, Path>));
}

TEST(Stop, IsMadeFromAStopTokenOrAFunction) {
  EXPECT_FALSE(Stop().stop_requested());
  std::stop_source source;
  const Stop by_token = source.get_token();
  const Stop copy = by_token;
  EXPECT_FALSE(by_token.stop_requested());
  source.request_stop();
  EXPECT_TRUE(by_token.stop_requested());
  EXPECT_TRUE(copy.stop_requested());
  bool asked = false;
  const Stop by_function = [&] { return asked; };
  EXPECT_FALSE(by_function.stop_requested());
  asked = true;
  EXPECT_TRUE(by_function.stop_requested());
}

}  // namespace
}  // namespace thalweg
