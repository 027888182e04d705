#include "tiles/tiles.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/block.hpp"
#include "core/error.hpp"
#include "core/index.hpp"
#include "core/shared_by_key.hpp"
#include "tiles/bound_tile.hpp"
#include "tiles/gather.hpp"
#include "tiles/tile_plan.hpp"

namespace thalweg {

namespace {

/// Runs a plan tile by tile, for elements of type T.
template <class T>
class TileRunner {
 public:
  explicit TileRunner(TilePlan plan);
  void run(const KernelCall& call) const;
  [[nodiscard]] const TilePlan& plan() const { return plan_; }

 private:
  using Source = TilePlan::Source;
  static constexpr std::int64_t tile = static_cast<std::int64_t>(tile_bytes / sizeof(T));
  static constexpr int most_registers = TilePlan::most_registers;

  /// The memory of one thread for computing tiles.
  struct Context {
    explicit Context(const KernelCall& kernel_call) : call(kernel_call), slots(slots_of_thread()) {}
    const KernelCall& call;
    T (*slots)[tile];  // neither these nor the arrays are initialised
    std::array<T, most_registers> numbers;
    std::array<const void*, most_registers> registers;
    // for periodic loads: the offset in the row at which the slot begins; -1 if it is not filled
    std::array<std::int64_t, most_registers> phase;
    // and tiles at multiples of a tile after the first element, up to the last, have the same in their slot
    std::array<std::int64_t, most_registers> first, last;

    [[nodiscard]] const T* values(int reg) const { return static_cast<const T*>(at(registers, reg)); }

   private:
    /// They take 112 KB, more than is left on some stacks. A thread never uses two contexts at once.
    static T (*slots_of_thread())[tile] {
      static thread_local const Block block(max_tile_slots * tile_bytes);
      return reinterpret_cast<T(*)[tile]>(block.data());
    }
  };

  [[nodiscard]] T* slot(Context& context, int reg) const { return context.slots[*at(plan_.slot_of, reg)]; }
  void begin(Context& context) const;
  void compute(Context& context, std::int64_t flat, std::int64_t n) const;
  const void* load(Context& context, int r, std::int64_t flat, std::int64_t n) const;
  const T* load_periodic(Context& context, int r, std::int64_t flat, std::int64_t n) const;
  /// Prefetches the part of the next tile's inputs that belongs to step `step` of this tile.
  void prefetch(const Context& context, int step, std::int64_t flat) const;
  void run_step(Context& context, int step, std::int64_t flat, std::int64_t n) const;
  T* place_of(Context& context, const TilePlan::Step& step, std::int64_t flat) const {
    return step.output ? context.call.template out<T>(*step.output) + flat : slot(context, step.out);
  }
  /// The value of a load that is one number.
  [[nodiscard]] static T number(const KernelCall& call, const TileProgram::Load& load);
  void run_elementwise(const KernelCall& call) const;
  void run_unbroken(const KernelCall& call) const;
  void run_rows(const KernelCall& call) const;
  void row_block(Context& context, std::int64_t row, std::int64_t block, T* values, std::int64_t value_stride) const;
  void short_rows(Context& context, std::int64_t begin, std::int64_t end) const;
  void join_blocks(const T* values, T* out, int reduction) const;
  void run_columns(const KernelCall& call) const;
  void column_band(Context& context, std::int64_t outer, std::int64_t column, std::int64_t width) const;

  /// into[i] = into[i] joined with the rows of x, in order, as reduction k does.
  void join(int k, T* into, const T* x, std::int64_t rows, std::int64_t width) const {
    if (reduction(k).reducer->adds) return reduction(k).reducer->join_rows(into, x, rows, width);
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::array<const void*, 2> operands{into, x + row * width};
      at(joins_, k)(into, operands.data(), width);
    }
  }
  [[nodiscard]] const TileProgram::Reduce& reduction(int k) const { return at(plan_.reductions, k); }
  [[nodiscard]] T identity(int k) const { return static_cast<T>(reduction(k).reducer->identity); }

