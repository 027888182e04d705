#include "cli/device.hpp"

#include <CLI/CLI.hpp>

#include "core/error.hpp"
#include "device/gpu.hpp"
#include "optim/asks.hpp"

namespace thalweg::cli {

namespace {

void refuse_what_stays_here(const Config& config, const Registry& registry, bool has_ranks) {
  const std::string& device = config.train.device;
  if (has_ranks)
    fail<UsageError>(
        "[device] {}: ranks share the rows of a step, and compute them on their CPUs. Wanted: cpu, or a "
        "start without a launcher",
        device);
  const Optimizer optimizer = config.make_optimizer(registry);
  if (!asks_of(optimizer).any() && !owns_steps(optimizer)) return;
  fail<UsageError>(
      "[device] {}: {} looks at more than the gradients of batches, which this CPU computes alone. Wanted: "
      "cpu, or another optimizer, as --optimizer adamw",
      device, config.optimizer.kind);
}

}  // namespace

void add_device_option(CLI::App& command, std::string& name) {
  command.add_option("--device", name, "cpu, cuda, or cuda:1 for the second GPU: thalweg devices (cpu)")
      ->type_name("NAME");
}

void refuse_device(std::string_view name, std::string_view what) {
  if (name == "cpu") return;
  if (!is_device_name(name)) fail<UsageError>("[device] there is no device \"{}\". {}.", name, wanted_devices);
  fail<UsageError>("[device] {}: {} by this CPU alone. Wanted: cpu", name, what);
}

DeviceInUse::DeviceInUse(const std::string& name, bool tf32) {
  if (name != "cpu") device_.emplace(name, tf32);
}

DeviceInUse::DeviceInUse(const Config& config, const Registry& registry, bool has_ranks) {
  if (config.train.device == "cpu") return;
  refuse_what_stays_here(config, registry, has_ranks);
  device_.emplace(config.train.device, config.train.tf32);
}

std::string DeviceInUse::said(const Config& config) const {
  if (!device_) return "";
  std::string text = "device: " + device_->facts();
  if (config.insight.every.amount > 0) text += "; looks stay on this CPU";
  return text;
}

}  // namespace thalweg::cli
