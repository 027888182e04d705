#pragma once
// What the command says: results on standard output, everything else on standard error.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "core/numbers.hpp"  // what is said is mostly numbers

namespace thalweg::cli {

/// Writes to standard output. Throws IoError when it cannot be written to (a full disk, a closed pipe).
void emit(std::string_view text);
template <class... Args>
void emit(fmt::format_string<Args...> format, Args&&... args) {
  emit(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}
/// Hands on what is still in the buffer, and throws as print does.
void flush_output();

/// Writes to standard error.
void say(std::string_view text);
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace thalweg::cli
