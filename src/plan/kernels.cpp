// From instructions to kernels: a group becomes a tile program.

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "plan/step_merges.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

class TileBuilder {
 public:
  TileBuilder(const Plan& plan, const Instruction& instruction) : plan_(plan), instruction_(instruction) {}

  TileProgram build() {
    set_extent();
    for (const ItemId i : instruction_.items) {
      for (const Read& read : plan_.items[i].reads) {
        if (!inside(read)) load_of(read);
      }
    }
    for (const ItemId i : instruction_.items) {
      if (plan_.items[i].kind == ItemKind::elementwise) add_step(plan_.items[i]);
    }
    for (const ItemId i : instruction_.items) {
      const Item& item = plan_.items[i];
      const int output = output_of(item.value);
      if (item.kind == ItemKind::reduce) {
        program_.reductions.push_back({find_reducer(item.kernel->micro), reg_of(item.reads[0]), output});
      } else if (output >= 0) {
        program_.stores.push_back(
            {registers_.at(item.value), output, aliases(item.value), plan_.values[item.value].stored});
      }
    }
    merge_steps(program_);
    return std::move(program_);
  }

 private:
  [[nodiscard]] bool inside(const Read& read) const {
    return std::ranges::binary_search(instruction_.items, plan_.producer(read));
  }
  [[nodiscard]] int output_of(ValueId value) const {
    const auto found = std::ranges::find(instruction_.outputs, value);
    return found == instruction_.outputs.end() ? -1 : static_cast<int>(found - instruction_.outputs.begin());
  }

  void set_extent() {
    const Item& first = plan_.items[instruction_.items[0]];
    program_.dtype = plan_.dtype(first.value);
    program_.outer = first.elements();
    for (const ItemId i : instruction_.items) {
      if (plan_.items[i].kind != ItemKind::reduce) continue;
      const Shape& shape = plan_.items[i].reads[0].view.shape;
      program_.outer = shape[0];
      program_.reduced = shape[1];
      program_.inner = shape[2];
    }
  }

  int load_of(const Read& read) {
    const auto known = std::ranges::find(loads_, read);
    if (known != loads_.end()) return static_cast<int>(known - loads_.begin());
    const auto input = std::ranges::find(instruction_.inputs, read.value) - instruction_.inputs.begin();
    program_.loads.push_back(
        {static_cast<int>(input), read.view, plan_.dtype(read.value), plan_.values[read.value].stored});
    loads_.push_back(read);
    return count(loads_) - 1;
  }

  int reg_of(const Read& read) { return inside(read) ? registers_.at(read.value) : load_of(read); }

  void add_step(const Item& item) {
    const MicroOp* op = find_micro_op(item.kernel->micro);
    if (op == nullptr) defect("no micro-op is named '{}'", item.kernel->micro);
    TileProgram::Step step{op, {0, 0, 0, 0}};
    for (int k = 0; k < count(item.reads); ++k) at(step.registers, k) = reg_of(at(item.reads, k));
    add_step_of(item.value, step);
    // the same view as where this value is read from memory
    if (plan_.values[item.value].stored == Stored::bf16)
      add_step_of(item.value, {find_micro_op("round_to_bf16"), {registers_.at(item.value), 0, 0, 0}});
  }

  void add_step_of(ValueId value, const TileProgram::Step& step) {
    registers_[value] = count(loads_) + count(program_.steps);
    program_.steps.push_back(step);
  }

  /// Loads from the same memory as this output.
  [[nodiscard]] std::vector<int> aliases(ValueId value) const {
    std::vector<int> found;
    for (int k = 0; k < count(loads_); ++k) {
      if (plan_.values[at(loads_, k).value].place == plan_.values[value].place) found.push_back(k);
    }
    return found;
  }

  const Plan& plan_;
  const Instruction& instruction_;
  TileProgram program_;
  std::vector<Read> loads_;
  std::map<ValueId, int> registers_;  // the registers of values computed here
};

/// Makes the kernel of an opaque op, and counts its operations.
void make_opaque(const Plan& plan, const Item& item, Instruction& instruction, Device& device) {
  const Signature& output = plan.values[item.value].signature;
  if (item.kernel->make == nullptr) {
    instruction.kernel = device.copy(item.reads[0].view, output.dtype);
    return;
  }
  std::vector<Signature> inputs;
  std::vector<Stored> stored;
  for (const Read& read : item.reads) {
    // the op gets the shape of its input, which a view may have changed
    inputs.push_back({read.view.shape, plan.dtype(read.value)});
    const Stored lies = plan.values[read.value].stored;
    const bool rounds = item.rounds && inputs.back().dtype == f32 && lies == Stored::plain;
    stored.push_back(rounds ? Stored::rounded : lies);
  }
  const KernelSite site{
      inputs,   output, item.attributes->ints, item.attributes->number, stored, plan.values[item.value].stored,
      item.name};
  instruction.kernel = device.op(*item.kernel, site);
  instruction.operations = item.kernel->operations ? item.kernel->operations(site) : output.shape.size();
}

}  // namespace

void make_kernels(Plan& plan, bool compile, Device& device) {
  for (Instruction& instruction : plan.instructions) {
    const Item& first = plan.items[instruction.items[0]];
    if (first.kind == ItemKind::opaque) {
      make_opaque(plan, first, instruction, device);
    } else {
      for (const ItemId i : instruction.items) instruction.operations += plan.items[i].elements();
      TileProgram program = TileBuilder(plan, instruction).build();
      program.compile = compile;
      instruction.kernel = device.tiles(program);
    }
    instruction.scratch = {arena_base, plan.arena_bytes};
  }
  std::size_t scratch = 0;  // shared by all instructions, because they run one after another
  for (const Instruction& instruction : plan.instructions) scratch = std::max(scratch, instruction.kernel.scratch);
  plan.arena_bytes += static_cast<std::int64_t>((scratch + 63) / 64 * 64);
}

}  // namespace thalweg
