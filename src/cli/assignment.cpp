#include "cli/assignment.hpp"

#include "core/error.hpp"
#include "options/text.hpp"

namespace thalweg::cli {

Assignment split_assignment(std::string_view text, const AssignmentOption& option) {
  const auto equals = option.key_has_equals ? text.rfind('=') : text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    fail<UsageError>("[{0}] '{1}' is not KEY=VALUE. Hint: {0} {2}", option.option, text, option.example);
  }
  return {std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

void set_all(ConfigTree& tree, const std::vector<std::string>& sets, std::string_view example) {
  for (const std::string& set : sets) {
    const auto [key, value] = split_assignment(set, {.option = "--set", .example = example});
    tree.set_text(trim(key), value);
  }
}

}  // namespace thalweg::cli
