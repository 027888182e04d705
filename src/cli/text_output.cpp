#include "cli/text_output.hpp"

#include <unistd.h>

#include <utility>

#include "cli/output.hpp"
#include "core/escape.hpp"
#include "core/utf8.hpp"

namespace thalweg::cli {

namespace {
bool is_terminal() {
  static const bool found = ::isatty(STDOUT_FILENO) == 1;  // not once for each of a million rows
  return found;
}
}  // namespace

TextOutput::TextOutput() : TextOutput(is_terminal()) {}

std::string TextOutput::shown_for(std::string_view piece) {
  std::string text = std::exchange(begun_, {}) + std::string(piece);
  if (!terminal_) return text;
  const std::size_t whole = text.size() - utf8_begun(text);
  begun_ = text.substr(whole);
  return visible(text.substr(0, whole));
}

void TextOutput::add(std::string_view piece) { emit(std::string_view(shown_for(piece))); }

}  // namespace thalweg::cli
