#include "device/device.hpp"

#include <algorithm>
#include <atomic>

namespace thalweg {

namespace {
std::atomic<Device*> chosen = nullptr;  // null: this CPU
}

Kernel Device::rows(std::size_t row_bytes, std::int64_t count) {
  return {[row_bytes, count](const KernelCall& call) {
    const auto* numbers = call.in<std::int64_t>(1);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::byte* row = call.inputs[0] + static_cast<std::size_t>(numbers[i]) * row_bytes;
      std::copy_n(row, row_bytes, call.outputs[0] + static_cast<std::size_t>(i) * row_bytes);
    }
  }};
}

std::function<void()> Device::record(std::vector<std::function<void()>> calls) {
  return [calls = std::move(calls)] {
    for (const auto& call : calls) call();
  };
}

Device& this_cpu() {
  static Device cpu;
  return cpu;
}

Device& chosen_device() {
  Device* device = chosen.load();
  return device == nullptr ? this_cpu() : *device;
}

ChosenDevice::ChosenDevice(Device& device) : before_(chosen.exchange(&device)) {}

ChosenDevice::~ChosenDevice() { chosen.store(before_); }

}  // namespace thalweg
