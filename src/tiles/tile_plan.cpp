#include "tiles/tile_plan.hpp"

#include <bit>

#include "core/error.hpp"

namespace thalweg {

namespace {

using Source = TilePlan::Source;

bool is_compiled(const TileProgram& program, const TileProgram::Step& step) {
  return program.compile && TileCode::is_available() && step.op->is_arithmetic();
}

/// Whether one reduction is the only reader of a register.
bool is_reduced_alone(const TileProgram& program, int reg) {
  const auto reads = [&](const TileProgram::Step& step) {
    return std::ranges::find(step.operands(), reg) != step.operands().end();
  };
  const auto stores = [&](const TileProgram::Store& store) { return store.reg == reg; };
  const auto reduces = [&](const TileProgram::Reduce& reduce) { return reduce.reg == reg; };
  return std::ranges::none_of(program.steps, reads) && std::ranges::none_of(program.stores, stores) &&
         std::ranges::count_if(program.reductions, reduces) == 1;
}

/// Lets a sum of squares along rows square the elements itself, so that the squares need no tile.
TileProgram with_squares_summed(TileProgram program) {
  if (program.inner != 1) return program;
  const int loads = count(program.loads);
  for (TileProgram::Reduce& reduce : program.reductions) {
    const int s = reduce.reg - loads;
    if (s < 0 || reduce.reducer->name != "sum" || at(program.steps, s).op->name != "square") continue;
    if (!is_reduced_alone(program, reduce.reg)) continue;
    reduce = {find_reducer("sum_of_squares"), at(program.steps, s).registers[0], reduce.output};
    program.steps.erase(program.steps.begin() + s);
    const auto move_up = [gone = loads + s](int& r) { r -= r > gone ? 1 : 0; };
    for (TileProgram::Step& step : program.steps) std::ranges::for_each(step.operands(), move_up);
    for (TileProgram::Store& store : program.stores) move_up(store.reg);
    for (TileProgram::Reduce& other : program.reductions) move_up(other.reg);
  }
  return program;
}

/// The program with its steps reordered so that compiled steps follow each other: each loop is a pass over the tile.
TileProgram with_compiled_steps_together(const TileProgram& given) {
  TileProgram program = given;
  program.steps.clear();
  const int loads = count(given.loads), steps = count(given.steps);
  std::vector<std::optional<int>> moved(given.loads.size() + given.steps.size());  // the new number of each register
  for (int r = 0; r < loads; ++r) at(moved, r) = r;
  const auto is_ready = [&](const TileProgram::Step& step) {
    return std::ranges::all_of(step.operands(), [&](int r) { return at(moved, r).has_value(); });
  };
  for (bool compiled = true; count(program.steps) < steps; compiled = !compiled) {
    for (int s = 0; s < steps; ++s) {  // in the given order, in which operands come first
      TileProgram::Step step = at(given.steps, s);
      std::optional<int>& place = at(moved, loads + s);
      if (place || is_compiled(given, step) != compiled || !is_ready(step)) continue;
      place = loads + count(program.steps);
      for (int& r : step.operands()) r = *at(moved, r);
      program.steps.push_back(step);
    }
  }
  for (TileProgram::Store& store : program.stores) store.reg = *at(moved, store.reg);
  for (TileProgram::Reduce& reduce : program.reductions) reduce.reg = *at(moved, reduce.reg);
  return program;
}

/// Whether it consists of dense rows, each repeated the same number of times before the next.
bool is_repeated_row(const View& view) {
  const int rank = view.shape.rank();
  if (rank != 2 && rank != 3) return false;
  return at(view.strides, rank - 2) == 0 && at(view.strides, rank - 1) == 1;
}

/// Whether a load of one value may be passed to the steps as a number.
bool can_be_number(const TileProgram& program, int load) {
  for (const TileProgram::Reduce& reduce : program.reductions) {
    if (reduce.reg == load) return false;  // a reduction reads a tile
  }
  return program.elements() > 1 || program.reductions.empty();
}

TilePlan::Load plan_load(const TileProgram& program, int index, std::int64_t tile) {
  TileProgram::Load load = at(program.loads, index);
  const bool direct = load.lies_in(program.dtype) && load.view.is_dense();
  const bool number = load.view.is_uniform() && can_be_number(program, index);
  load.view = load.view.collapse();
  if (number) return {load, Source::number};
  if (direct) return {load, Source::direct};
  if (is_repeated_row(load.view) && load.view.shape[-1] <= tile) {
    const Shape& shape = load.view.shape;
    return {load, Source::periodic, shape[-1], shape[-2] * shape[-1], shape.rank() == 3 ? load.view.strides[0] : 0};
  }
  return {load, Source::gathered};
}

/// A set of operands, bit i for operand i.
using OperandSet = unsigned;
bool contains(OperandSet set, std::size_t operand) { return (set >> operand & 1U) != 0; }

const std::array<MicroOp::Run, 16>& variants(const MicroOp& op, DType dtype) { return dtype == f32 ? op.f32 : op.f64; }

/// The variant of a micro-op that takes as many of `numbers` as single numbers as it has loops for.
OperandSet best_variant(const MicroOp& op, DType dtype, OperandSet numbers) {
  OperandSet best = 0;
  for (OperandSet set = 0; set < 16; ++set) {
    const bool exists = (set & ~numbers) == 0 && variants(op, dtype)[set] != nullptr;
    if (exists && std::popcount(set) > std::popcount(best)) best = set;
  }
  return best;
}

/// How a step is called.
struct StepCall {
  MicroOp::Run run;   // null if the step is compiled
  OperandSet spread;  // operands that are one number, but of which the micro-op needs a tile
};

StepCall plan_call(const TilePlan& plan, const TileProgram& program, const TileProgram::Step& step) {
  if (is_compiled(program, step)) return {nullptr, 0};  // compiled code takes a number as any operand
  OperandSet numbers = 0;
  for (std::size_t i = 0; i < step.operands().size(); ++i) {
    const int r = step.registers[i];
    if (r < count(program.loads) && plan.is_number(r)) numbers |= 1U << i;
  }
  const OperandSet taken = best_variant(*step.op, program.dtype, numbers);
  return {variants(*step.op, program.dtype)[taken], numbers & ~taken};
}

/// Adds the steps, and a second load of each number that a step needs as a tile. Returns by how many the registers of
/// the steps move up because of these loads.
int add_steps(TilePlan& plan, const TileProgram& program) {
  const int loads = count(program.loads);
  std::vector<StepCall> calls;
  std::vector<std::optional<int>> spread_copy(program.loads.size());  // for each load, the register of its second copy
  for (const TileProgram::Step& step : program.steps) {
    calls.push_back(plan_call(plan, program, step));
    for (std::size_t i = 0; i < step.operands().size(); ++i) {
      if (!contains(calls.back().spread, i)) continue;
      std::optional<int>& copy = at(spread_copy, step.registers[i]);
      if (copy) continue;
      copy = count(plan.loads);
      plan.loads.push_back({at(plan.loads, step.registers[i]).from, Source::spread});
    }
  }
  const int added = count(plan.loads) - loads;
  for (int s = 0; s < count(program.steps); ++s) {
    TileProgram::Step step = at(program.steps, s);
    const StepCall& call = at(calls, s);
    for (std::size_t i = 0; i < step.operands().size(); ++i) {
      int& r = step.registers[i];
      if (contains(call.spread, i)) {
        r = *at(spread_copy, r);
      } else if (r >= loads) {
        r += added;
      }
    }
    plan.steps.push_back({step.op, call.run, loads + added + s, step.registers});
  }
  return added;
}

/// Which results are used outside the steps, and up to which step each register is read.
struct Uses {
  std::vector<bool> is_result;  // by register: whether it is stored or reduced
  std::vector<int> end;         // by register: one past the last step that reads it

