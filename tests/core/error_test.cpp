#include "core/error.hpp"

#include <gtest/gtest.h>

namespace thalweg {
namespace {

TEST(Error, AMessageIsWholeWithANulInIt) {
  const std::string name("a\0b\0", 4);
  EXPECT_STREQ(DataError("no column '" + name + "'. Wanted: c").what(), "no column 'a\\x00b\\x00'. Wanted: c");
  try {
    fail<DataError>("'{}'", name);
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "'a\\x00b\\x00'");
    EXPECT_EQ(error.exit_code(), 3);
  }
}

}  // namespace
}  // namespace thalweg
