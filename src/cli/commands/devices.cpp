// thalweg devices: where models can be trained and used.

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/output.hpp"
#include "thalweg/device.hpp"

namespace thalweg::cli {

namespace {

nlohmann::ordered_json json_of(const DeviceInfo& device) {
  nlohmann::ordered_json json{
      {"name", device.name}, {"model", device.model}, {"details", device.details}, {"memory", device.memory}};
  if (device.name != "cpu" && device.unused > 0) json["unused"] = device.unused;
  return json;
}

std::string memory_text(const DeviceInfo& device) {
  const auto text = [](std::size_t bytes) { return bytes_text(static_cast<std::int64_t>(bytes)); };
  if (device.name == "cpu" || device.unused == 0) return text(device.memory);  // some drivers do not report it
  return fmt::format("{}, {} unused", text(device.memory), text(device.unused));
}

int run(const Context& context) {
  std::string why_no_gpu;
  const std::vector<DeviceInfo> all = devices(&why_no_gpu);
  if (context.json) {
    nlohmann::ordered_json result{{"devices", nlohmann::ordered_json::array()}};
    for (const DeviceInfo& device : all) result["devices"].push_back(json_of(device));
    if (!why_no_gpu.empty()) result["why_no_gpu"] = why_no_gpu;
    emit_line_of(result);
    return 0;
  }
  for (const DeviceInfo& device : all)
    emit("{:<12}{}: {}; {}\n", device.name, shown(device.model), memory_text(device), shown(device.details, 2000));
  if (!why_no_gpu.empty()) emit("{:<12}none: {}\n", "cuda", shown(why_no_gpu, 2000));
  return 0;
}

constexpr const char* footer = R"(Examples:
  thalweg devices
  thalweg train fashion.toml --device cuda      on the first GPU; --device cuda:1 is the second)";

void set_up(CLI::App& command, Context& context) {
  command.footer(footer);
  set_run(command, context, [&context] { return run(context); });
}

}  // namespace

std::vector<CommandRow> devices_commands() {
  return {
      {"devices", "This CPU and the GPUs of this machine, or what a GPU would need", CommandGroup::reference, set_up}};
}

}  // namespace thalweg::cli