  TilePlan plan_;
  bool is_unbroken_;
  int reductions_;
  std::vector<int> numbers_, moving_;  // loads that are the same number for all tiles, and the other loads
  std::vector<int> direct_;            // loads that are read in place
  std::vector<MicroOp::Run> joins_;    // by reduction
};

template <class T>
TileRunner<T>::TileRunner(TilePlan plan)
    : plan_(std::move(plan)), is_unbroken_(plan_.is_unbroken()), reductions_(count(plan_.reductions)) {
  for (int r = 0; r < count(plan_.loads); ++r) {
    const Source source = at(plan_.loads, r).source;
    const bool number = source == Source::number || source == Source::spread;
    (number ? numbers_ : moving_).push_back(r);
    if (source == Source::direct) direct_.push_back(r);
  }
  for (const auto& reduce : plan_.reductions) joins_.push_back(find_micro_op(reduce.reducer->join)->template run<T>());
}

template <class T>
T TileRunner<T>::number(const KernelCall& call, const TileProgram::Load& load) {
  T value{};
  with_source_type(load.dtype, load.stored, [&](auto zero) {
    value = static_cast<T>(call.template in<decltype(zero)>(load.input)[load.view.offset]);
  });
  return value;
}

template <class T>
void TileRunner<T>::begin(Context& context) const {
  for (const int r : moving_) at(context.phase, r) = at(context.last, r) = -1;
  for (const int r : numbers_) {
    T& value = at(context.numbers, r);
    value = number(context.call, at(plan_.loads, r).from);
    at(context.registers, r) = &value;
    if (at(plan_.loads, r).source != Source::spread) continue;
    fill_row(slot(context, r), std::min(tile, plan_.elements()), value);
    at(context.registers, r) = slot(context, r);
  }
}

template <class T>
void TileRunner<T>::prefetch(const Context& context, int step, std::int64_t flat) const {
  constexpr std::int64_t line = 64 / sizeof(T);
  const std::int64_t steps = count(plan_.steps);
  const std::int64_t begin = tile * step / steps / line * line, end = tile * (step + 1) / steps / line * line;
  for (const int r : direct_) {
    const TileProgram::Load& load = at(plan_.loads, r).from;
    const T* next = context.call.template in<T>(load.input) + load.view.offset + flat + tile;
    for (std::int64_t i = begin; i < end; i += line) __builtin_prefetch(next + i);
  }
}

/// Fills a whole tile of a repeated row, which serves all tiles that begin at the same offset in it. A tile that
/// extends into the next row is gathered.
template <class T>
const T* TileRunner<T>::load_periodic(Context& context, int r, std::int64_t flat, std::int64_t n) const {
  const TilePlan::Load& planned = at(plan_.loads, r);
  const TileProgram::Load& from = planned.from;
  T* into = slot(context, r);
  const auto is_multiple = [&](std::int64_t elements) { return elements >= 0 && elements % tile == 0; };
  if (flat + n <= at(context.last, r) && is_multiple(flat - at(context.first, r))) return into;
  const std::int64_t row = flat / planned.span, within = flat % planned.span, period = planned.period;
  const bool crosses = within + n > planned.span;
  const std::int64_t phase = crosses ? -1 : row * period + within % period;
  if (!crosses && at(context.phase, r) == phase) return into;
  at(context.phase, r) = phase;
  at(context.first, r) = flat;
  at(context.last, r) = !crosses && tile % period == 0 ? flat - within + planned.span : -1;
  with_source_type(from.dtype, from.stored, [&](auto zero) {
    const auto* base = context.call.template in<decltype(zero)>(from.input);
    if (crosses) return gather_view(into, base, from.view, flat, n);
    const auto* values = base + from.view.offset + row * planned.stride;
    const std::int64_t place = within % period, rest = std::min(period - place, tile);
    copy_strided(into, values + place, 1, rest);
    copy_strided(into + rest, values, 1, std::min(period, tile) - rest);
    for (std::int64_t filled = std::min(period, tile); filled < tile; filled *= 2)  // whole periods
      std::copy_n(into, std::min(filled, tile - filled), into + filled);
  });
  return into;
}

/// The address of n elements of a load that changes from tile to tile.
template <class T>
const void* TileRunner<T>::load(Context& context, int r, std::int64_t flat, std::int64_t n) const {
  const TilePlan::Load& planned = at(plan_.loads, r);
  const TileProgram::Load& from = planned.from;
  if (planned.source == Source::direct) return context.call.template in<T>(from.input) + from.view.offset + flat;
  if (planned.source == Source::periodic) return load_periodic(context, r, flat, n);
  if (from.lies_in(plan_.dtype)) {
    const T* run = unbroken_run(context.call.template in<T>(from.input), from.view, flat, n);
    if (run != nullptr) return run;
  }
  T* into = slot(context, r);
  with_source_type(from.dtype, from.stored, [&](auto zero) {
    gather_view(into, context.call.template in<decltype(zero)>(from.input), from.view, flat, n);
  });
  return into;
}

/// Runs one micro-op.
template <class T>
void TileRunner<T>::run_step(Context& context, int s, std::int64_t flat, std::int64_t n) const {
  const TilePlan::Step& step = at(plan_.steps, s);
  if (n == tile && flat + 2 * tile <= plan_.elements()) prefetch(context, s, flat);
  std::array<const void*, 4> operands{};
  std::ranges::transform(step.operands(), operands.begin(), [&](int r) { return at(context.registers, r); });
  T* out = place_of(context, step, flat);
  step.run(out, operands.data(), n);
  at(context.registers, step.out) = out;
}

template <class T>
void TileRunner<T>::compute(Context& context, std::int64_t flat, std::int64_t n) const {
  for (const int r : moving_) at(context.registers, r) = load(context, r, flat, n);
  for (const TilePlan::Loop& loop : plan_.loops) {
    if (!loop.code) {
      run_step(context, loop.first, flat, n);
      continue;
    }
    for (const int s : loop.kept) {
      const TilePlan::Step& step = at(plan_.steps, s);
      at(context.registers, step.out) = place_of(context, step, flat);
    }
    (*loop.code)(context.registers.data(), n);
  }
  for (const auto& [reg, output, stored] : plan_.late_stores) {
    std::byte* out = context.call.outputs[output];
    if (plan_.is_number(reg)) {
      store_number(out, stored, flat, *context.values(reg), n);
    } else {
      store_tile(out, stored, flat, context.values(reg), n);
    }
  }
}

/// Runs one compiled loop over the whole memory, which needs no tiles.
template <class T>
void TileRunner<T>::run_unbroken(const KernelCall& call) const {
  const std::int64_t elements = plan_.elements();
  const TilePlan::Loop& loop = plan_.loops.front();
  call.workers.run((elements + split_elements - 1) / split_elements, [&](std::int64_t part) {
    std::array<const void*, most_registers> registers;  // not initialised: everything that the code reads is set
    std::array<T, most_registers> numbers;
    const std::int64_t begin = part * split_elements;
    for (const int r : moving_) {
      const TileProgram::Load& load = at(plan_.loads, r).from;
      at(registers, r) = call.template in<T>(load.input) + load.view.offset + begin;
    }
    for (const int r : numbers_) {
      at(numbers, r) = number(call, at(plan_.loads, r).from);
      at(registers, r) = &at(numbers, r);
    }
    for (const int s : loop.kept) {
      const TilePlan::Step& step = at(plan_.steps, s);
      at(registers, step.out) = call.template out<T>(*step.output) + begin;
    }
    (*loop.code)(registers.data(), std::min(split_elements, elements - begin));
  });
}

template <class T>
void TileRunner<T>::run_elementwise(const KernelCall& call) const {
  if (is_unbroken_) return run_unbroken(call);
  const std::int64_t elements = plan_.elements();
  const std::int64_t parts = (elements + split_elements - 1) / split_elements;
  call.workers.run(parts, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    const std::int64_t end = std::min(elements, (part + 1) * split_elements);
    for (std::int64_t flat = part * split_elements; flat < end; flat += tile) {
      compute(context, flat, std::min(tile, end - flat));
    }
  });
}

