#pragma once
// How deep the values of a JSON text lie in each other. It is asked before a text of others is parsed: to copy, write
// or destroy a value that lies 100,000 deep would take as deep a stack.

#include <string_view>

namespace thalweg {

/// Whether arrays and objects of a JSON text lie at most `most` deep in each other.
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
