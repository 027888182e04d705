#pragma once
// Text of others, written so that it is only text: one function for each medium. A file's name, a column's or a class's
// may hold control characters, quotes, or bytes that are no characters at all.

#include <string>
#include <string_view>

namespace thalweg {

/// Bytes that are not UTF-8 as `\xNN`, all else as it is: what JSON, TOML and HTML can hold.
[[nodiscard]] std::string as_utf8(std::string_view text);
/// One line for a terminal or a message: control characters too as `\n`, `\t` or `\xNN`, and no more than `most` bytes,
/// after which "... (N bytes)" says how long it was.
[[nodiscard]] std::string shown(std::string_view text, std::size_t most = 200);
/// A TOML string in its quotes.
[[nodiscard]] std::string toml_quoted(std::string_view text);
/// For the text and the attributes of HTML and SVG.
[[nodiscard]] std::string escape_xml(std::string_view text);
/// A word of a command line (bash): as it is, or in quotes where it has to be.
[[nodiscard]] std::string shell_word(std::string_view word);
/// The same of a path: one that begins with a dash would be taken for an option, and begins with "./" instead.
[[nodiscard]] std::string shell_quoted(std::string_view path);

}  // namespace thalweg