/// Reduces one block of a row; writes one value for each reduction.
template <class T>
void TileRunner<T>::row_block(Context& context, std::int64_t row, std::int64_t block, T* values,
                              std::int64_t value_stride) const {
  alignas(64) T lanes[4][reduce_lanes<T>];
  for (int k = 0; k < reductions_; ++k) std::fill_n(lanes[k], reduce_lanes<T>, identity(k));
  const std::int64_t first = block * reduce_block, end = std::min(plan_.reduced, first + reduce_block);
  for (std::int64_t i = first; i < end; i += tile) {
    const std::int64_t n = std::min(tile, end - i);
    compute(context, row * plan_.reduced + i, n);
    for (int k = 0; k < reductions_; ++k)
      reduction(k).reducer->accumulate(lanes[k], context.values(reduction(k).reg), n);
  }
  for (int k = 0; k < reductions_; ++k) values[k * value_stride] = reduction(k).reducer->fold(lanes[k]);
}

/// Reduces rows of which several fit into a tile.
template <class T>
void TileRunner<T>::short_rows(Context& context, std::int64_t begin, std::int64_t end) const {
  const std::int64_t length = plan_.reduced, together = tile / length;
  for (std::int64_t first = begin; first < end; first += together) {
    const std::int64_t height = std::min(together, end - first);
    compute(context, first * length, height * length);
    for (const auto& reduce : plan_.reductions) {
      const T* x = context.values(reduce.reg);
      T* out = context.call.template out<T>(reduce.output) + first;
      for (std::int64_t row = 0; row < height; ++row) out[row] = reduce.reducer->row(x + row * length, length);
    }
  }
}

