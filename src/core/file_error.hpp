#pragma once
// Errors of the file system, as messages for people.

#include <filesystem>
#include <string>

#include "core/error.hpp"

namespace thalweg {

/// The place, what is wrong there, what was wanted, and a hint. The library's own message has the name of a system call
/// in place of these.
[[nodiscard]] std::string message_of(const std::filesystem::filesystem_error& error);

/// Calls a function that looks at files, and turns an error of the file system into an IoError.
template <class Look>
decltype(auto) looking_at_files(const Look& look) {
  try {
    return look();
  } catch (const std::filesystem::filesystem_error& error) {
    fail<IoError>("{}", message_of(error));
  }
}

}  // namespace thalweg
