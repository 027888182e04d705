#pragma once
// The hint at the end of a message: an error that contains another's message has one hint.

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace thalweg {

inline constexpr std::string_view hint_sign = " Hint: ";

/// What a message says before its hint, without the point: for an error that contains it and has a hint of its own.
[[nodiscard]] inline std::string_view before_hint(std::string_view message) {
  message = message.substr(0, message.find(hint_sign));
  return message.ends_with('.') ? message.substr(0, message.size() - 1) : message;
}

/// The message with a note in brackets, before its hint if it has one: "[a] b (note). Hint: c".
[[nodiscard]] inline std::string with_note(std::string_view message, std::string_view note) {
  const std::string_view before = before_hint(message), rest = message.substr(before.size());
  return fmt::format("{} ({}){}", before, note, rest);
}

}  // namespace thalweg
