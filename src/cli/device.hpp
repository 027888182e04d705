#pragma once
// The device of a command: `[train] device` of a configuration, or --device of a command that has none.

#include <optional>
#include <string>
#include <string_view>

#include "run/config.hpp"
#include "thalweg/device.hpp"

namespace CLI {
class App;
}

namespace thalweg::cli {

/// --device, for a trained model.
void add_device_option(CLI::App& command, std::string& name);
/// Throws UsageError where another device than this CPU is named, for what is computed by this CPU alone.
void refuse_device(std::string_view name, std::string_view what);

/// The device of what a command makes while this lives. "cpu" leaves the one that was chosen before: a program that has
/// this command in it may have chosen another.
class DeviceInUse {
 public:
  explicit DeviceInUse(const std::string& name, bool tf32 = false);
  /// Throws UsageError for another device than this CPU where ranks share the steps of this training.
  explicit DeviceInUse(const Config& config, bool has_ranks = false);

  /// For the head of a run: "device: NVIDIA H200, driver 580.65". Empty for this CPU.
  [[nodiscard]] std::string said() const;

 private:
  std::optional<OnDevice> device_;
};

}  // namespace thalweg::cli
