#pragma once
// Escapes text from outside for one medium each. The name of a file, a column or a class may contain control
// characters, quotes, or bytes that are no valid characters.

#include <string>
#include <string_view>

namespace thalweg {

/// Writes bytes that are not UTF-8 as `\xNN` and leaves the rest as it is: suitable for JSON, TOML and HTML.
[[nodiscard]] std::string as_utf8(std::string_view text);
/// Makes one line for a terminal or a message: control characters are written as `
/// `, `\t` or `\xNN` too, and the text is cut after `most` bytes, followed by "... (N bytes)" with the full length.
[[nodiscard]] std::string shown(std::string_view text, std::size_t most = 200);
/// Only writes control characters as `\xNN`, other than line ends and tabs: for texts of several lines.
[[nodiscard]] std::string visible(std::string_view text);
/// A TOML string with its quotes.
[[nodiscard]] std::string toml_quoted(std::string_view text);
/// For the text and the attributes of HTML and SVG.
[[nodiscard]] std::string escape_xml(std::string_view text);
/// A word of a command line (bash), in quotes if it needs them.
[[nodiscard]] std::string shell_word(std::string_view word);
/// The same for a path: one that begins with a dash would be taken for an option, so that "./" is put before it.
[[nodiscard]] std::string shell_quoted(std::string_view path);

}  // namespace thalweg
