#pragma once
// The nesting depth of a JSON text. It is checked before parsing untrusted text: copying, writing or destroying a value
// with a depth of 100,000 would need as deep a stack.

#include <string_view>

namespace thalweg {

/// Whether the arrays and objects of a JSON text are nested at most `most` deep.
[[nodiscard]] constexpr bool nests_within(std::string_view json, int most) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < json.size(); ++at) {
    const char c = json[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > most) return false;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

}  // namespace thalweg
