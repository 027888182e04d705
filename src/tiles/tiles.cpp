#include "tiles/tiles.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/error.hpp"
#include "tiles/bound_tile.hpp"
#include "tiles/gather.hpp"
#include "tiles/tile_plan.hpp"

namespace thalweg {

template <class T>
T TilePlan<T>::number(const KernelCall& call, const TileProgram::Load& load) const {
  T value{};
  with_source_type(load.dtype, [&](auto zero) {
    value = static_cast<T>(call.template in<decltype(zero)>(load.input)[load.view.offset]);
  });
  return value;
}

template <class T>
void TilePlan<T>::begin(Context& context) const {
  for (const std::size_t r : moving_) context.phase[r] = -1;
  std::size_t uniforms = 0;
  for (const std::size_t r : numbers_) {
    T& value = context.uniforms[uniforms++];
    value = number(context.call, program_.loads[r]);
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
  for (const std::size_t r : moving_) {
    const TileProgram::Load& load = program_.loads[r];
    if (loads_[r].kind == Kind::direct) {
      context.registers[r] = context.call.template in<T>(load.input) + load.view.offset + flat;
    } else if (loads_[r].kind == Kind::periodic) {
      load_periodic(context, r, flat);
    } else {
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
    for (const std::size_t s : loop.kept)
      context.registers[static_cast<std::size_t>(steps_[s].out)] = place_of(context, steps_[s], flat);
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

/// One compiled loop from memory to memory, which needs no tiles.
template <class T>
void TilePlan<T>::run_unbroken(const KernelCall& call) const {
  const std::int64_t elements = program_.elements();
  call.workers.run((elements + split_elements - 1) / split_elements, [&](std::int64_t part) {
    std::array<const void*, most_registers> registers;  // not cleared: what the code reads is set
    std::array<T, most_registers> numbers;
    const std::int64_t begin = part * split_elements;
    for (const std::size_t r : moving_) {
      const TileProgram::Load& load = program_.loads[r];
      registers[r] = call.template in<T>(load.input) + load.view.offset + begin;
    }
    for (const std::size_t r : numbers_) {
      numbers[r] = number(call, program_.loads[r]);
      registers[r] = &numbers[r];
    }
    for (const std::size_t s : loops_[0].kept) {
      const StepPlan& step = steps_[s];
      registers[static_cast<std::size_t>(step.out)] = call.template out<T>(step.direct_output) + begin;
    }
    (*loops_[0].code)(registers.data(), static_cast<std::size_t>(std::min(split_elements, elements - begin)));
  });
}

template <class T>
void TilePlan<T>::run_elementwise(const KernelCall& call) const {
  if (unbroken_) return run_unbroken(call);
  const std::int64_t elements = program_.elements();
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
      reduce.reducer->accumulate(lanes[k],
                                 static_cast<const T*>(context.registers[static_cast<std::size_t>(reduce.reg)]),
                                 static_cast<std::size_t>(n));
    }
  }
  for (std::size_t k = 0; k < count; ++k)
    values[static_cast<std::int64_t>(k) * value_stride] = program_.reductions[k].reducer->fold(lanes[k]);
}

/// Rows of which several fill a tile.
template <class T>
void TilePlan<T>::short_rows(Context& context, std::int64_t begin, std::int64_t end) const {
  const std::int64_t length = program_.reduced, together = tile / length;
  for (std::int64_t first = begin; first < end; first += together) {
    const std::int64_t height = std::min(together, end - first);
    compute(context, first * length, height * length);
    for (const auto& reduce : program_.reductions) {
      const T* x = static_cast<const T*>(context.registers[static_cast<std::size_t>(reduce.reg)]);
      T* out = context.call.template out<T>(reduce.output) + first;
      for (std::int64_t row = 0; row < height; ++row)
        out[row] = reduce.reducer->row(x + row * length, static_cast<std::size_t>(length));
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

namespace {

template <class T>
Kernel kernel_of(const TileProgram& program) {
  auto plan = std::make_shared<const TilePlan<T>>(program);
  Kernel kernel{[plan](const KernelCall& call) { plan->run(call); }, plan->scratch()};
  if (plan->is_one_go()) {
    kernel.bind = [plan](const KernelCall& call) -> std::function<void()> {
      const auto bound = std::make_shared<BoundTile<T>>(*plan, call);
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
