#include "kernels/tiles.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "core/error.hpp"
#include "kernels/tile_code.hpp"

namespace thalweg {

namespace {

template <class To, class From>
void copy_strided(To* to, const From* from, std::int64_t stride, std::int64_t n) {
  if (stride == 0) {
    std::fill_n(to, n, static_cast<To>(*from));
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i * stride]);
  }
}

/// Elements flat, flat + 1, ... of a view (its axes joined), walked row by row.
template <class To, class From>
void gather_view(To* to, const From* base, const View& view, std::int64_t flat, std::int64_t n) {
  const int rank = view.shape.rank();
  std::array<std::int64_t, Shape::max_rank> index{};
  const From* from = base + view.offset;
  for (int axis = rank - 1; axis >= 0; --axis) {
    const auto a = static_cast<std::size_t>(axis);
    index[a] = flat % view.shape[axis];
    flat /= view.shape[axis];
    from += index[a] * view.strides[a];
  }
  const auto last = static_cast<std::size_t>(std::max(rank - 1, 0));
  const std::int64_t length = rank ? view.shape[rank - 1] : 1;
  while (n > 0) {
    const std::int64_t run = std::min(n, length - index[last]);
    copy_strided(to, from, view.strides[last], run);
    to += run;
    n -= run;
    from += run * view.strides[last];
    index[last] += run;
    for (auto a = last; a > 0 && index[a] == view.shape[static_cast<int>(a)]; --a) {
      from += view.strides[a - 1] - index[a] * view.strides[a];
      index[a] = 0;
      ++index[a - 1];
    }
  }
}

/// Where a run of n elements of a view begins, if it is one unbroken run.
template <class T>
const T* unbroken_run(const T* base, const View& view, std::int64_t flat, std::int64_t n) {
  const int rank = view.shape.rank();
  if (rank == 0) return n == 1 ? base + view.offset : nullptr;
  if (view.strides[static_cast<std::size_t>(rank - 1)] != 1) return nullptr;
  if (flat % view.shape[rank - 1] + n > view.shape[rank - 1]) return nullptr;
  const T* from = base + view.offset;
  for (int axis = rank - 1; axis >= 0; --axis) {
    from += (flat % view.shape[axis]) * view.strides[static_cast<std::size_t>(axis)];
    flat /= view.shape[axis];
  }
  return from;
}

/// One row, dense, seen again and again.
bool is_repeated_row(const View& view) {
  return view.shape.rank() == 2 && view.strides[0] == 0 && view.strides[1] == 1;
}

template <class F>
void with_source_type(DType dtype, F&& f) {
  switch (dtype) {
    case f32: return f(float{});
    case f64: return f(double{});
    case i32: return f(std::int32_t{});
    case u8: return f(std::uint8_t{});
  }
}

/// A tile program made ready: which register lives where, and how each step is called.
template <class T>
class TilePlan {
 public:
  explicit TilePlan(const TileProgram& program);
  void run(const KernelCall& call) const;
  [[nodiscard]] std::size_t scratch() const { return scratch_; }

 private:
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
  };

  /// What one thread needs to compute tiles.
  struct Context {
    explicit Context(const KernelCall& kernel_call) : call(kernel_call) {}  // the arrays are not cleared
    const KernelCall& call;
    alignas(64) std::byte slots[max_tile_slots * tile_bytes];
    std::array<T, 2 * max_tile_slots> uniforms;
    std::array<const void*, 128> registers;
    std::array<std::int64_t, 128> phase;  // periodic: the place in the row where the slot begins; -1: it is empty
  };

  [[nodiscard]] bool is_compiled(const MicroOp& op) const {
    return program_.compile && TileCode::is_available() && TileCode::knows(op);
  }
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
  void run_elementwise(const KernelCall& call) const;
  void run_rows(const KernelCall& call) const;
  void row_block(Context& context, std::int64_t row, std::int64_t block, T* values, std::int64_t value_stride) const;
  void short_rows(Context& context, std::int64_t begin, std::int64_t end) const;
  void run_columns(const KernelCall& call) const;
  void column_band(Context& context, std::int64_t outer, std::int64_t column, std::int64_t width) const;

  static void accumulate(const Reducer& r, T* lanes, const T* x, std::size_t n) {
    if constexpr (sizeof(T) == 4) {
      r.accumulate_f32(lanes, x, n);
    } else {
      r.accumulate_f64(lanes, x, n);
    }
  }
  static T fold(const Reducer& r, const T* lanes) {
    if constexpr (sizeof(T) == 4) {
      return r.fold_f32(lanes);
    } else {
      return r.fold_f64(lanes);
    }
  }
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
  std::vector<StepPlan> steps_;
  std::vector<LoopPlan> loops_;                   // all steps, in order
  bool unbroken_ = false;                         // nothing is kept by the tile: any number of elements may run as one
  std::vector<std::pair<int, int>> late_stores_;  // register, output
  std::vector<int> slot_of_;                      // a register's slot, or -1
  std::vector<MicroOp::Run> joins_;
  std::size_t scratch_ = 0;
};

