#pragma once
// The plan of a tile program: where each input comes from, in which loop each step runs, where each result goes.

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "core/index.hpp"
#include "tiles/tile_code.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

/// Registers are numbered as in the program: loads first, then steps.
struct TilePlan {
  static constexpr int most_registers = 128;

  /// Where the elements of a load are while a tile is computed.
  enum class Source {
    direct,    ///< in the input: a run of elements
    number,    ///< in one place: all elements are one number
    spread,    ///< in a slot that is filled once: one number, in every element of a tile
    periodic,  ///< in a slot that serves many tiles: a short row, again and again
    gathered   ///< in a slot that is filled for each tile, or in the input where the tile is a run of it
  };
  struct Load {
    TileProgram::Load from;  ///< with the axes of the view joined where they can be
    Source source;
    std::int64_t period = 0;  ///< the length of the row that is repeated
    std::int64_t span = 0;    ///< elements over which it is; the row after it is repeated over as many, and so on
    std::int64_t stride = 0;  ///< from a row to the one after it, in the input
  };
  struct Step {
    const MicroOp* op;
    MicroOp::Run run;  ///< none where it is part of a compiled loop
    int out;           ///< register
    std::array<int, 4> in;
    std::optional<int> output = {};  ///< of the call, to which it writes directly
    bool is_kept = true;             ///< its result goes to memory

    [[nodiscard]] std::span<const int> operands() const { return op->operands(in); }
  };
  /// Neighbouring steps that run as one: compiled, or a single micro-op.
  struct Loop {
    int first, end;
    std::optional<TileCode> code = {};
    std::vector<int> kept = {};  ///< the steps of compiled code whose results go to memory
  };
  /// A result that is copied to an output when the tile is computed.
  struct LateStore {
    int reg;
    int output;
    Stored stored;
  };

  DType dtype = f32;
  std::int64_t outer = 1, reduced = 1, inner = 1;  ///< as in the program
  std::vector<Load> loads = {};
  std::vector<Step> steps = {};
  std::vector<Loop> loops = {};
  std::vector<LateStore> late_stores = {};
  std::vector<TileProgram::Reduce> reductions = {};
  std::vector<std::optional<int>> slot_of = {};  ///< by register
  int slots = 0;

  [[nodiscard]] std::int64_t elements() const { return outer * reduced * inner; }
  [[nodiscard]] std::int64_t tile_elements() const { return static_cast<std::int64_t>(tile_bytes / size_of(dtype)); }
  [[nodiscard]] std::int64_t row_blocks() const { return (reduced + reduce_block - 1) / reduce_block; }
  [[nodiscard]] bool is_number(int reg) const { return reg < count(loads) && at(loads, reg).source == Source::number; }

  /// Whether it is one compiled loop from memory to memory, which needs no tiles.
  [[nodiscard]] bool is_unbroken() const;
  /// Whether one thread runs it in one go: a tile, or an unbroken loop, or the reduction of one short row.
  [[nodiscard]] bool is_one_go() const;
  /// Bytes that a run needs beside its inputs and outputs.
  [[nodiscard]] std::size_t scratch() const;
  /// Loops that run as machine code.
  [[nodiscard]] std::ptrdiff_t compiled_loops() const {
    return std::ranges::count_if(loops, [](const Loop& loop) { return loop.code.has_value(); });
  }
};

[[nodiscard]] TilePlan plan_tiles(const TileProgram& program);

}  // namespace thalweg
