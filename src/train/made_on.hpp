#pragma once
// The machine and the libraries of a run: besides the configuration, the last digits of a result depend on them.

#include <map>
#include <string>

namespace thalweg {

/// By name: "CPU", "instruction set", and the libraries with their versions.
using MadeOn = std::map<std::string, std::string>;

[[nodiscard]] MadeOn made_on();
/// The differences, "CPU: was A, is B; ..."; empty where there are none, or no earlier record.
[[nodiscard]] std::string difference(const MadeOn& before, const MadeOn& now);

}  // namespace thalweg
