// From instructions to kernels: a group becomes a tile program, pairs of micro-ops become richer ones.

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

class TileBuilder {
 public:
  TileBuilder(const Plan& plan, const Instruction& instruction) : plan_(plan), instruction_(instruction) {}

  TileProgram build() {
    set_extent();
    for (int i : instruction_.items) {
      for (const Read& read : item(i).reads) {
        if (!inside(read.value)) load_of(read);
      }
    }
    for (int i : instruction_.items) {
      if (item(i).kind == ItemKind::elementwise) add_step(item(i));
    }
    for (int i : instruction_.items) {
      if (item(i).kind == ItemKind::reduce) {
        const Reducer* reducer = find_reducer(item(i).kernel->micro);
        program_.reductions.push_back({reducer, reg_of(item(i).reads[0]), output_of(item(i).value)});
      } else if (const int output = output_of(item(i).value); output >= 0) {
        program_.stores.push_back({registers_.at(item(i).value), output, aliases(item(i).value)});
      }
    }
    merge_pairs();
    return std::move(program_);
  }

 private:
  [[nodiscard]] const Item& item(int i) const { return plan_.items[static_cast<std::size_t>(i)]; }
  [[nodiscard]] const PlanValue& value(int v) const { return plan_.values[static_cast<std::size_t>(v)]; }
  [[nodiscard]] bool inside(int v) const {
    return std::ranges::find(instruction_.items, value(v).producer) != instruction_.items.end() &&
           value(v).producer >= 0;
  }
  [[nodiscard]] int output_of(int v) const {
    const auto found = std::ranges::find(instruction_.outputs, v);
    return found == instruction_.outputs.end() ? -1 : static_cast<int>(found - instruction_.outputs.begin());
  }

  void set_extent() {
    program_.dtype = value(item(instruction_.items[0]).value).signature.dtype;
    program_.outer = item(instruction_.items[0]).elements();
    for (int i : instruction_.items) {
      if (item(i).kind != ItemKind::reduce) continue;
      const Shape& shape = item(i).reads[0].view.shape;
      program_.outer = shape[0];
      program_.reduced = shape[1];
      program_.inner = shape[2];
    }
  }

  int load_of(const Read& read) {
    for (std::size_t k = 0; k < loads_.size(); ++k) {
      if (loads_[k] == read) return static_cast<int>(k);
    }
    loads_.push_back(read);
    const auto input = std::ranges::find(instruction_.inputs, read.value) - instruction_.inputs.begin();
    program_.loads.push_back({static_cast<int>(input), read.view, value(read.value).signature.dtype});
    return static_cast<int>(loads_.size()) - 1;
  }

  int reg_of(const Read& read) { return inside(read.value) ? registers_.at(read.value) : load_of(read); }

  void add_step(const Item& it) {
    const MicroOp* op = find_micro_op(it.kernel->micro);
    if (op == nullptr) defect("no micro-op is named '{}'", it.kernel->micro);
    TileProgram::Step step{op, {0, 0, 0, 0}};
    for (std::size_t k = 0; k < it.reads.size(); ++k) step.registers[k] = reg_of(it.reads[k]);
    registers_[it.value] = static_cast<int>(loads_.size() + program_.steps.size());
    program_.steps.push_back(step);
  }

  /// Loads of what lies in the same memory as this output.
  [[nodiscard]] std::vector<int> aliases(int v) const {
    std::vector<int> found;
    for (std::size_t k = 0; k < loads_.size(); ++k) {
      if (value(loads_[k].value).place == value(v).place) found.push_back(static_cast<int>(k));
    }
    return found;
  }

  /// The step that computes a register, where nothing else needs it.
  [[nodiscard]] int sole_step(int reg, std::string_view op) const {
    const int index = reg - static_cast<int>(loads_.size());
    if (index < 0 || program_.steps[static_cast<std::size_t>(index)].op->name != op) return -1;
    int uses = 0;
    for (const auto& step : program_.steps) {
      uses += static_cast<int>(std::count(step.registers.begin(), step.registers.begin() + step.op->arity, reg));
    }
    for (const auto& store : program_.stores) uses += store.reg == reg;
    for (const auto& reduce : program_.reductions) uses += reduce.reg == reg;
    return uses == 1 ? index : -1;
  }

  void replace(TileProgram::Step& step, std::string_view op, std::array<int, 4> registers) {
    step = {find_micro_op(op), registers};
  }

  /// Runs of simple micro-ops as one richer micro-op, where the parts are needed for nothing else. Rounds as its parts.
  void merge_pairs() {
    for (auto& step : program_.steps) {
      if (step.op->name == "add" || step.op->name == "sub") merge_products(step);
    }
    for (auto& step : program_.steps) merge_roots_and_quotients(step);
    drop_unused_steps();
  }

  [[nodiscard]] std::array<int, 4> operands(int step) const {
    return program_.steps[static_cast<std::size_t>(step)].registers;
  }

  /// a b + c d, a b + c, a b - c, c - a b.
  void merge_products(TileProgram::Step& step) {
    const bool add = step.op->name == "add";
    const int left = sole_step(step.registers[0], "mul"), right = sole_step(step.registers[1], "mul");
    if (add && left >= 0 && right >= 0 && left != right) {
      merge_blend(step, operands(left), operands(right));
    } else if (left >= 0) {
      replace(step, add ? "mul_add" : "mul_sub", {operands(left)[0], operands(left)[1], step.registers[1], 0});
    } else if (right >= 0) {
      replace(step, add ? "mul_add" : "sub_mul", {operands(right)[0], operands(right)[1], step.registers[0], 0});
    } else if (const int square = sole_step(step.registers[1], "square"); add && square >= 0) {
      replace(step, "mul_add", {operands(square)[0], operands(square)[0], step.registers[0], 0});
    }
  }

