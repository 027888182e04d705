#include "options/toml_depth.hpp"

#include <algorithm>
#include <vector>

namespace thalweg {

namespace {

/// The position after the comment or string that begins at `at`.
std::size_t behind(std::string_view text, std::size_t at) {
  if (text[at] == '#') return std::min(text.find('\n', at), text.size());
  const char quote = text[at];
  const bool escapes = quote == '"';
  const std::string_view three = escapes ? R"(""")" : "'''";
  const std::string_view end = text.substr(at).starts_with(three) ? three : three.substr(0, 1);
  for (std::size_t i = at + end.size(); i < text.size(); ++i) {
    if (escapes && text[i] == '\\') {
      ++i;
    } else if (text.substr(i).starts_with(end)) {
      return i + end.size();
    } else if (end.size() == 1 && text[i] == '\n') {
      return i;  // not TOML, which the parser will report
    }
  }
  return text.size();
}

bool belongs_to_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == ' ' || c == '\t' || c == '\r';
}

}  // namespace

std::optional<int> too_deep_at(std::string_view toml) {
  int line = 1, depth = 0;
  int dots = 0;           // in the current key: a.b.c has two
  int key = 0;            // of the key whose value begins
  std::vector<int> open;  // how much each open bracket added to the depth
  for (std::size_t at = 0; at < toml.size();) {
    const char c = toml[at];
    if (c == '#' || c == '"' || c == '\'') {
      const std::size_t end = behind(toml, at);
      for (; at < end; ++at) line += toml[at] == '\n' ? 1 : 0;
      continue;
    }
    ++at;
    if (belongs_to_key(c)) continue;
    if (c == '.') {
      if (depth + ++dots >= deepest_toml) return line;
      continue;
    }
    if (c == '\n') ++line;
    if (c == '{' || c == '[') {
      open.push_back(1 + key);
      depth += open.back();
      if (depth >= deepest_toml) return line;
    } else if ((c == '}' || c == ']') && !open.empty()) {
      depth -= open.back();
      open.pop_back();
    }
    key = c == '=' ? dots : 0;
    dots = 0;
  }
  return std::nullopt;
}

}  // namespace thalweg
