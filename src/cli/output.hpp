#pragma once
// The output of the command: results on standard output, everything else on standard error.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <type_traits>

#include "core/escape.hpp"

#include "core/numbers.hpp"  // most output consists of numbers

namespace thalweg::cli {

template <class T>
[[nodiscard]] decltype(auto) in_line(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> && !std::is_array_v<T>) {
    return shown(value, 2000);
  } else {
    return (value);
  }
}
template <class T>
[[nodiscard]] decltype(auto) in_view(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view> && !std::is_array_v<T>) {
    return visible(value);
  } else {
    return (value);
  }
}
template <class... Args>
[[nodiscard]] std::string said(fmt::string_view format, const Args&... args) {
  return fmt::vformat(format, fmt::make_format_args(args...));
}

/// Writes to standard output. Throws IoError if that fails (a full disk, a closed pipe).
void emit(std::string_view text);
/// Texts among the values are shown without control characters: names come from files, which may come from anywhere.
template <class... Args>
void emit(fmt::format_string<Args...> format, Args&&... args) {
  emit(std::string_view(said(format, in_view(args)...)));
}
/// A JSON value on a line. Bytes that are not UTF-8 are replaced, because JSON does not allow them.
template <class Json>
void emit_line_of(const Json& value) {
  emit(value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
}
/// Flushes the buffer; throws as emit does.
void flush_output();

/// Opens standard streams that were closed. Otherwise a file that is opened later would get their descriptor, and
/// output would be written into it. Also makes a write beyond a size limit fail (exit code 6) instead of ending the
/// process.
void secure_streams();

/// Writes to standard error.
void say(std::string_view text);
/// Texts among the values are shown on one line, because names of users and files may contain line ends.
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(std::string_view(said(format, in_line(args)...)));
}

}  // namespace thalweg::cli
