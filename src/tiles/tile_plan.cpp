#include "tiles/tile_plan.hpp"

#include <bit>
#include <numeric>

#include "core/error.hpp"

namespace thalweg {

namespace {

/// One row, dense, seen again and again.
bool is_repeated_row(const View& view) {
  return view.shape.rank() == 2 && view.strides[0] == 0 && view.strides[1] == 1;
}

}  // namespace

template <class T>
TilePlan<T>::TilePlan(const TileProgram& program) : program_(program) {
  const bool compiled = program_.reductions.empty() &&
                        std::ranges::all_of(program_.steps, [&](const auto& step) { return is_compiled(*step.op); });
  for (TileProgram::Load& load : program_.loads) {
    const bool same = load.dtype == program_.dtype;
    Kind kind = Kind::strided;
    if (same && load.view.is_dense()) {
      kind = Kind::direct;
    } else if (load.view.is_uniform() && (program_.elements() > 1 || compiled)) {
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
  gather_steps();
  plan_steps();
  plan_loops();
  assign_slots();
  for (std::size_t r = 0; r < loads_.size(); ++r) {
    const bool number = loads_[r].kind == Kind::uniform || loads_[r].kind == Kind::splat;
    (number ? numbers_ : moving_).push_back(r);
  }
  for (LoopPlan& loop : loops_) {
    for (std::size_t s = loop.first; loop.code && s < loop.end; ++s) {
      if (steps_[s].kept) loop.kept.push_back(s);
    }
  }
  unbroken_ = loops_.size() == 1 && loops_[0].code && late_stores_.empty() && program_.reductions.empty() &&
              std::ranges::all_of(
                  loads_, [](const LoadPlan& load) { return load.kind == Kind::direct || load.kind == Kind::uniform; });
  for (const auto& reduce : program_.reductions) joins_.push_back(variant(*find_micro_op(reduce.reducer->join), 0));
  const std::int64_t blocks = (program_.reduced + reduce_block - 1) / reduce_block;
  if (!program_.reductions.empty() && program_.inner == 1 && blocks > 1) {
    scratch_ = static_cast<std::size_t>(program_.outer * blocks) * program_.reductions.size() * sizeof(T);
  }
}

/// Puts steps in an order in which those that can be compiled follow each other: each loop is a pass over the tile.
template <class T>
void TilePlan<T>::gather_steps() {
  const std::size_t loads = program_.loads.size(), count = program_.steps.size();
  std::vector<int> place(loads + count, -1);  // of each register in the new order
  std::iota(place.begin(), place.begin() + static_cast<std::ptrdiff_t>(loads), 0);
  std::vector<TileProgram::Step> steps;
  const auto is_ready = [&](const TileProgram::Step& step) {
    const auto operands = std::span(step.registers).first(static_cast<std::size_t>(step.op->arity));
    return std::ranges::all_of(operands, [&](int r) { return place[static_cast<std::size_t>(r)] >= 0; });
  };
  for (bool compiled = true; steps.size() < count; compiled = !compiled) {
    for (std::size_t s = 0; s < count; ++s) {  // in the order given, in which operands come first
      TileProgram::Step step = program_.steps[s];
      int& at = place[loads + s];
      if (at >= 0 || is_compiled(*step.op) != compiled || !is_ready(step)) continue;
      at = static_cast<int>(loads + steps.size());
      for (int i = 0; i < step.op->arity; ++i) {
        int& r = step.registers[static_cast<std::size_t>(i)];
        r = place[static_cast<std::size_t>(r)];
      }
      steps.push_back(step);
    }
  }
  program_.steps = std::move(steps);
  for (TileProgram::Store& store : program_.stores) store.reg = place[static_cast<std::size_t>(store.reg)];
  for (TileProgram::Reduce& reduce : program_.reductions) reduce.reg = place[static_cast<std::size_t>(reduce.reg)];
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
  if (used > max_tile_slots || registers > static_cast<int>(most_registers))
    defect("a tile group of {} registers and {} slots", registers, used);
  slots_ = used;
}

template TilePlan<float>::TilePlan(const TileProgram& program);
template TilePlan<double>::TilePlan(const TileProgram& program);

}  // namespace thalweg
