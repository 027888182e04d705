// The devices of this machine, for programs and for `thalweg devices`.

#include "thalweg/device.hpp"

#include "core/error.hpp"
#include "core/machine.hpp"
#include "core/workers.hpp"
#include "device/gpu.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

namespace {

DeviceInfo cpu_info() {
  const int threads = default_threads();
  const auto memory = static_cast<std::size_t>(available_memory());
  return {.name = "cpu",
          .model = cpu_name(),
          .details = fmt::format("{} thread{}, {}", threads, threads == 1 ? "" : "s", instruction_set()),
          .memory = memory,
          .unused = memory};
}

DeviceInfo gpu_info(const GpuFacts& facts, std::size_t index) {
  return {.name = fmt::format("cuda:{}", index),
          .model = facts.name,
          .details = fmt::format("compute capability {}.{}, {} processors, {}", facts.major, facts.minor,
                                 facts.processors, facts.versions),
          .memory = facts.bytes,
          .unused = facts.unused};
}

}  // namespace

std::vector<DeviceInfo> devices(std::string* why_no_gpu) {
  std::vector<DeviceInfo> all = {cpu_info()};
  std::string why = "the driver finds none in this machine";
  try {
    for (const GpuFacts& facts : list_gpus()) all.push_back(gpu_info(facts, all.size() - 1));
  } catch (const Error& error) {
    why = error.what();
  }
  if (why_no_gpu != nullptr) *why_no_gpu = all.size() == 1 ? why : "";
  return all;
}

struct OnDevice::Impl {
  Device& device;
  ChosenDevice chosen{device};
};

OnDevice::OnDevice(std::string_view name, bool tf32) : impl_(new Impl{device_named(name, tf32)}) {}
OnDevice::~OnDevice() = default;

std::string OnDevice::facts() const {
  const std::string facts = impl_->device.facts();
  return facts.empty() ? cpu_name() : facts;
}

}  // namespace thalweg
