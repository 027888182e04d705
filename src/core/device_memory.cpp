#include "core/device_memory.hpp"

#include <algorithm>

#include "core/block.hpp"

namespace thalweg {

std::byte* DeviceMemory::allocate(std::size_t bytes, std::string_view who) { return thalweg::allocate(bytes, who); }

void DeviceMemory::release(std::byte* there) { Deallocate{}(there); }

void DeviceMemory::write(std::byte* there, const std::byte* here, std::size_t bytes) {
  std::copy_n(here, bytes, there);
}

void DeviceMemory::copy_there(std::byte* to, const std::byte* from, std::size_t bytes) { std::copy_n(from, bytes, to); }

Mark DeviceMemory::read(std::byte* here, const std::byte* there, std::size_t bytes) {
  std::copy_n(there, bytes, here);
  return {};
}

void DeviceMemory::wait(Mark) {}

}  // namespace thalweg
