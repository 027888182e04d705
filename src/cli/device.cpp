#include "cli/device.hpp"

#include <CLI/CLI.hpp>

#include "cli/checks.hpp"
#include "core/error.hpp"
#include "device/gpu.hpp"

namespace thalweg::cli {

void add_device_option(CLI::App& command, std::string& name) {
  command.add_option("--device", name, "cpu, cuda, or cuda:1 for the second GPU: thalweg devices (cpu)")
      ->type_name("NAME");
}

void add_threads_option(CLI::App& command, int& threads) {
  command
      .add_option(
          "--threads", threads,
          "0 is that of a stopped run, else THALWEG_THREADS, or every core; the result is the same for any number")
      ->check(in_range({.low = 0, .high = 1024}));
}

void refuse_device(std::string_view name, std::string_view what) {
  if (name == "cpu") return;
  if (!is_device_name(name)) fail<UsageError>("[device] there is no device \"{}\". {}.", name, wanted_devices);
  fail<UsageError>("[device] {}: {} by this CPU alone. Wanted: cpu", name, what);
}

DeviceInUse::DeviceInUse(const std::string& name, bool tf32) {
  if (name != "cpu") device_.emplace(name, tf32);
}

DeviceInUse::DeviceInUse(const Config& config, bool has_ranks) {
  const std::string& device = config.train.device;
  if (device == "cpu") return;
  if (has_ranks)
    fail<UsageError>(
        "[device] {}: ranks share the rows of a step, and compute them on their CPUs. Wanted: cpu, or a "
        "start without a launcher",
        device);
  device_.emplace(device, config.train.tf32);
}

std::string DeviceInUse::said() const { return device_ ? "device: " + device_->facts() : ""; }

}  // namespace thalweg::cli
