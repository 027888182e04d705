#pragma once
// Where the tests find the sources and the command.

#include <string>

namespace thalweg {

[[nodiscard]] std::string source_folder();
[[nodiscard]] std::string command();

}  // namespace thalweg
