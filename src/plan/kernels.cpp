// From instructions to kernels: a group becomes a tile program.

#include <algorithm>
#include <unordered_map>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "plan/step_merges.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

/// The micro-ops of kernels, each found by its name only once.
class KnownMicroOps {
 public:
  const MicroOp* of(const OpKernel& kernel) {
    const MicroOp*& op = known_[&kernel];
    if (op == nullptr) op = find_micro_op(kernel.micro);
    if (op == nullptr) defect("no micro-op is named '{}'", kernel.micro);
    return op;
  }

 private:
  std::unordered_map<const OpKernel*, const MicroOp*> known_;
};

class TileBuilder {
 public:
  TileBuilder(const Plan& plan, const Instruction& instruction, KnownMicroOps& known)
      : plan_(plan), instruction_(instruction), known_(known), registers_(instruction.items.size()) {}

  TileProgram build() {
    set_extent();
    for (const ItemId i : instruction_.items) {
      for (const Read& read : plan_.items[i].reads) {
        if (position_of(read) < 0) load_of(read);
      }
    }
    for (int k = 0; k < count(instruction_.items); ++k) {
      const Item& item = plan_.items[at(instruction_.items, k)];
      if (item.kind == ItemKind::elementwise) at(registers_, k) = add_steps(item);
    }
    for (int k = 0; k < count(instruction_.items); ++k) {
      const Item& item = plan_.items[at(instruction_.items, k)];
      const int output = output_of(item.value);
      if (item.kind == ItemKind::reduce) {
        program_.reductions.push_back({find_reducer(item.kernel->micro), reg_of(item.reads[0]), output});
      } else if (output >= 0) {
        program_.stores.push_back({at(registers_, k), output, aliases(item.value), plan_.values[item.value].stored});
      }
    }
    merge_steps(program_);
    return std::move(program_);
  }

 private:
  /// The position of the item that computes what is read, or -1 if it is not of this instruction.
  [[nodiscard]] int position_of(const Read& read) const {
    const auto producer = plan_.producer(read);
    const auto found = std::ranges::lower_bound(instruction_.items, producer);
    return found == instruction_.items.end() || *found != producer
               ? -1
               : static_cast<int>(found - instruction_.items.begin());
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
    const auto known = std::ranges::find_if(loads_, [&](const Read* load) { return *load == read; });
    if (known != loads_.end()) return static_cast<int>(known - loads_.begin());
    const auto input = std::ranges::find(instruction_.inputs, read.value) - instruction_.inputs.begin();
    program_.loads.push_back(
        {static_cast<int>(input), read.view, plan_.dtype(read.value), plan_.values[read.value].stored});
    loads_.push_back(&read);
    return count(loads_) - 1;
  }

  int reg_of(const Read& read) {
    const int position = position_of(read);
    return position < 0 ? load_of(read) : at(registers_, position);
  }

  /// Adds the steps of an item, and returns the register of its value.
  int add_steps(const Item& item) {
    TileProgram::Step step{known_.of(*item.kernel), {0, 0, 0, 0}};
    for (int k = 0; k < count(item.reads); ++k) at(step.registers, k) = reg_of(at(item.reads, k));
    const int reg = add_step(step);
    if (plan_.values[item.value].stored != Stored::bf16) return reg;
    // the same view as where this value is read from memory
    return add_step({find_micro_op("round_to_bf16"), {reg, 0, 0, 0}});
  }

  int add_step(const TileProgram::Step& step) {
    program_.steps.push_back(step);
    return count(loads_) + count(program_.steps) - 1;
  }

  /// Loads from the same memory as this output.
  [[nodiscard]] std::vector<int> aliases(ValueId value) const {
    std::vector<int> found;
    for (int k = 0; k < count(loads_); ++k) {
      if (plan_.values[at(loads_, k)->value].place == plan_.values[value].place) found.push_back(k);
    }
    return found;
  }

  const Plan& plan_;
  const Instruction& instruction_;
  KnownMicroOps& known_;
  TileProgram program_;
  std::vector<const Read*> loads_;
  std::vector<int> registers_;  // by item: the register of its value, if it is elementwise
};

/// Makes the kernel of an opaque op, and counts its operations.
void make_opaque(const Plan& plan, const Item& item, Instruction& instruction, Device& device) {
  const Signature& output = plan.values[item.value].signature;
  if (item.kernel->make == nullptr) {
    instruction.kernel = device.copy(item.reads[0].view, output.dtype);
    return;
  }
  const std::vector<Signature> inputs = inputs_of(plan, item);
  std::vector<Stored> stored;
  for (const Read& read : item.reads) {
    const Stored lies = plan.values[read.value].stored;
    const bool rounds = item.rounds && plan.dtype(read.value) == f32 && lies == Stored::plain;
    stored.push_back(rounds ? Stored::rounded : lies);
  }
  const KernelSite site{
      inputs,   output, item.attributes->ints, item.attributes->number, stored, plan.values[item.value].stored,
      item.name};
  instruction.kernel = device.op(*item.kernel, site);
  instruction.operations = operations_of(plan, item);
}

}  // namespace

std::vector<Signature> inputs_of(const Plan& plan, const Item& item) {
  std::vector<Signature> inputs;
  // the op gets the shape of its input, which a view may have changed
  for (const Read& read : item.reads) inputs.push_back({read.view.shape, plan.dtype(read.value)});
  return inputs;
}

std::int64_t operations_of(const Plan& plan, const Item& item) {
  const Signature& output = plan.values[item.value].signature;
  if (item.kernel == nullptr || item.kernel->operations == nullptr) return output.shape.size();
  const std::vector<Signature> inputs = inputs_of(plan, item);
  return item.kernel->operations({inputs, output, item.attributes->ints, item.attributes->number});
}

void make_kernels(Plan& plan, bool compile, Device& device) {
  KnownMicroOps known;
  for (Instruction& instruction : plan.instructions) {
    const Item& first = plan.items[instruction.items[0]];
    if (first.kind == ItemKind::opaque) {
      make_opaque(plan, first, instruction, device);
    } else {
      for (const ItemId i : instruction.items) instruction.operations += plan.items[i].elements();
      TileProgram program = TileBuilder(plan, instruction, known).build();
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
