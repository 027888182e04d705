#pragma once
// Checks of numbers on the command line.

#include <CLI/CLI.hpp>

#include "core/error.hpp"
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

/// Refuses whole numbers that CLI11 reads as others: the largest one for any number beyond 64 bits, and 8 for 010.
inline void expect_whole_numbers(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string type = option->get_type_name();  // "INT:INT in [1 - 10]" with a range; N stands for INT in a help
    if (!type.starts_with("INT") && !type.starts_with("UINT") && type != "N") continue;
    for (const std::string& text : option->results()) {
      const std::string_view digits = std::string_view(text).substr(text.starts_with('-') || text.starts_with('+'));
      const bool is_read_otherwise = digits.size() > 1 && digits.starts_with('0');
      const bool fits =
          type.starts_with("UINT") ? parse_integer<std::uint64_t>(text).has_value() : parse_integer(text).has_value();
      if (fits && !is_read_otherwise) continue;
      fail<UsageError>("{}: {}. Wanted: a decimal number of at most 64 bits, without leading zeros", option->get_name(),
                       text);
    }
  }
}

}  // namespace thalweg::cli
