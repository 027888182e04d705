#pragma once
// KEY=VALUE, the form of the values of `--set` and `--type`.

#include <string>
#include <string_view>

#include "options/toml.hpp"

namespace thalweg::cli {

/// An option whose values are assignments, and an example of one for messages.
struct AssignmentOption {
  std::string_view option, example;
  bool key_has_equals = false;  ///< the text is cut at its last '=' instead of its first
};

struct Assignment {
  std::string key, value;
};
/// Throws UsageError if there is no '=', or nothing before it.
[[nodiscard]] Assignment split_assignment(std::string_view text, const AssignmentOption& option);

/// Sets the keys given with `--set`, over the values in the tree. The example shows a key of this command.
void set_all(ConfigTree& tree, const std::vector<std::string>& sets, std::string_view example);

}  // namespace thalweg::cli
