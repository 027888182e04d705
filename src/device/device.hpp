#pragma once
// Devices run programs. The planner asks a device for the kernel of each instruction and for memory. This CPU is one
// device; others are separate libraries.

#include <functional>
#include <string>
#include <vector>

#include "core/device_memory.hpp"
#include "core/kernel.hpp"
#include "core/view.hpp"
#include "device/stored_operands.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// This CPU, and the interface of all other devices: functions that a device does not override run on this CPU. A
/// device must outlive the programs that are planned for it, their memory, and the tensors that they have written.
///
/// Kernels of a device with its own memory get addresses of that memory, and may return before they have run. The data
/// of a call, except its arrays of addresses, must exist until `wait` returns for a later mark.
class Device : public DeviceMemory {
 public:
  /// Elementwise work and reductions.
  [[nodiscard]] virtual Kernel tiles(const TileProgram& program) { return make_tile_kernel(program); }
  /// Copies the elements of a view, one after another, unchanged.
  [[nodiscard]] virtual Kernel copy(const View& view, DType dtype) { return make_copy_kernel(view, dtype); }
  /// The kernel of an opaque op. On this CPU operands that are stored in bf16 are converted for it.
  [[nodiscard]] virtual Kernel op(const OpKernel& op, const KernelSite& site) { return make_with_stored(op, site); }
  /// Rows of a table, as bytes: of the inputs, the table and `count` row numbers in i64.
  [[nodiscard]] virtual Kernel rows(std::size_t row_bytes, std::int64_t count);

  /// Joins the calls of a program with fixed addresses to one call, which can be repeated.
  [[nodiscard]] virtual std::function<void()> record(std::vector<std::function<void()>> calls);

  /// The address of two ints on the device that are 0 until a kernel finds an error, and again after `wait` has thrown
  /// it; null for a device that skips the work after such a kernel.
  [[nodiscard]] virtual const std::byte* error_words() const { return nullptr; }

  /// A description for a manifest: "NVIDIA H200, driver 580.65". Empty for this CPU.
  [[nodiscard]] virtual std::string facts() const { return {}; }
  /// The ops for which it had no kernel, and which this CPU computed at their place in the order.
  [[nodiscard]] virtual std::vector<std::string> left_here() const { return {}; }

  /// Whether a batch is one shard by default on this device, instead of being cut for the cores of this CPU.
  [[nodiscard]] virtual bool takes_batches_whole() const { return false; }

  /// Itself if it has its own memory, else null: most code has one path for this CPU and another for all other devices.
  [[nodiscard]] Device* far() { return is_here() ? nullptr : this; }
};

/// The device that overrides nothing: this CPU.
[[nodiscard]] Device& this_cpu();

/// The device of engines and functions that are made from now on: this CPU until another is chosen.
[[nodiscard]] Device& chosen_device();

/// Chooses a device for the process during its lifetime. Programs that were planned earlier stay on their device.
class ChosenDevice {
 public:
  explicit ChosenDevice(Device& device);
  ~ChosenDevice();
  ChosenDevice(const ChosenDevice&) = delete;
  ChosenDevice& operator=(const ChosenDevice&) = delete;

 private:
  Device* before_;
};

}  // namespace thalweg