/// Joins the blocks of each row, in order.
template <class T>
void TileRunner<T>::join_blocks(const T* values, T* out, int k) const {
  const std::int64_t blocks = plan_.row_blocks();
  for (std::int64_t row = 0; row < plan_.outer; ++row) {
    const T* own = values + row * blocks;
    double total = reduction(k).reducer->identity;  // a sum of blocks is computed in f64 and rounded once
    for (std::int64_t block = 0; block < blocks; ++block) {
      if (reduction(k).reducer->adds) {
        total += static_cast<double>(own[block]);
      } else {
        T joined = static_cast<T>(total);
        join(k, &joined, own + block, 1, 1);
        total = static_cast<double>(joined);
      }
    }
    out[row] = static_cast<T>(total);
  }
}

template <class T>
void TileRunner<T>::run_rows(const KernelCall& call) const {
  const std::int64_t blocks = std::max<std::int64_t>(1, plan_.row_blocks()), units = plan_.outer * blocks;
  T* values = reinterpret_cast<T*>(call.scratch);  // [reduction][row][block], for rows of several blocks
  const std::int64_t unit_elements = std::max<std::int64_t>(1, std::min(plan_.reduced, reduce_block));
  const std::int64_t per_part = std::max<std::int64_t>(1, split_elements / unit_elements);
  call.workers.run((units + per_part - 1) / per_part, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    const std::int64_t end = std::min(units, (part + 1) * per_part);
    if (plan_.reduced > 0 && plan_.reduced <= short_row<T>) return short_rows(context, part * per_part, end);
    for (std::int64_t unit = part * per_part; unit < end; ++unit) {
      if (blocks > 1) {
        row_block(context, unit / blocks, unit % blocks, values + unit, units);
      } else {
        std::array<T, 4> own{};
        row_block(context, unit, 0, own.data(), 1);
        for (int k = 0; k < reductions_; ++k) call.out<T>(reduction(k).output)[unit] = at(own, k);
      }
    }
  });
  if (blocks == 1) return;
  for (int k = 0; k < reductions_; ++k) join_blocks(values + k * units, call.out<T>(reduction(k).output), k);
}

