#pragma once
// The versions of what computes: the libraries whose rounding a result depends on.

#include <map>
#include <string>

namespace thalweg {

[[nodiscard]] std::map<std::string, std::string> library_versions();

}  // namespace thalweg