template <class T>
TilePlan<T>::TilePlan(const TileProgram& program) : program_(program) {
  for (TileProgram::Load& load : program_.loads) {
    const bool same = load.dtype == program_.dtype;
    Kind kind = Kind::strided;
    if (same && load.view.is_dense()) {
      kind = Kind::direct;
    } else if (load.view.is_uniform() && program_.elements() > 1) {
      kind = Kind::uniform;
    }
    load.view = load.view.collapse();
    std::int64_t period = 0;
    if (kind == Kind::strided && is_repeated_row(load.view) && load.view.shape[1] <= tile) {
      kind = Kind::periodic;
      period = load.view.shape[1];
    }
    if (kind == Kind::direct) direct_loads_.push_back(static_cast<int>(loads_.size()));
    loads_.push_back({kind, period});
  }
  plan_steps();
  plan_loops();
  assign_slots();
  unbroken_ = loops_.size() == 1 && loops_[0].code && late_stores_.empty() && program_.reductions.empty() &&
              std::ranges::all_of(
                  loads_, [](const LoadPlan& load) { return load.kind == Kind::direct || load.kind == Kind::uniform; });
  for (const auto& reduce : program_.reductions) joins_.push_back(variant(*find_micro_op(reduce.reducer->join), 0));
  const std::int64_t blocks = (program_.reduced + reduce_block - 1) / reduce_block;
  if (!program_.reductions.empty() && program_.inner == 1 && blocks > 1) {
    scratch_ = static_cast<std::size_t>(program_.outer * blocks) * program_.reductions.size() * sizeof(T);
  }
}

template <class T>
void TilePlan<T>::plan_steps() {
  const int first = static_cast<int>(program_.loads.size());
  std::vector<int> spread_load(program_.loads.size(),
                               0);  // a second, spread copy of the same load, where one is needed
  for (std::size_t s = 0; s < program_.steps.size(); ++s) {
    const TileProgram::Step& step = program_.steps[s];
    unsigned wanted = 0;
    for (int i = 0; i < step.op->arity; ++i) {
      const int r = step.registers[static_cast<std::size_t>(i)];
      if (r < first && loads_[static_cast<std::size_t>(r)].kind == Kind::uniform) wanted |= 1U << i;
    }
    // The variant with the most of them as numbers; what it has not is spread over a tile once.
    unsigned chosen = 0;
    for (unsigned mask = 0; mask < 16; ++mask) {
      const bool fits = (mask & ~wanted) == 0 && variant(*step.op, mask) != nullptr;
      if (fits && std::popcount(mask) > std::popcount(chosen)) chosen = mask;
    }
    StepPlan plan{variant(*step.op, chosen), first + static_cast<int>(s), -1, step.op->arity, step.registers, step.op};
    if (is_compiled(*step.op)) {
      plan.run = nullptr;
      chosen = wanted;  // which takes numbers anywhere
    }
    for (int i = 0; i < step.op->arity; ++i) {
      int& r = plan.in[static_cast<std::size_t>(i)];
      if (!((wanted & ~chosen) >> i & 1U)) continue;
      int& spread = spread_load[static_cast<std::size_t>(r)];
      if (spread == 0) {
        program_.loads.push_back(program_.loads[static_cast<std::size_t>(r)]);
        loads_.push_back({Kind::splat});
        spread = -static_cast<int>(program_.loads.size());  // renumbered below
      }
      r = spread;
    }
    steps_.push_back(plan);
  }
  // Loads come first in the numbering: the copies pushed steps up.
  const int added = static_cast<int>(program_.loads.size()) - first;
  const auto renumber = [&](int& r) {
    if (r < 0) {
      r = -r - 1;
    } else if (r >= first) {
      r += added;
    }
  };
  for (StepPlan& step : steps_) {
    step.out += added;
    for (int i = 0; i < step.arity; ++i) renumber(step.in[static_cast<std::size_t>(i)]);
  }
  for (TileProgram::Store& store : program_.stores) renumber(store.reg);
  for (TileProgram::Reduce& reduce : program_.reductions) {
    renumber(reduce.reg);
    LoadPlan* load =
        reduce.reg < static_cast<int>(loads_.size()) ? &loads_[static_cast<std::size_t>(reduce.reg)] : nullptr;
    if (load && load->kind == Kind::uniform) load->kind = Kind::strided;  // a tile is needed to reduce
  }
}