/// Reduces `width` adjacent columns over all rows, one block of rows at a time.
template <class T>
void TileRunner<T>::column_band(Context& context, std::int64_t outer, std::int64_t column, std::int64_t width) const {
  alignas(64) T block_values[4][tile], totals[4][tile];
  alignas(64) double sums[4][tile];  // totals of the reductions that add
  const std::int64_t inner = plan_.inner, rows = plan_.reduced;
  // Narrow rows are computed several at a time: a tile of whole rows is contiguous.
  const std::int64_t together = width == inner ? std::max<std::int64_t>(1, tile / inner) : 1;
  for (int k = 0; k < reductions_; ++k) {
    std::fill_n(totals[k], width, identity(k));
    std::fill_n(sums[k], width, 0);
  }
  for (std::int64_t first = 0; first < rows; first += reduce_block_rows) {
    const std::int64_t end = std::min(rows, first + reduce_block_rows);
    for (int k = 0; k < reductions_; ++k) std::fill_n(block_values[k], width, identity(k));
    for (std::int64_t row = first; row < end; row += together) {
      const std::int64_t height = std::min(together, end - row);
      compute(context, (outer * rows + row) * inner + column, height * width);
      for (int k = 0; k < reductions_; ++k) join(k, block_values[k], context.values(reduction(k).reg), height, width);
    }
    for (int k = 0; k < reductions_; ++k) {
      if (reduction(k).reducer->adds) {
        for (std::int64_t i = 0; i < width; ++i) sums[k][i] += static_cast<double>(block_values[k][i]);
      } else {
        join(k, totals[k], block_values[k], 1, width);
      }
    }
  }
  for (int k = 0; k < reductions_; ++k) {
    if (reduction(k).reducer->adds)
      std::ranges::transform(sums[k], sums[k] + width, totals[k], [](double sum) { return static_cast<T>(sum); });
    std::copy_n(totals[k], width, context.call.template out<T>(reduction(k).output) + outer * inner + column);
  }
}

template <class T>
void TileRunner<T>::run_columns(const KernelCall& call) const {
  const std::int64_t bands = (plan_.inner + tile - 1) / tile;
  const std::int64_t units = plan_.outer * bands;
  const std::int64_t per_part = std::max<std::int64_t>(
      1, split_elements / std::max<std::int64_t>(1, plan_.reduced * std::min(plan_.inner, tile)));
  call.workers.run((units + per_part - 1) / per_part, [&](std::int64_t part) {
    Context context(call);
    begin(context);
    for (std::int64_t unit = part * per_part; unit < std::min(units, (part + 1) * per_part); ++unit) {
      const std::int64_t column = (unit % bands) * tile;
      column_band(context, unit / bands, column, std::min(tile, plan_.inner - column));
    }
  });
}

template <class T>
void TileRunner<T>::run(const KernelCall& call) const {
  if (plan_.reductions.empty()) {
    run_elementwise(call);
  } else if (plan_.inner == 1) {
    run_rows(call);
  } else {
    run_columns(call);
  }
}

/// Everything on which the plan of a program depends.
std::string key_of(const TileProgram& program) {
  std::string key;
  add_to_key(key, program.dtype, program.outer, program.reduced, program.inner, program.compile, program.loads.size(),
             program.steps.size(), program.stores.size());
  for (const TileProgram::Load& load : program.loads) {
    add_to_key(key, load.input, load.dtype, load.stored, load.view.offset, load.view.shape.rank());
    for (int axis = 0; axis < load.view.shape.rank(); ++axis)
      add_to_key(key, load.view.shape[axis], at(load.view.strides, axis));
  }
  for (const TileProgram::Step& step : program.steps) {
    add_to_key(key, step.op);
    for (const int r : step.operands()) add_to_key(key, r);
  }
  for (const TileProgram::Store& store : program.stores) {
    add_to_key(key, store.reg, store.output, store.stored, store.aliases.size());
    for (const int load : store.aliases) add_to_key(key, load);
  }
  for (const TileProgram::Reduce& reduce : program.reductions)
    add_to_key(key, reduce.reducer, reduce.reg, reduce.output);
  return key;
}

template <class T>
Kernel kernel_of(const TileProgram& program) {
  // the groups of a long function are a few, repeated thousands of times
  static SharedByKey<TileRunner<T>> known;
  const auto runner =
      known.get(key_of(program), [&] { return std::make_shared<const TileRunner<T>>(plan_tiles(program)); });
  Kernel kernel{[runner](const KernelCall& call) { runner->run(call); }, runner->plan().scratch()};
  if (runner->plan().is_one_go()) {
    kernel.bind = [runner](const KernelCall& call) -> std::function<void()> {
      const auto bound = std::make_shared<BoundTile<T>>(runner->plan(), call);
      if (bound->is_one_loop()) return [bound] { bound->run_loop(); };
      return [bound] { bound->run(); };
    };
  }
  return kernel;
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
