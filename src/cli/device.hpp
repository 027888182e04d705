#pragma once
// The device of a command: `[train] device` of a configuration, or --device of a command that has none; and --threads.

#include <optional>
#include <string>
#include <string_view>

#include "run/config.hpp"
#include "thalweg/device.hpp"

namespace CLI {
class App;
}

namespace thalweg::cli {

/// Adds --device, for commands that use a trained model.
void add_device_option(CLI::App& command, std::string& name);
/// Adds --threads, for those of them that share out their work.
void add_threads_option(CLI::App& command, int& threads);
/// Throws UsageError if a device other than this CPU is named, for computations that only run on this CPU.
void refuse_device(std::string_view name, std::string_view what);

/// Sets the device for everything that a command creates while this object lives. "cpu" keeps the previously chosen
/// device, because a program that contains this command may have chosen another.
class DeviceInUse {
 public:
  explicit DeviceInUse(const std::string& name, bool tf32 = false);
  /// Throws UsageError for a device other than this CPU if ranks share the steps of this training.
  explicit DeviceInUse(const Config& config, bool has_ranks = false);

  /// A line for the start of a run: "device: NVIDIA H200, driver 580.65". Empty for this CPU.
  [[nodiscard]] std::string said() const;

 private:
  std::optional<OnDevice> device_;
};

}  // namespace thalweg::cli
