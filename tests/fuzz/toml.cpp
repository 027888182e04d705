// Fuzz target: a TOML configuration. It is the same after writing and reading it.

#include "options/toml.hpp"
#include "fuzz.hpp"

void thalweg::fuzz::run(std::string_view bytes) {
  may_refuse([&] {
    const ConfigTree tree = parse_toml(bytes, "input.toml");
    const std::string text = "all = " + OptionValue{tree.values}.str();
    const ConfigTree again = parse_toml(text);
    if ("all = " + again.find("all")->str() != text) broken("it reads back to something else", text);
  });
  may_refuse([&] {
    ConfigTree tree;
    tree.set_text(bytes.substr(0, bytes.find('=')), bytes.substr(std::min(bytes.size(), bytes.find('=') + 1)));
  });
}
