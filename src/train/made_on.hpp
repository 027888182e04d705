#pragma once
// The machine and the libraries of a run: besides the configuration, they determine the last digits of a result.

#include <map>
#include <string>
#include <vector>

namespace thalweg {

class Device;

/// By name: "CPU", "instruction set", "device", and the libraries with their versions.
using MadeOn = std::map<std::string, std::string>;

/// For steps that run on this device.
[[nodiscard]] MadeOn made_on(const Device& device);
/// The differences, "CPU: was A, is B; ..."; empty if there are none, or if there is no earlier record.
[[nodiscard]] std::string difference(const MadeOn& before, const MadeOn& now);

/// Notes on what this CPU computed although a GPU was requested; empty if the GPU computed everything. `used` is the
/// device on which the steps ran.
[[nodiscard]] std::vector<std::string> left_here(const Device& asked, const Device& used);

}  // namespace thalweg