template <class T>
bool TilePlan<T>::is_used_outside(int reg, std::size_t first, std::size_t end) const {
  for (const TileProgram::Store& store : program_.stores) {
    if (store.reg == reg) return true;
  }
  for (const TileProgram::Reduce& reduce : program_.reductions) {
    if (reduce.reg == reg) return true;
  }
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const auto operands = std::span(steps_[s].in).first(static_cast<std::size_t>(steps_[s].arity));
    if ((s < first || s >= end) && std::ranges::find(operands, reg) != operands.end()) return true;
  }
  return false;
}

/// What the code of `steps`, which are those from `first` on, is made from.
template <class T>
TileLoop TilePlan<T>::loop_of(std::span<const TileStep> steps, std::size_t first) const {
  const std::size_t registers = loads_.size() + steps_.size();
  TileLoop loop{program_.dtype, steps, std::vector<bool>(registers), std::vector<bool>(registers),
                std::vector<bool>(registers)};
  for (std::size_t r = 0; r < loads_.size(); ++r) {
    loop.is_number[r] = loads_[r].kind == Kind::uniform;
    loop.prefetched[r] = loads_[r].kind == Kind::direct;
  }
  for (const TileStep& step : steps)
    loop.is_kept[static_cast<std::size_t>(step.out)] = is_used_outside(step.out, first, first + steps.size());
  return loop;
}

/// Neighbours that can be compiled become one loop, as long as their values find registers.
template <class T>
void TilePlan<T>::plan_loops() {
  for (std::size_t first = 0; first < steps_.size();) {
    LoopPlan loop{first, first + 1};
    std::vector<TileStep> steps;
    while (first + steps.size() < steps_.size()) {
      const StepPlan& next = steps_[first + steps.size()];
      if (next.run != nullptr) break;
      steps.push_back({next.op, next.out, next.in});
      if (TileCode::fits(loop_of(steps, first))) continue;
      steps.pop_back();
      break;
    }
    if (!steps.empty()) {
      loop.end = first + steps.size();
      const TileLoop made = loop_of(steps, first);
      loop.code.emplace(made);
      for (std::size_t s = first; s < loop.end; ++s)
        steps_[s].kept = made.is_kept[static_cast<std::size_t>(steps_[s].out)];
    }
    first = loop.end;
    loops_.push_back(std::move(loop));
  }
}

