#pragma once
// Where programs run. The planner asks a device for the kernel of each instruction, and for the memory that they work
// in; this CPU is one device, and others are libraries of their own.

#include <functional>
#include <string>
#include <vector>

#include "core/device_memory.hpp"
#include "core/kernel.hpp"
#include "core/view.hpp"
#include "device/stored_operands.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// This CPU, and the interface of every other device: what it does not override runs here. A device must outlive the
/// programs that are planned for it, their memory, and the tensors that they have written.
///
/// The kernels of a device whose memory is not here are given its addresses, and may return before they have run: what
/// they were given of the call, but for its arrays, must be there until `wait` returns for a mark behind it.
class Device : public DeviceMemory {
 public:
  /// Elementwise work and reductions.
  [[nodiscard]] virtual Kernel tiles(const TileProgram& program) { return make_tile_kernel(program); }
  /// What a view sees, one element after another, as it is.
  [[nodiscard]] virtual Kernel copy(const View& view, DType dtype) { return make_copy_kernel(view, dtype); }
  /// An op with a kernel of its own. Here those that are stored in bf16 are converted for it.
  [[nodiscard]] virtual Kernel op(const OpKernel& op, const KernelSite& site) { return make_with_stored(op, site); }
  /// Rows of a table, as bytes: of the inputs, the table and `count` row numbers in i64.
  [[nodiscard]] virtual Kernel rows(std::size_t row_bytes, std::int64_t count);

  /// The calls of a program whose addresses do not change, to be made one after another again and again, as one.
  [[nodiscard]] virtual std::function<void()> record(std::vector<std::function<void()>> calls);

  /// Where it has two ints that are 0 until a kernel finds something wrong, and again when `wait` has thrown that; null
  /// where what follows such a kernel is left out.
  [[nodiscard]] virtual const std::byte* error_words() const { return nullptr; }

  /// What it is, for a manifest: "NVIDIA H200, driver 580.65". Empty for this CPU.
  [[nodiscard]] virtual std::string facts() const { return {}; }
  /// The ops that it had no kernel for, and left to this CPU in their place of the order.
  [[nodiscard]] virtual std::vector<std::string> left_here() const { return {}; }

  /// Whether a batch is one shard there by default: then it is not cut for the cores of this CPU.
  [[nodiscard]] virtual bool takes_batches_whole() const { return false; }

  /// Itself where its memory is not here, else null: most code has one way for this CPU, and another for all others.
  [[nodiscard]] Device* far() { return is_here() ? nullptr : this; }
};

/// The device that overrides nothing.
[[nodiscard]] Device& this_cpu();

/// The device of the engines and functions that are made from now on: this CPU, until another is chosen.
[[nodiscard]] Device& chosen_device();

/// Chooses a device for the process while it lives. Programs that were planned before stay where they are.
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
