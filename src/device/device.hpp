#pragma once
// Where programs run. The planner asks a device for the kernel of each instruction; this CPU is one device, and others
// are libraries of their own.

#include "core/kernel.hpp"
#include "core/view.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// This CPU, and the interface of every other device: what it does not override runs here. A device must outlive the
/// programs that are planned for it.
class Device {
 public:
  Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  virtual ~Device() = default;

  /// Elementwise work and reductions.
  [[nodiscard]] virtual Kernel tiles(const TileProgram& program) { return make_tile_kernel(program); }
  /// What a view sees, one element after another, as it is.
  [[nodiscard]] virtual Kernel copy(const View& view, DType dtype) { return make_copy_kernel(view, dtype); }
  /// An op with a kernel of its own.
  [[nodiscard]] virtual Kernel op(const OpKernel& op, const KernelSite& site) { return op.make(site); }
};

/// The device that overrides nothing.
[[nodiscard]] inline Device& this_cpu() {
  static Device cpu;
  return cpu;
}

}  // namespace thalweg