template <class T>
void TilePlan<T>::assign_slots() {
  const int loads = static_cast<int>(loads_.size());
  const int registers = loads + static_cast<int>(steps_.size());
  slot_of_.assign(static_cast<std::size_t>(registers), -1);
  std::vector<int> last_use(static_cast<std::size_t>(registers), -1);
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    for (int i = 0; i < steps_[s].arity; ++i)
      last_use[static_cast<std::size_t>(steps_[s].in[static_cast<std::size_t>(i)])] = static_cast<int>(s);
  }
  // A step writes straight into an output unless a later step still reads what may be the same memory.
  for (const TileProgram::Store& store : program_.stores) {
    const int step = store.reg - loads;
    bool direct = step >= 0 && steps_[static_cast<std::size_t>(step)].direct_output < 0;
    for (int alias : store.aliases) direct = direct && last_use[static_cast<std::size_t>(alias)] <= step;
    if (direct) {
      steps_[static_cast<std::size_t>(step)].direct_output = store.output;
    } else {
      late_stores_.emplace_back(store.reg, store.output);
    }
  }
  constexpr int forever = 1 << 30;
  for (const auto& [reg, output] : late_stores_) last_use[static_cast<std::size_t>(reg)] = forever;
  for (const auto& reduce : program_.reductions) last_use[static_cast<std::size_t>(reduce.reg)] = forever;

  std::vector<int> free;
  int used = 0;
  const auto take = [&] {
    if (free.empty()) return used++;
    const int slot = free.back();
    free.pop_back();
    return slot;
  };
  for (int r = 0; r < loads; ++r) {
    const Kind kind = loads_[static_cast<std::size_t>(r)].kind;
    const bool kept = kind == Kind::splat || kind == Kind::periodic;
    if (kept || kind == Kind::strided) slot_of_[static_cast<std::size_t>(r)] = take();
    if (kept) last_use[static_cast<std::size_t>(r)] = forever;  // filled once, kept for all tiles
  }
  for (std::size_t s = 0; s < steps_.size(); ++s) {
    const StepPlan& step = steps_[s];
    std::array<int, 4> released{-1, -1, -1, -1};
    for (int i = 0; i < step.arity; ++i) {
      const int r = step.in[static_cast<std::size_t>(i)];
      const bool seen = std::find(released.begin(), released.begin() + i, r) != released.begin() + i;
      released[static_cast<std::size_t>(i)] = r;
      if (!seen && last_use[static_cast<std::size_t>(r)] == static_cast<int>(s) &&
          slot_of_[static_cast<std::size_t>(r)] >= 0) {
        free.push_back(slot_of_[static_cast<std::size_t>(r)]);
      }
    }
    if (step.direct_output < 0 && step.kept) slot_of_[static_cast<std::size_t>(step.out)] = take();
  }
  if (used > max_tile_slots || registers > 128) defect("a tile group of {} registers and {} slots", registers, used);
}

template <class T>
void TilePlan<T>::begin(Context& context) const {
  std::size_t uniforms = 0;
  for (std::size_t r = 0; r < loads_.size(); ++r) {
    const TileProgram::Load& load = program_.loads[r];
    context.phase[r] = -1;
    if (loads_[r].kind != Kind::uniform && loads_[r].kind != Kind::splat) continue;
    T& value = context.uniforms[uniforms++];
    with_source_type(load.dtype, [&](auto zero) {
      value = static_cast<T>(context.call.template in<decltype(zero)>(load.input)[load.view.offset]);
    });
    context.registers[r] = &value;
    if (loads_[r].kind == Kind::splat) {
      T* spread = slot(context, slot_of_[r]);
      std::fill_n(spread, tile, value);
      context.registers[r] = spread;
    }
  }
}

template <class T>
void TilePlan<T>::prefetch(const Context& context, std::size_t step, std::int64_t flat) const {
  constexpr std::size_t line = 64;
  const std::size_t begin = tile_bytes * step / steps_.size() / line * line;
  const std::size_t end = tile_bytes * (step + 1) / steps_.size() / line * line;
  for (int r : direct_loads_) {
    const TileProgram::Load& load = program_.loads[static_cast<std::size_t>(r)];
    const auto* next =
        reinterpret_cast<const char*>(context.call.template in<T>(load.input) + load.view.offset + flat + tile);
    for (std::size_t byte = begin; byte < end; byte += line) __builtin_prefetch(next + byte);
  }
}

