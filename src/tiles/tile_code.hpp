#pragma once
// Machine code for steps of a tile: a single loop, which keeps intermediate values in registers. Its results equal
// those of the micro-ops bit for bit. If no code can be made (another CPU, no executable memory), the micro-ops run one
// after another.

#include <memory>
#include <span>
#include <vector>

#include "core/signature.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

/// A register of a tile, and one step that computes a register from others.
struct TileStep {
  const MicroOp* op;
  int out;
  std::array<int, 4> in;
};

/// Consecutive steps, and how the rest of the tile uses their values.
struct TileLoop {
  DType dtype = f32;
  std::span<const TileStep> steps;
  std::vector<bool> is_number;   ///< by register: whether it is an input that is a single number
  std::vector<bool> is_kept;     ///< by register: whether it is a result that must be stored
  std::vector<bool> prefetched;  ///< by register: whether it is an input that continues in memory after the tile
};

class TileCode {
 public:
  /// Whether this CPU and this process can run generated code.
  [[nodiscard]] static bool is_available();
  /// Whether there are enough registers for the values of a loop.
  [[nodiscard]] static bool fits(const TileLoop& loop);
  explicit TileCode(const TileLoop& loop);

  /// Computes n elements. registers[r] is the address of register r: of an input, or of the destination of a stored
  /// result.
  void operator()(const void* const* registers, std::int64_t n) const { run_(registers, n); }

 private:
  std::shared_ptr<const void> memory_;  // shared by equal loops
  void (*run_)(const void* const* registers, std::int64_t n) = nullptr;
};

}  // namespace thalweg
