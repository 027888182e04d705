#include "core/escape.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/utf8.hpp"

namespace thalweg {

namespace {

/// C0, DEL, and C1, which some terminals also interpret (U+0080 to U+009F, in UTF-8 from c2 80 on).
bool is_control(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

std::string hexadecimal(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

/// Calls `take` with each character, and with each byte that belongs to no valid character.
template <class Take>
void for_each_character(std::string_view text, const Take& take) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    take(text.substr(0, std::max<std::size_t>(length, 1)), length > 0);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
}

std::string on_one_line(std::string_view character, bool valid) {
  if (character == "\n") return "\\n";
  if (character == "\t") return "\\t";
  if (character == "\r") return "\\r";
  return !valid || is_control(character) ? hexadecimal(character) : std::string(character);
}

}  // namespace

std::string as_utf8(std::string_view text) {
  std::string out;
  for_each_character(text, [&](std::string_view character, bool valid) {
    out += valid ? std::string(character) : hexadecimal(character);
  });
  return out;
}

std::string shown(std::string_view text, std::size_t most) {
  std::string out;
  bool cut = false;
  for_each_character(text.substr(0, most + 4), [&](std::string_view character, bool valid) {
    const std::string piece = on_one_line(character, valid);
    cut = cut || out.size() + piece.size() > most;
    if (!cut) out += piece;
  });
  return cut ? fmt::format("{}... ({} bytes)", out, text.size()) : out;
}

std::string visible(std::string_view text) {
  std::string out;
  for_each_character(text, [&](std::string_view character, bool valid) {
    const bool kept = character == "\n" || character == "\t";
    out += kept ? std::string(character) : on_one_line(character, valid);
  });
  return out;
}

std::string toml_quoted(std::string_view text) {
  std::string out = "\"";
  for_each_character(text, [&](std::string_view character, bool valid) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character == "\"" || character == "\\") {
      out += '\\';
      out += character;
    } else if (character == "\n") {
      out += "\\n";
    } else if (character == "\t") {
      out += "\\t";
    } else if (!valid) {
      out += "\\" + hexadecimal(character);  // a TOML string cannot hold such a byte: it gets the text \xNN
    } else if (is_control(character)) {
      out += fmt::format("\\u{:04X}", character.size() == 1 ? first : static_cast<unsigned char>(character[1]));
    } else {
      out += character;
    }
  });
  return out + "\"";
}

std::string escape_xml(std::string_view text) {
  std::string out;
  for_each_character(text, [&](std::string_view character, bool valid) {
    if (character == "&") {
      out += "&amp;";
    } else if (character == "<") {
      out += "&lt;";
    } else if (character == ">") {
      out += "&gt;";
    } else if (character == "\"") {
      out += "&quot;";
    } else if (character == "'") {
      out += "&#39;";
    } else if (character == "\n" || character == "\t") {
      out += character;
    } else {
      out += on_one_line(character, valid);
    }
  });
  return out;
}

std::string shell_quoted(std::string_view path) {
  return shell_word(path.starts_with('-') ? "./" + std::string(path) : std::string(path));
}

std::string shell_word(std::string_view word) {
  constexpr std::string_view plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:=@%+,";
  if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return std::string(word);
  bool odd = false;  // whether the word has characters that a terminal would interpret inside plain quotes
  for_each_character(word, [&](std::string_view c, bool valid) { odd = odd || !valid || is_control(c); });
  if (!odd) {
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
  }
  std::string quoted = "$'";
  for_each_character(word, [&](std::string_view character, bool valid) {
    if (!valid || is_control(character)) {
      quoted += hexadecimal(character);
    } else {
      if (character == "'" || character == "\\") quoted += '\\';
      quoted += character;
    }
  });
  return quoted + "'";
}

}  // namespace thalweg