  /// sqrt(a) b + c, sqrt(a) + b, a b / c: the ends of most update rules.
  void merge_roots_and_quotients(TileProgram::Step& step) {
    const auto [a, b, c, unused] = step.registers;
    if (step.op->name == "div") {
      if (const int product = sole_step(a, "mul"); product >= 0)
        replace(step, "mul_div", {operands(product)[0], operands(product)[1], b, 0});
      return;
    }
    const bool scaled = step.op->name == "mul_add";
    if (!scaled && step.op->name != "add") return;
    const int first = sole_step(a, "sqrt"), second = first < 0 ? sole_step(b, "sqrt") : -1;
    if (first < 0 && second < 0) return;
    replace(step, scaled ? "sqrt_mul_add" : "sqrt_add",
            {operands(std::max(first, second))[0], first >= 0 ? b : a, c, 0});
  }

  /// Numbers go to the second and fourth place, or the first and third, for which there are variants.
  void merge_blend(TileProgram::Step& step, std::array<int, 4> a, std::array<int, 4> b) {
    const auto number = [&](int r) {
      return r < static_cast<int>(loads_.size()) && loads_[static_cast<std::size_t>(r)].view.is_uniform();
    };
    if (number(a[1])) std::swap(a[0], a[1]);
    if (number(b[1])) std::swap(b[0], b[1]);
    if (const int s = sole_step(b[1], "square"); number(a[0]) && number(b[0]) && s >= 0) {
      return replace(step, "blend_square",
                     {a[0], a[1], b[0], program_.steps[static_cast<std::size_t>(s)].registers[0]});
    }
    replace(step, "blend", {a[0], a[1], b[0], b[1]});
  }

  void drop_unused_steps() {
    const int first = static_cast<int>(loads_.size());
    std::vector<char> used(loads_.size() + program_.steps.size(), 0);
    for (const auto& store : program_.stores) used[static_cast<std::size_t>(store.reg)] = 1;
    for (const auto& reduce : program_.reductions) used[static_cast<std::size_t>(reduce.reg)] = 1;
    for (std::size_t s = program_.steps.size(); s-- > 0;) {
      if (!used[loads_.size() + s]) continue;
      const auto& step = program_.steps[s];
      for (int k = 0; k < step.op->arity; ++k)
        used[static_cast<std::size_t>(step.registers[static_cast<std::size_t>(k)])] = 1;
    }
    std::vector<int> renumbered(used.size());
    std::vector<TileProgram::Step> kept;
    for (std::size_t r = 0; r < used.size(); ++r) {
      renumbered[r] = r < loads_.size() ? static_cast<int>(r) : first + static_cast<int>(kept.size());
      if (r >= loads_.size() && used[r]) kept.push_back(program_.steps[r - loads_.size()]);
    }
    for (auto& step : kept) {
      for (int k = 0; k < step.op->arity; ++k) {
        int& r = step.registers[static_cast<std::size_t>(k)];
        r = renumbered[static_cast<std::size_t>(r)];
      }
    }
    for (auto& store : program_.stores) store.reg = renumbered[static_cast<std::size_t>(store.reg)];
    for (auto& reduce : program_.reductions) reduce.reg = renumbered[static_cast<std::size_t>(reduce.reg)];
    program_.steps = std::move(kept);
  }

  const Plan& plan_;
  const Instruction& instruction_;
  TileProgram program_;
  std::vector<Read> loads_;
  std::map<int, int> registers_;  // of values computed here
};

/// Makes the kernel of an op of its own, and counts its operations.
void make_opaque(const Plan& plan, const Item& item, Instruction& instruction) {
  const Signature& output = plan.values[static_cast<std::size_t>(item.value)].signature;
  if (item.kernel->make == nullptr) {
    instruction.kernel = make_copy_kernel(item.reads[0].view, output.dtype);
    return;
  }
  std::vector<Signature> inputs;
  for (const Read& read : item.reads) {
    // the op sees the shape of what it reads, which a view may have changed
    inputs.push_back({read.view.shape, plan.values[static_cast<std::size_t>(read.value)].signature.dtype});
  }
  const KernelSite site{inputs, output, item.attributes->ints, item.attributes->number};
  instruction.kernel = item.kernel->make(site);
  instruction.operations = item.kernel->operations ? item.kernel->operations(site) : output.shape.size();
}

}  // namespace

void make_kernels(Plan& plan, bool compile) {
  for (Instruction& instruction : plan.instructions) {
    const Item& first = plan.items[static_cast<std::size_t>(instruction.items[0])];
    if (first.kind == ItemKind::opaque) {
      make_opaque(plan, first, instruction);
    } else {
      for (int i : instruction.items) instruction.operations += plan.items[static_cast<std::size_t>(i)].elements();
      TileProgram program = TileBuilder(plan, instruction).build();
      program.compile = compile;
      instruction.kernel = make_tile_kernel(program);
    }
    instruction.scratch = {arena_base, plan.arena_bytes};
  }
  std::size_t scratch = 0;  // one place for all: instructions run one after another
  for (const Instruction& instruction : plan.instructions) scratch = std::max(scratch, instruction.kernel.scratch);
  plan.arena_bytes += static_cast<std::int64_t>((scratch + 63) / 64 * 64);
}

}  // namespace thalweg
