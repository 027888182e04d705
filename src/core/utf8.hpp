#pragma once
// Validation of UTF-8.

#include <string_view>

namespace thalweg {

/// Bytes of the well-formed character at the beginning of a text (RFC 3629: no overlong forms, no surrogates, nothing
/// above U+10FFFF); 0 if there is none.
[[nodiscard]] inline std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  if (text.empty()) return 0;
  const unsigned lead = byte(0), second = byte(1);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool outside = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
  return overlong || outside ? 0 : length;
}

/// Bytes at the end of a text that begin a character, whose other bytes may follow.
[[nodiscard]] inline std::size_t utf8_begun(std::string_view text) {
  for (std::size_t bytes = 1; bytes <= 3 && bytes <= text.size(); ++bytes) {
    const auto lead = static_cast<unsigned char>(text[text.size() - bytes]);
    if ((lead & 0xc0) == 0x80) continue;  // a byte within a character
    const std::size_t length = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
    return length > bytes ? bytes : 0;
  }
  return 0;
}

/// Whether the whole text is well-formed UTF-8.
[[nodiscard]] inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace thalweg
