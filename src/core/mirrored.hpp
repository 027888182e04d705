#pragma once
// Tensors whose bytes stay on a device until the host asks for them.

#include <memory>

#include "core/block.hpp"
#include "core/device_memory.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// Access to the bytes of a tensor on a device. The device must outlive every tensor that was given to it.
class Mirrored {
 public:
  /// The address at which kernels of a device read and write the tensor. Its bytes are copied to the device if they are
  /// not there yet; the host's bytes are out of date from then on, and are copied back when the host asks for them. A
  /// tensor that shares its bytes with another one gets its own copy of them on the device first.
  [[nodiscard]] static std::byte* write_there(DeviceMemory& device, Tensor& tensor);
  /// The same on the device, or on the host if `far` is null.
  [[nodiscard]] static std::byte* write(DeviceMemory* far, Tensor& tensor) {
    return far == nullptr ? tensor.mutable_raw() : write_there(*far, tensor);
  }
  /// The address of its newest bytes in the memory of this device; null if they are not there.
  [[nodiscard]] static std::byte* found_there(const DeviceMemory& device, const Tensor& tensor);
  /// Called before the host writes to the bytes: copies them from the device, and marks those of the device as out of
  /// date.
  static void write_here(Tensor& tensor);

 private:
  friend class Tensor;
  struct State;
  struct Release;
  /// The state of the tensor's bytes on a device; null if they were never on one.
  [[nodiscard]] static State* state_of(const Tensor& tensor);
};

/// Makes the bytes of a tensor readable for kernels on a device other than the host, as long as this object lives: in
/// the tensor's own memory on the device, or in a copy that this object frees.
class BytesThere {
 public:
  BytesThere(DeviceMemory& device, const Tensor& tensor);
  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  Tensor tensor_;  // keeps the memory alive
  Block copy_;
  std::byte* data_;
};

}  // namespace thalweg