/// A whole tile of a repeated row, which serves all tiles that begin at the same place in it.
template <class T>
void TilePlan<T>::load_periodic(Context& context, std::size_t r, std::int64_t flat) const {
  const TileProgram::Load& load = program_.loads[r];
  const std::int64_t period = loads_[r].period, phase = flat % period;
  T* into = slot(context, slot_of_[r]);
  context.registers[r] = into;
  if (context.phase[r] == phase) return;
  context.phase[r] = phase;
  with_source_type(load.dtype, [&](auto zero) {
    const auto* row = context.call.template in<decltype(zero)>(load.input) + load.view.offset;
    for (std::int64_t i = 0, at = phase; i < tile; ++i, at = at + 1 == period ? 0 : at + 1)
      into[i] = static_cast<T>(row[at]);
  });
}

/// One micro-op.
template <class T>
void TilePlan<T>::run_step(Context& context, std::size_t s, std::int64_t flat, std::int64_t n) const {
  const StepPlan& step = steps_[s];
  if (n == tile && flat + 2 * tile <= program_.elements()) prefetch(context, s, flat);
  std::array<const void*, 4> operands{};
  for (int i = 0; i < step.arity; ++i) {
    operands[static_cast<std::size_t>(i)] =
        context.registers[static_cast<std::size_t>(step.in[static_cast<std::size_t>(i)])];
  }
  T* out = place_of(context, step, flat);
  step.run(out, operands.data(), static_cast<std::size_t>(n));
  context.registers[static_cast<std::size_t>(step.out)] = out;
}

template <class T>
void TilePlan<T>::compute(Context& context, std::int64_t flat, std::int64_t n) const {
  for (std::size_t r = 0; r < loads_.size(); ++r) {
    const TileProgram::Load& load = program_.loads[r];
    if (loads_[r].kind == Kind::direct) {
      context.registers[r] = context.call.template in<T>(load.input) + load.view.offset + flat;
    } else if (loads_[r].kind == Kind::periodic) {
      load_periodic(context, r, flat);
    } else if (loads_[r].kind == Kind::strided) {
      if (load.dtype == program_.dtype) {
        if (const T* run = unbroken_run(context.call.template in<T>(load.input), load.view, flat, n)) {
          context.registers[r] = run;
          continue;
        }
      }
      T* into = slot(context, slot_of_[r]);
      with_source_type(load.dtype, [&](auto zero) {
        gather_view(into, context.call.template in<decltype(zero)>(load.input), load.view, flat, n);
      });
      context.registers[r] = into;
    }
  }
  for (const LoopPlan& loop : loops_) {
    if (!loop.code) {
      run_step(context, loop.first, flat, n);
      continue;
    }
    for (std::size_t s = loop.first; s < loop.end; ++s) {
      if (steps_[s].kept)
        context.registers[static_cast<std::size_t>(steps_[s].out)] = place_of(context, steps_[s], flat);
    }
    (*loop.code)(context.registers.data(), static_cast<std::size_t>(n));
  }
  for (const auto& [reg, output] : late_stores_) {
    T* out = context.call.template out<T>(output) + flat;
    const auto r = static_cast<std::size_t>(reg);
    if (r < loads_.size() && loads_[r].kind == Kind::uniform) {
      std::fill_n(out, n, *static_cast<const T*>(context.registers[r]));
    } else {
      std::memmove(out, context.registers[r], static_cast<std::size_t>(n) * sizeof(T));
    }
  }
}

template <class T>
void TilePlan<T>::run_elementwise(const KernelCall& call) const {
  const std::int64_t elements = program_.elements();
  const std::int64_t parts = (elements + split_elements - 1) / split_elements;
  call.workers.run(parts, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    const std::int64_t end = std::min(elements, (part + 1) * split_elements);
    const std::int64_t stride = unbroken_ ? split_elements : tile;
    for (std::int64_t flat = part * split_elements; flat < end; flat += stride) {
      compute(context, flat, std::min(stride, end - flat));
    }
  });
}

