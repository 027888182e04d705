#pragma once
// The paths of the sources and of the command, for tests.

#include <string>

namespace thalweg {

[[nodiscard]] std::string source_folder();
[[nodiscard]] std::string command();

}  // namespace thalweg
