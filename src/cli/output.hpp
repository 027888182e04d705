#pragma once
// What the command says: results on standard output, everything else on standard error.

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace thalweg::cli {

/// Writes to standard output. Throws IoError when it cannot be written to (a full disk, a closed pipe).
void emit(std::string_view text);
template <class... Args>
void emit(fmt::format_string<Args...> format, Args&&... args) {
  emit(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}
/// Writes out what is still in the buffer; throws as emit does.
void flush_output();

/// Writes to standard error.
void say(std::string_view text);
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  say(std::string_view(fmt::format(format, std::forward<Args>(args)...)));
}

/// "1,234,567"
[[nodiscard]] std::string with_commas(std::int64_t number);
/// "12 s", "3 min 20 s", "2 h 5 min"
[[nodiscard]] std::string duration_text(double seconds);
/// "1.2 MB"
[[nodiscard]] std::string bytes_text(std::int64_t bytes);
/// To four figures: "0.8931", "3.212".
[[nodiscard]] std::string figure(double value);

}  // namespace thalweg::cli
