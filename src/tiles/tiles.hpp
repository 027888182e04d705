#pragma once
// Tiles: elementwise work, with reductions at its end, runs a few hundred elements at a time through a short list of
// micro-ops, so that intermediate values stay in the first-level cache.

#include <array>
#include <span>
#include <vector>

#include "core/kernel.hpp"
#include "core/view.hpp"
#include "tiles/micro_ops.hpp"

namespace thalweg {

/// Bytes of each register in a tile.
inline constexpr std::size_t tile_bytes = 2048;
/// The number of registers that can have their own slot; the planner keeps its groups below this.
inline constexpr int max_tile_slots = 56;
/// A long row is reduced in blocks of this many elements, a column in blocks of this many rows; the results of the
/// blocks are joined in order. These numbers, and not the tiles, determine how a sum rounds.
inline constexpr std::int64_t reduce_block = 4096;
inline constexpr std::int64_t reduce_block_rows = 256;

struct TileProgram {
  struct Load {
    int input;    ///< input of the kernel call
    View view;    ///< has as many elements as the program
    DType dtype;  ///< converted to the program's dtype if it differs
    Stored stored = Stored::plain;

    /// Whether the elements are stored in the type in which a program of this dtype computes.
    [[nodiscard]] bool lies_in(DType type) const { return dtype == type && stored == Stored::plain; }
  };
  struct Step {
    const MicroOp* op;
    std::array<int, 4> registers;  ///< loads come first in the numbering, then steps

    [[nodiscard]] std::span<int> operands() { return op->operands(registers); }
    [[nodiscard]] std::span<const int> operands() const { return op->operands(registers); }
  };
  struct Store {
    int reg;
    int output;
    std::vector<int> aliases;  ///< loads that may read the same memory: the store happens after they are read
    Stored stored = Stored::plain;
  };
  struct Reduce {
    const Reducer* reducer;
    int reg;
    int output;
  };

  DType dtype = f32;
  /// The elements, as (outer, reduced, inner); without a reduction only the product counts.
  std::int64_t outer = 1, reduced = 1, inner = 1;
  std::vector<Load> loads;
  std::vector<Step> steps;
  std::vector<Store> stores;
  std::vector<Reduce> reductions;
  bool compile = true;  ///< whether to compile to machine code, if possible

  [[nodiscard]] std::int64_t elements() const { return outer * reduced * inner; }
};

[[nodiscard]] Kernel make_tile_kernel(const TileProgram& program);
/// Copies the elements of a view, one after another, without conversion: for integers, which have no tiles. The view
/// starts at the kernel's input.
[[nodiscard]] Kernel make_copy_kernel(const View& view, DType dtype);

}  // namespace thalweg
