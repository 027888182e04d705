#pragma once
// Machine code for steps of a tile: one loop for all of them, which keeps what passes between them in registers. It
// computes what the micro-ops compute, rounded alike. Where there is none (another CPU, no executable memory), the
// micro-ops run one after the other.

#include <memory>
#include <span>
#include <vector>

#include "core/signature.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

/// What a tile knows its values by, and one step that computes one of them from others.
struct TileStep {
  const MicroOp* op;
  int out;
  std::array<int, 4> in;
};

/// A run of steps, and what the rest of the tile has to do with it.
struct TileLoop {
  DType dtype = f32;
  std::span<const TileStep> steps;
  std::vector<bool> is_number;   ///< by register: an input that is one number
  std::vector<bool> is_kept;     ///< by register: a result that is wanted in memory
  std::vector<bool> prefetched;  ///< by register: an input that goes on in memory behind the tile
};

class TileCode {
 public:
  /// Whether this CPU and this process can run code made here.
  [[nodiscard]] static bool is_available();
  /// Whether the values of a loop find registers enough.
  [[nodiscard]] static bool fits(const TileLoop& loop);
  explicit TileCode(const TileLoop& loop);

  /// Computes n elements. registers[r] is the address of register r: of an input, or of where a kept result goes.
  void operator()(const void* const* registers, std::int64_t n) const { run_(registers, n); }

 private:
  std::shared_ptr<const void> memory_;  // shared by loops that are alike
  void (*run_)(const void* const* registers, std::int64_t n) = nullptr;
};

}  // namespace thalweg
