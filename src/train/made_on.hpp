#pragma once
// The machine and the libraries of a run: besides the configuration, the last digits of a result depend on them.

#include <map>
#include <string>
#include <vector>

namespace thalweg {

class Device;

/// By name: "CPU", "instruction set", "device", and the libraries with their versions.
using MadeOn = std::map<std::string, std::string>;

/// Of steps that run on this device.
[[nodiscard]] MadeOn made_on(const Device& device);
/// The differences, "CPU: was A, is B; ..."; empty where there are none, or no earlier record.
[[nodiscard]] std::string difference(const MadeOn& before, const MadeOn& now);

/// What this CPU computed of a run for which a GPU was asked: notes, none where all was computed there. `used` is where
/// its steps ran.
[[nodiscard]] std::vector<std::string> left_here(const Device& asked, const Device& used);

}  // namespace thalweg