/// Reduces one block of a row; writes one value for each reduction.
template <class T>
void TilePlan<T>::row_block(Context& context, std::int64_t row, std::int64_t block, T* values,
                            std::int64_t value_stride) const {
  alignas(64) T lanes[4][reduce_lanes];
  const std::size_t count = program_.reductions.size();
  for (std::size_t k = 0; k < count; ++k)
    std::fill_n(lanes[k], reduce_lanes, static_cast<T>(program_.reductions[k].reducer->identity));
  const std::int64_t begin_at = block * reduce_block, end_at = std::min(program_.reduced, begin_at + reduce_block);
  for (std::int64_t i = begin_at; i < end_at; i += tile) {
    const std::int64_t n = std::min(tile, end_at - i);
    compute(context, row * program_.reduced + i, n);
    for (std::size_t k = 0; k < count; ++k) {
      const auto& reduce = program_.reductions[k];
      accumulate(*reduce.reducer, lanes[k],
                 static_cast<const T*>(context.registers[static_cast<std::size_t>(reduce.reg)]),
                 static_cast<std::size_t>(n));
    }
  }
  for (std::size_t k = 0; k < count; ++k)
    values[static_cast<std::int64_t>(k) * value_stride] = fold(*program_.reductions[k].reducer, lanes[k]);
}

/// Rows of which several fill a tile.
template <class T>
void TilePlan<T>::short_rows(Context& context, std::int64_t begin, std::int64_t end) const {
  const std::int64_t length = program_.reduced, together = tile / length;
  alignas(64) T lanes[reduce_lanes];
  for (std::int64_t first = begin; first < end; first += together) {
    const std::int64_t height = std::min(together, end - first);
    compute(context, first * length, height * length);
    for (const auto& reduce : program_.reductions) {
      const T* x = static_cast<const T*>(context.registers[static_cast<std::size_t>(reduce.reg)]);
      T* out = context.call.template out<T>(reduce.output) + first;
      for (std::int64_t row = 0; row < height; ++row) {
        std::fill_n(lanes, reduce_lanes, static_cast<T>(reduce.reducer->identity));
        accumulate(*reduce.reducer, lanes, x + row * length, static_cast<std::size_t>(length));
        out[row] = fold(*reduce.reducer, lanes);
      }
    }
  }
}

template <class T>
void TilePlan<T>::run_rows(const KernelCall& call) const {
  const std::int64_t rows = program_.outer;
  const std::int64_t blocks = std::max<std::int64_t>(1, (program_.reduced + reduce_block - 1) / reduce_block);
  const std::int64_t units = rows * blocks;
  T* values = reinterpret_cast<T*>(call.scratch);  // [reduction][row][block], where a row has several blocks
  const std::int64_t unit_elements = std::max<std::int64_t>(1, std::min(program_.reduced, reduce_block));
  const std::int64_t per_part = std::max<std::int64_t>(1, split_elements / unit_elements);
  const std::size_t count = program_.reductions.size();
  call.workers.run((units + per_part - 1) / per_part, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    const std::int64_t end = std::min(units, (part + 1) * per_part);
    if (program_.reduced > 0 && program_.reduced <= tile / 2) return short_rows(context, part * per_part, end);
    for (std::int64_t unit = part * per_part; unit < end; ++unit) {
      if (blocks > 1) {
        row_block(context, unit / blocks, unit % blocks, values + unit, units);
      } else {
        std::array<T, 4> own{};
        row_block(context, unit, 0, own.data(), 1);
        for (std::size_t k = 0; k < count; ++k) call.out<T>(program_.reductions[k].output)[unit] = own[k];
      }
    }
  });
  if (blocks == 1) return;
  for (std::size_t k = 0; k < count; ++k) {
    const auto& reduce = program_.reductions[k];
    for (std::int64_t row = 0; row < rows; ++row) {
      const T* own = values + static_cast<std::int64_t>(k) * units + row * blocks;
      double total = reduce.reducer->identity;  // a sum of blocks is carried in f64 and rounded once
      for (std::int64_t block = 0; block < blocks; ++block) {
        if (reduce.reducer->name == "sum") {
          total += static_cast<double>(own[block]);
        } else {
          T joined = static_cast<T>(total);
          join(k, &joined, own + block, 1);
          total = static_cast<double>(joined);
        }
      }
      call.out<T>(reduce.output)[row] = static_cast<T>(total);
    }
  }
}

