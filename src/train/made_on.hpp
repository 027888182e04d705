#pragma once
// What the last digits of a result depend on besides its configuration: the CPU, its instruction set, the libraries.

#include <map>
#include <string>

namespace thalweg {

/// By name: "CPU", "instruction set", and the libraries with their versions.
using MadeOn = std::map<std::string, std::string>;

[[nodiscard]] MadeOn made_on();
/// What differs, "CPU: was A, is B; ..."; empty where nothing does, or nothing is known of before.
[[nodiscard]] std::string difference(const MadeOn& before, const MadeOn& now);

}  // namespace thalweg