  Uses(const TilePlan& plan, const std::vector<TileProgram::Store>& stores)
      : is_result(plan.loads.size() + plan.steps.size()), end(is_result.size(), 0) {
    for (const TileProgram::Store& store : stores) at(is_result, store.reg) = true;
    for (const TileProgram::Reduce& reduce : plan.reductions) at(is_result, reduce.reg) = true;
    for (int s = 0; s < count(plan.steps); ++s) {
      for (const int r : at(plan.steps, s).operands()) at(end, r) = s + 1;
    }
  }
};

/// The loop of `steps`, whose first one is step number `first`.
TileLoop loop_of(const TilePlan& plan, const Uses& uses, std::span<const TileStep> steps, int first) {
  const std::size_t registers = uses.end.size();
  TileLoop loop{plan.dtype, steps, std::vector<bool>(registers), std::vector<bool>(registers),
                std::vector<bool>(registers)};
  for (int r = 0; r < count(plan.loads); ++r) {
    at(loop.is_number, r) = plan.is_number(r);
    at(loop.prefetched, r) = at(plan.loads, r).source == Source::direct;
  }
  const int end = first + count(steps);
  for (const TileStep& step : steps)
    at(loop.is_kept, step.out) = at(uses.is_result, step.out) || at(uses.end, step.out) > end;
  return loop;
}

/// The longest loop of compiled steps from `first` on whose values fit into the registers; empty if that step is not
/// compiled.
std::vector<TileStep> longest_loop(const TilePlan& plan, const Uses& uses, int first) {
  std::vector<TileStep> steps;
  while (first + count(steps) < count(plan.steps)) {
    const TilePlan::Step& next = at(plan.steps, first + count(steps));
    if (next.run != nullptr) break;
    steps.push_back({next.op, next.out, next.in});
    if (TileCode::fits(loop_of(plan, uses, steps, first))) continue;
    steps.pop_back();
    break;
  }
  return steps;
}

void add_loops(TilePlan& plan, const Uses& uses) {
  for (int first = 0; first < count(plan.steps);) {
    const std::vector<TileStep> steps = longest_loop(plan, uses, first);
    TilePlan::Loop loop{first, first + std::max(1, count(steps))};
    if (!steps.empty()) {
      const TileLoop code = loop_of(plan, uses, steps, first);
      loop.code.emplace(code);
      for (int s = loop.first; s < loop.end; ++s) {
        TilePlan::Step& step = at(plan.steps, s);
        step.is_kept = at(code.is_kept, step.out);
        if (step.is_kept) loop.kept.push_back(s);
      }
    }
    first = loop.end;
    plan.loops.push_back(std::move(loop));
  }
}

/// A step writes directly to an output unless a later step still reads memory that may be the same.
void place_results(TilePlan& plan, const Uses& uses, const std::vector<TileProgram::Store>& stores) {
  const int loads = count(plan.loads);
  for (const TileProgram::Store& store : stores) {
    const int s = store.reg - loads;
    const bool direct = s >= 0 && store.stored == Stored::plain && !at(plan.steps, s).output &&
                        std::ranges::all_of(store.aliases, [&](int load) { return at(uses.end, load) <= s + 1; });
    if (direct) {
      at(plan.steps, s).output = store.output;
    } else {
      plan.late_stores.push_back({store.reg, store.output, store.stored});
    }
  }
}

/// Assigns slots to registers, and frees those of registers that are no longer read.
class Slots {
 public:
  Slots(TilePlan& plan, const Uses& uses) : plan_(plan), end_(uses.end), stays_(end_.size()) {
    plan_.slot_of.resize(end_.size());
    for (const auto& store : plan_.late_stores) at(stays_, store.reg) = true;
    for (const auto& reduce : plan_.reductions) at(stays_, reduce.reg) = true;
  }