/// Reduces `width` neighbouring columns over all rows, block of rows by block of rows.
template <class T>
void TilePlan<T>::column_band(Context& context, std::int64_t outer, std::int64_t column, std::int64_t width) const {
  alignas(64) T block_values[4][tile], totals[4][tile];
  const std::size_t count = program_.reductions.size();
  const std::int64_t inner = program_.inner, rows = program_.reduced;
  // Narrow rows are computed several at a time: a tile of whole rows is one run of elements.
  const std::int64_t together = width == inner ? std::max<std::int64_t>(1, tile / inner) : 1;
  for (std::size_t k = 0; k < count; ++k)
    std::fill_n(totals[k], width, static_cast<T>(program_.reductions[k].reducer->identity));
  for (std::int64_t first = 0; first < rows; first += reduce_block_rows) {
    const std::int64_t end = std::min(rows, first + reduce_block_rows);
    for (std::size_t k = 0; k < count; ++k)
      std::fill_n(block_values[k], width, static_cast<T>(program_.reductions[k].reducer->identity));
    for (std::int64_t row = first; row < end; row += together) {
      const std::int64_t height = std::min(together, end - row);
      compute(context, (outer * rows + row) * inner + column, height * width);
      for (std::size_t k = 0; k < count; ++k) {
        const auto& reduce = program_.reductions[k];
        const T* x = static_cast<const T*>(context.registers[static_cast<std::size_t>(reduce.reg)]);
        for (std::int64_t h = 0; h < height; ++h) join(k, block_values[k], x + h * width, width);
      }
    }
    for (std::size_t k = 0; k < count; ++k) join(k, totals[k], block_values[k], width);
  }
  for (std::size_t k = 0; k < count; ++k) {
    std::copy_n(totals[k], width, context.call.template out<T>(program_.reductions[k].output) + outer * inner + column);
  }
}

template <class T>
void TilePlan<T>::run_columns(const KernelCall& call) const {
  const std::int64_t bands = (program_.inner + tile - 1) / tile;
  const std::int64_t units = program_.outer * bands;
  const std::int64_t per_part = std::max<std::int64_t>(
      1, split_elements / std::max<std::int64_t>(1, program_.reduced * std::min(program_.inner, tile)));
  call.workers.run((units + per_part - 1) / per_part, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    for (std::int64_t unit = part * per_part; unit < std::min(units, (part + 1) * per_part); ++unit) {
      const std::int64_t column = (unit % bands) * tile;
      column_band(context, unit / bands, column, std::min(tile, program_.inner - column));
    }
  });
}

template <class T>
void TilePlan<T>::run(const KernelCall& call) const {
  if (program_.reductions.empty()) {
    run_elementwise(call);
  } else if (program_.inner == 1) {
    run_rows(call);
  } else {
    run_columns(call);
  }
}

template <class T>
Kernel kernel_of(const TileProgram& program) {
  auto plan = std::make_shared<const TilePlan<T>>(program);
  return {[plan](const KernelCall& call) { plan->run(call); }, plan->scratch()};
}

}  // namespace

Kernel make_copy_kernel(const View& view, DType dtype) {
  View from = view.collapse();
  from.offset = 0;
  if (from.shape.size() == 0) return {[](const KernelCall&) {}, 0};
  return {[from, dtype](const KernelCall& call) {
            with_source_type(dtype, [&](auto zero) {
              using T = decltype(zero);
              gather_view(call.out<T>(), call.in<T>(0), from, 0, from.shape.size());
            });
          },
          0};
}

Kernel make_tile_kernel(const TileProgram& program) {
  if (program.reductions.size() > 4) defect("a tile group of {} reductions", program.reductions.size());
  return program.dtype == f32 ? kernel_of<float>(program) : kernel_of<double>(program);
}

}  // namespace thalweg
