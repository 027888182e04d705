#include "options/toml.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.hpp"
#include "core/file_error.hpp"
#include "options/text.hpp"
#include "options/toml_depth.hpp"

namespace thalweg {

namespace {

constexpr std::uintmax_t most_bytes = 16 << 20;

std::string place(const std::string& file, const toml::source_region& source) {
  return file.empty() ? "" : fmt::format("{}:{}: ", file, source.begin.line);
}

/// Visits a parsed document and records the line of every key.
struct Reader {
  ConfigTree& tree;

  OptionMap table(const toml::table& table, const std::string& path) {
    OptionMap map;
    for (const auto& [key, node] : table) {
      const std::string name(key.str()), dotted = path.empty() ? name : path + "." + name;
      tree.lines[dotted] = static_cast<int>(key.source().begin.line);
      map[name] = value(node, dotted);
    }
    return map;
  }

  OptionValue value(const toml::node& node, const std::string& path) {
    if (const auto* b = node.as_boolean()) return {b->get()};
    if (const auto* i = node.as_integer()) return {i->get()};
    if (const auto* s = node.as_string()) return {s->get()};
    if (const auto* t = node.as_table()) return {table(*t, path)};
    if (const auto* d = node.as_floating_point()) {
      if (!std::isfinite(d->get())) {
        fail<UsageError>("{}{} = {}. Wanted: a finite number", place(tree.file, node.source()), path, d->get());
      }
      return {d->get()};
    }
    if (const auto* a = node.as_array()) {
      OptionList list;
      for (const toml::node& item : *a) list.push_back(value(item, fmt::format("{}[{}]", path, list.size())));
      return {std::move(list)};
    }
    fail<UsageError>("{}{} is a date or a time. Hint: put it in quotes.", place(tree.file, node.source()), path);
  }
};

/// Whether a key equals `outer` or is inside its value.
bool is_within(std::string_view key, std::string_view outer) {
  return key.starts_with(outer) && (key.size() == outer.size() || key[outer.size()] == '.' || key[outer.size()] == '[');
}

/// Converts numbers as people type them, .5 and 3., to those of TOML, 0.5 and 3.0.
std::string with_digits_around_points(std::string_view text) {
  const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool before = at > 0 && digit(at - 1), after = digit(at + 1);
    if (text[at] == '.' && !before && after) result += '0';
    result += text[at];
    if (text[at] == '.' && before && !after) result += '0';
  }
  return result;
}

/// The document `value = TEXT`, if the text is exactly one value.
std::optional<toml::table> parse_one(const std::string& text) {
  try {
    toml::table parsed = toml::parse("value = " + text);
    const toml::node& node = parsed.begin()->second;
    const bool date = node.is_date() || node.is_time() || node.is_date_time();
    return parsed.size() == 1 && !date ? std::optional(std::move(parsed)) : std::nullopt;
  } catch (const toml::parse_error&) {
    return std::nullopt;
  }
}

/// The value of a text as in `--set key=text`.
OptionValue parse_value(std::string_view key, std::string_view text) {
  if (too_deep_at(text)) fail<UsageError>("[--set] {}: the value is nested deeper than {}", key, deepest_toml);
  auto parsed = parse_one(std::string(text));
  if (!parsed) parsed = parse_one(with_digits_around_points(text));
  if (!parsed) return {std::string(text)};
  ConfigTree tree;
  return Reader{tree}.value(parsed->begin()->second, std::string(key));
}

}  // namespace

void ConfigTree::set(std::string_view dotted_key, OptionValue value) {
  OptionMap* map = &values;
  if (std::ranges::count(dotted_key, '.') >= deepest_toml) {
    fail<UsageError>("[--set] a key of more than {} parts. Hint: optimizer.lr=1e-3", deepest_toml);
  }
  std::erase_if(lines, [&](const auto& known) { return is_within(known.first, dotted_key); });
  for (std::string_view rest = dotted_key;;) {
    const auto dot = rest.find('.');
    const std::string name(trim(rest.substr(0, dot)));
    if (name.empty()) fail<UsageError>("[--set] '{}' is not a key. Hint: optimizer.lr=1e-3", dotted_key);
    OptionValue& place = (*map)[name];
    if (dot == std::string_view::npos) {
      place = std::move(value);
      return;
    }
    if (!place.holds<OptionMap>()) place = OptionMap{};
    map = place.get_if<OptionMap>();
    rest.remove_prefix(dot + 1);
  }
}

void ConfigTree::set_text(std::string_view dotted_key, std::string_view text) {
  set(dotted_key, parse_value(dotted_key, text));
}

const OptionValue* ConfigTree::find(std::string_view dotted_key) const {
  const OptionMap* map = &values;
  for (std::string_view rest = dotted_key;;) {
    const auto dot = rest.find('.');
    const auto found = map->find(std::string(rest.substr(0, dot)));
    if (found == map->end()) return nullptr;
    if (dot == std::string_view::npos) return &found->second;
    map = found->second.get_if<OptionMap>();
    if (!map) return nullptr;
    rest.remove_prefix(dot + 1);
  }
}

std::optional<int> ConfigTree::line_of(std::string_view section, std::string_view key) const {
  for (;;) {
    const auto found = lines.find(section.empty() ? std::string(key) : fmt::format("{}.{}", section, key));
    if (found != lines.end()) return found->second;
    const auto inside = key.find_last_of(".[");  // "layers[2].units" is inside "layers[2]", and that is inside "layers"
    if (inside == std::string_view::npos) return std::nullopt;
    key = key.substr(0, inside);
  }
}

ConfigTree parse_toml(std::string_view text, const std::string& file) {
  ConfigTree tree;
  tree.file = file;
  if (const auto line = too_deep_at(text)) {
    const std::string at = file.empty() ? "" : fmt::format("{}:{}: ", file, *line);
    fail<UsageError>("[config] {}keys and values are nested deeper than {}", at, deepest_toml);
  }
  try {
    tree.values = Reader{tree}.table(toml::parse(text), "");
  } catch (const toml::parse_error& error) {
    fail<UsageError>("{}{}. Wanted: TOML", place(file, error.source()), error.description());
  }
  return tree;
}

ConfigTree read_toml(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  const std::string name = path.string();
  looking_at_files([&] {
    if (!fs::exists(path)) fail<UsageError>("[config] there is no file {}", name);
    // a pipe or a device may never end
    if (!fs::is_regular_file(path)) fail<UsageError>("[config] {} is not a plain file. Hint: a file of TOML.", name);
    if (const auto size = fs::file_size(path); size > most_bytes) {
      fail<UsageError>("[config] {} has {} bytes. Wanted: a configuration, of at most {}", name, size, most_bytes);
    }
  });
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) fail<IoError>("[config] {} cannot be read", name);
  if (trim(text).empty()) {
    fail<UsageError>("[config] {} is empty. Hint: `thalweg train TABLE --target COLUMN --print-config` prints one.",
                     name);
  }
  return parse_toml(text, name);
}

}  // namespace thalweg
