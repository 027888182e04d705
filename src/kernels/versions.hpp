#pragma once
// The versions of the libraries on whose rounding a result depends.

#include <map>
#include <string>

namespace thalweg {

[[nodiscard]] std::map<std::string, std::string> library_versions();

}  // namespace thalweg
