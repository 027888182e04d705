#pragma once
// Temporary files for tests of readers, and a check of the errors that these files cause.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "temporary_folder.hpp"
#include "thalweg/error.hpp"

namespace thalweg::test {

using TempFolder = testing::TemporaryFolder;

/// Expects that `act` throws an E whose message contains all of the words.
template <class E, class Act>
void expect_error(Act act, std::initializer_list<std::string_view> words) {
  try {
    act();
    ADD_FAILURE() << "nothing was thrown";
  } catch (const E& error) {
    for (const std::string_view word : words) {
      EXPECT_NE(std::string_view(error.what()).find(word), std::string_view::npos) << word << " in: " << error.what();
    }
    EXPECT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
  }
}

}  // namespace thalweg::test
