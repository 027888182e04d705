#pragma once
// Tensors whose bytes are with a device until somebody here asks for them.

#include <memory>

#include "core/block.hpp"
#include "core/device_memory.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// What a device does with the bytes of a tensor. The device must outlive every tensor that was given to it.
class Mirrored {
 public:
  /// Where kernels of a device that is not here read and write the tensor. Its bytes go there where they are not there
  /// yet; those here are out of date from now on, and are brought home when somebody asks for them. Of a tensor that
  /// shares its bytes with another, it makes a copy there first.
  [[nodiscard]] static std::byte* write_there(DeviceMemory& device, Tensor& tensor);
  /// The same on the device, or here where that is null.
  [[nodiscard]] static std::byte* write(DeviceMemory* far, Tensor& tensor) {
    return far == nullptr ? tensor.mutable_raw() : write_there(*far, tensor);
  }
  /// Where its newest bytes are in the memory of this device; null where they are not there.
  [[nodiscard]] static std::byte* found_there(const DeviceMemory& device, const Tensor& tensor);
  /// Before the bytes here are written to: they are home, and those with the device are out of date.
  static void write_here(Tensor& tensor);

 private:
  friend class Tensor;
  struct State;
  struct Release;
  /// What is known of the tensor's bytes with a device; null where no device has had them.
  [[nodiscard]] static State* state_of(const Tensor& tensor);
};

/// The bytes of a tensor with a device that is not here, to be read by kernels while it lives: in the tensor's own
/// memory there, or else in a copy that goes when it goes.
class BytesThere {
 public:
  BytesThere(DeviceMemory& device, const Tensor& tensor);
  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  Tensor tensor_;  // which keeps its memory alive
  Block copy_;
  std::byte* data_;
};

}  // namespace thalweg