  void assign() {
    for (int r = 0; r < count(plan_.loads); ++r) {
      const Source source = at(plan_.loads, r).source;
      const bool stays = source == Source::spread || source == Source::periodic;  // filled for many tiles
      if (stays) at(stays_, r) = true;
      if (stays || source == Source::gathered) at(plan_.slot_of, r) = take();
    }
    for (int s = 0; s < count(plan_.steps); ++s) {
      const TilePlan::Step& step = at(plan_.steps, s);
      give_back(step.operands(), s + 1);
      if (!step.output && step.is_kept) at(plan_.slot_of, step.out) = take();
    }
  }

 private:
  int take() {
    if (free_.empty()) return plan_.slots++;
    const int slot = free_.back();
    free_.pop_back();
    return slot;
  }
  /// Frees the slots of registers that no step from `step` on reads.
  void give_back(std::span<const int> registers, int step) {
    for (auto r = registers.begin(); r != registers.end(); ++r) {
      const bool seen = std::find(registers.begin(), r, *r) != r;
      if (seen || at(stays_, *r) || at(end_, *r) != step) continue;
      if (const std::optional<int>& slot = at(plan_.slot_of, *r)) free_.push_back(*slot);
    }
  }

  TilePlan& plan_;
  const std::vector<int>& end_;
  std::vector<bool> stays_;  // by register: whether its slot is never freed
  std::vector<int> free_;
};

}  // namespace

TilePlan plan_tiles(const TileProgram& given) {
  TileProgram program = with_compiled_steps_together(with_squares_summed(given));
  TilePlan plan{.dtype = program.dtype, .outer = program.outer, .reduced = program.reduced, .inner = program.inner};
  for (int r = 0; r < count(program.loads); ++r) plan.loads.push_back(plan_load(program, r, plan.tile_elements()));
  const int loads = count(program.loads), added = add_steps(plan, program);
  for (TileProgram::Store& store : program.stores) store.reg += store.reg < loads ? 0 : added;
  for (TileProgram::Reduce& reduce : program.reductions) reduce.reg += reduce.reg < loads ? 0 : added;
  plan.reductions = program.reductions;

  const Uses uses(plan, program.stores);
  add_loops(plan, uses);
  place_results(plan, uses, program.stores);
  Slots(plan, uses).assign();
  if (plan.slots > max_tile_slots || count(plan.slot_of) > TilePlan::most_registers)
    defect("a tile group of {} registers and {} slots", plan.slot_of.size(), plan.slots);
  return plan;
}

bool TilePlan::is_unbroken() const {
  return loops.size() == 1 && loops[0].code && late_stores.empty() && reductions.empty() &&
         std::ranges::all_of(
             loads, [](const Load& load) { return load.source == Source::direct || load.source == Source::number; });
}

bool TilePlan::is_one_go() const {
  return elements() > 0 && elements() <= (is_unbroken() ? split_elements : tile_elements()) &&
         (reductions.empty() || outer * inner == 1);
}

std::size_t TilePlan::scratch() const {
  if (reductions.empty() || inner != 1 || row_blocks() <= 1) return 0;
  return static_cast<std::size_t>(outer * row_blocks()) * reductions.size() * size_of(dtype);
}

}  // namespace thalweg
