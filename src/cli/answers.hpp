#pragma once
// The answers of a trained system for texts, in `thalweg predict`.

#include <string>

#include "cli/command.hpp"

namespace thalweg::cli {

/// Answers each line of a file, or of standard input if the path is empty: at most `count` answers to each question.
int answer_lines(const std::string& run, const std::string& path, std::int64_t count, const Context& context);

}  // namespace thalweg::cli
