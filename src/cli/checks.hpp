#pragma once
// Checks of numbers on the command line.

#include <CLI/CLI.hpp>

#include "options/text.hpp"
#include "thalweg/options.hpp"

namespace thalweg::cli {

/// Checks that a number lies in a range. The message has the form used for configurations: "-1. Wanted: >= 0".
inline CLI::Validator in_range(const Range& range) {
  return {[range](const std::string& text) {
            const auto number = parse_number(text);
            return number && range.contains(*number) ? "" : text + ". Wanted: " + range.str();
          },
          ""};
}

}  // namespace thalweg::cli
