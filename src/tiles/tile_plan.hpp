#pragma once
// The plan of a tile program: where each input comes from, in which loop each step runs, where each result is written.

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
    direct,    ///< in the input, contiguously
    number,    ///< in one place: all elements are the same number
    spread,    ///< in a slot that is filled once with copies of one number
    periodic,  ///< in a slot that serves many tiles: a short row, repeated
    gathered   ///< in a slot that is filled for each tile, or in the input if the tile is contiguous there
  };
  struct Load {
    TileProgram::Load from;  ///< with the axes of the view joined if possible
    Source source;
    std::int64_t period = 0;  ///< length of the repeated row
    std::int64_t span = 0;    ///< elements that the repetitions of one row cover; each following row covers as many
    std::int64_t stride = 0;  ///< distance from a row to the next in the input
  };
  struct Step {
    const MicroOp* op;
    MicroOp::Run run;  ///< null if it is part of a compiled loop
    int out;           ///< register
    std::array<int, 4> in;
    std::optional<int> output = {};  ///< the output of the call to which it writes directly
    bool is_kept = true;             ///< whether its result is stored

    [[nodiscard]] std::span<const int> operands() const { return op->operands(in); }
  };
  /// Adjacent steps that run as one: compiled, or a single micro-op.
  struct Loop {
    int first, end;
    std::optional<TileCode> code = {};
    std::vector<int> kept = {};  ///< the steps of compiled code whose results are stored
  };
  /// A result that is copied to an output after the tile is computed.
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

  /// Whether it is one compiled loop over the whole memory, which needs no tiles.
  [[nodiscard]] bool is_unbroken() const;
  /// Whether one thread runs it in one go: a tile, or an unbroken loop, or the reduction of one short row.
  [[nodiscard]] bool is_one_go() const;
  /// Scratch bytes of a run, besides its inputs and outputs.
  [[nodiscard]] std::size_t scratch() const;
  /// The number of loops that run as machine code.
  [[nodiscard]] std::ptrdiff_t compiled_loops() const {
    return std::ranges::count_if(loops, [](const Loop& loop) { return loop.code.has_value(); });
  }
};

[[nodiscard]] TilePlan plan_tiles(const TileProgram& program);

}  // namespace thalweg
