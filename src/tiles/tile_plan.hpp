#pragma once
// A tile program made ready to run: tile_plan.cpp plans it, tiles.cpp runs it.

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "tiles/tile_code.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

template <class T>
class BoundTile;

/// A tile program made ready: which register lives where, and how each step is called.
template <class T>
class TilePlan {
 public:
  explicit TilePlan(const TileProgram& program);
  void run(const KernelCall& call) const;
  [[nodiscard]] std::size_t scratch() const { return scratch_; }
  /// Loops that run as machine code.
  [[nodiscard]] std::ptrdiff_t compiled_loops() const {
    return std::ranges::count_if(loops_, [](const LoopPlan& loop) { return loop.code.has_value(); });
  }

  /// Whether one thread runs it in one go: a tile, or an unbroken loop, or the reduction of one short row.
  [[nodiscard]] bool is_one_go() const {
    const std::int64_t elements = program_.elements();
    return elements > 0 && elements <= (unbroken_ ? split_elements : tile) &&
           (program_.reductions.empty() || program_.outer * program_.inner == 1);
  }

 private:
  friend class BoundTile<T>;
  static constexpr std::size_t most_registers = 128;
  enum class Kind { direct, uniform, splat, periodic, strided };
  struct LoadPlan {
    Kind kind;
    std::int64_t period = 0;  // periodic: a row of this length, again and again
  };
  struct StepPlan {
    MicroOp::Run run;        // none where it is part of a compiled loop
    int out;                 // register
    int direct_output = -1;  // the call's output that it writes straight into
    int arity;
    std::array<int, 4> in;
    const MicroOp* op;
    bool kept = true;  // whether its result goes to memory
  };
  /// Steps that run as one: compiled, or a single micro-op.
  struct LoopPlan {
    std::size_t first, end;
    std::optional<TileCode> code = {};
    std::vector<std::size_t> kept = {};  // of compiled ones, those whose results go to memory
  };

  /// What one thread needs to compute tiles.
  struct Context {
    explicit Context(const KernelCall& kernel_call) : call(kernel_call) {}  // the arrays are not cleared
    const KernelCall& call;
    alignas(64) std::byte slots[max_tile_slots * tile_bytes];
    std::array<T, 2 * max_tile_slots> uniforms;
    std::array<const void*, most_registers> registers;
    std::array<std::int64_t, most_registers>
        phase;  // periodic: the place in the row where the slot begins; -1: it is empty
  };

  [[nodiscard]] bool is_compiled(const MicroOp& op) const {
    return program_.compile && TileCode::is_available() && TileCode::knows(op);
  }
  void gather_steps();
  void plan_steps();
  void plan_loops();
  [[nodiscard]] TileLoop loop_of(std::span<const TileStep> steps, std::size_t first) const;
  [[nodiscard]] bool is_used_outside(int reg, std::size_t first, std::size_t end) const;
  void assign_slots();
  void begin(Context& context) const;
  void compute(Context& context, std::int64_t flat, std::int64_t n) const;
  void load_periodic(Context& context, std::size_t r, std::int64_t flat) const;
  T* slot(Context& context, int index) const {
    return reinterpret_cast<T*>(context.slots + static_cast<std::size_t>(index) * tile_bytes);
  }

  /// Asks for the next tile's share of what step `step` of this tile leaves time for.
  void prefetch(const Context& context, std::size_t step, std::int64_t flat) const;
  void run_step(Context& context, std::size_t step, std::int64_t flat, std::int64_t n) const;
  T* place_of(Context& context, const StepPlan& step, std::int64_t flat) const {
    return step.direct_output >= 0 ? context.call.template out<T>(step.direct_output) + flat
                                   : slot(context, slot_of_[static_cast<std::size_t>(step.out)]);
  }
  /// The value of a load that is one number.
  [[nodiscard]] T number(const KernelCall& call, const TileProgram::Load& load) const;
  void run_elementwise(const KernelCall& call) const;
  void run_unbroken(const KernelCall& call) const;
  void run_rows(const KernelCall& call) const;
  void row_block(Context& context, std::int64_t row, std::int64_t block, T* values, std::int64_t value_stride) const;
  void short_rows(Context& context, std::int64_t begin, std::int64_t end) const;
  void run_columns(const KernelCall& call) const;
  void column_band(Context& context, std::int64_t outer, std::int64_t column, std::int64_t width) const;

  static MicroOp::Run variant(const MicroOp& op, unsigned mask) { return (sizeof(T) == 4 ? op.f32 : op.f64)[mask]; }
  /// into[i] = into[i] joined with x[i], by the rule of reduction k.
  void join(std::size_t k, T* into, const T* x, std::int64_t n) const {
    const std::array<const void*, 2> operands{into, x};
    joins_[k](into, operands.data(), static_cast<std::size_t>(n));
  }

  static constexpr std::int64_t tile = static_cast<std::int64_t>(tile_bytes / sizeof(T));
  TileProgram program_;
  std::vector<LoadPlan> loads_;
  std::vector<int> direct_loads_;
  std::vector<std::size_t> numbers_, moving_;  // loads that are one number for all tiles, and those that are not
  std::vector<StepPlan> steps_;
  std::vector<LoopPlan> loops_;                   // all steps, in order
  bool unbroken_ = false;                         // nothing is kept by the tile: any number of elements may run as one
  std::vector<std::pair<int, int>> late_stores_;  // register, output
  std::vector<int> slot_of_;                      // a register's slot, or -1
  int slots_ = 0;
  std::vector<MicroOp::Run> joins_;
  std::size_t scratch_ = 0;
};

}  // namespace thalweg
