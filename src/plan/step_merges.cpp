#include "plan/step_merges.hpp"

#include <algorithm>
#include <span>

#include "core/error.hpp"
#include "core/index.hpp"

namespace thalweg {

namespace {

/// A step and one of its operands that nothing else needs, merged to one larger step. Its operands are those of the
/// part, then the other operands of the whole; it rounds as the two steps do.
struct Merge {
  const MicroOp* whole;
  int operand;  // the operand of the whole that the part computes
  const MicroOp* part;
  const MicroOp* rich;
};

const MicroOp& micro_op(std::string_view name) {
  const MicroOp* op = find_micro_op(name);
  if (op == nullptr) defect("no micro-op is named '{}'", name);
  return *op;
}

Merge merge_of(std::string_view whole, int operand, std::string_view part, std::string_view rich) {
  return {&micro_op(whole), operand, &micro_op(part), &micro_op(rich)};
}

/// a b + c, a b - c, c - a b.
const std::vector<Merge>& product_merges() {
  static const std::vector<Merge> rows = {merge_of("add", 0, "mul", "mul_add"), merge_of("sub", 0, "mul", "mul_sub"),
                                          merge_of("add", 1, "mul", "mul_add"), merge_of("sub", 1, "mul", "sub_mul"),
                                          merge_of("add", 1, "square", "mul_add")};
  return rows;
}

/// a b / c, sqrt(a) b + c, sqrt(a) + b: the last steps of most update rules.
const std::vector<Merge>& root_merges() {
  static const std::vector<Merge> rows = {
      merge_of("div", 0, "mul", "mul_div"), merge_of("mul_add", 0, "sqrt", "sqrt_mul_add"),
      merge_of("mul_add", 1, "sqrt", "sqrt_mul_add"), merge_of("add", 0, "sqrt", "sqrt_add"),
      merge_of("add", 1, "sqrt", "sqrt_add")};
  return rows;
}

using Registers = std::array<int, 4>;

/// Joins pairs of steps of a tile program.
class StepMerger {
 public:
  explicit StepMerger(TileProgram& program)
      : program_(program), loads_(count(program.loads)), uses_(program.loads.size() + program.steps.size(), 0) {
    for (const auto& step : program.steps) count_operands(step, 1);
    for (const auto& store : program.stores) ++at(uses_, store.reg);
    for (const auto& reduce : program.reductions) ++at(uses_, reduce.reg);
  }

  void run() {
    for (auto& step : program_.steps) {
      if (!merge_blend(step)) merge_by(product_merges(), step);
    }
    for (auto& step : program_.steps) merge_by(root_merges(), step);
    drop_unused_steps();
  }

 private:
  void count_operands(const TileProgram::Step& step, int change) {
    for (const int reg : step.operands()) at(uses_, reg) += change;
  }

  /// The step that computes a register by this op if nothing else needs the register; else nullptr.
  [[nodiscard]] const TileProgram::Step* sole_step(int reg, const MicroOp& op) const {
    if (reg < loads_ || at(uses_, reg) != 1) return nullptr;
    const TileProgram::Step& step = at(program_.steps, reg - loads_);
    return step.op == &op ? &step : nullptr;
  }

  void replace(TileProgram::Step& step, const MicroOp& op, Registers registers) {
    count_operands(step, -1);
    step = {&op, registers};
    count_operands(step, 1);
  }

  void merge_by(const std::vector<Merge>& rows, TileProgram::Step& step) {
    static const MicroOp& square = micro_op("square");
    for (const Merge& row : rows) {
      if (step.op != row.whole) continue;
      const TileProgram::Step* part = sole_step(at(step.registers, row.operand), *row.part);
      if (!part) continue;
      std::vector<int> joined(part->operands().begin(), part->operands().end());
      if (row.part == &square) joined.push_back(joined[0]);  // the product of a number with itself
      for (int i = 0; i < step.op->arity; ++i) {
        if (i != row.operand) joined.push_back(at(step.registers, i));
      }
      Registers registers{};
      std::ranges::copy(joined, registers.begin());
      return replace(step, *row.rich, registers);
    }
  }

  /// a b + c d. Numbers go to the second and fourth place, or the first and third, for which there are variants.
  bool merge_blend(TileProgram::Step& step) {
    static const MicroOp &add = micro_op("add"), &mul = micro_op("mul"), &square = micro_op("square"),
                         &blend = micro_op("blend"), &blend_square = micro_op("blend_square");
    if (step.op != &add) return false;
    const auto *left = sole_step(step.registers[0], mul), *right = sole_step(step.registers[1], mul);
    if (!left || !right || left == right) return false;
    int a = left->registers[0], b = left->registers[1], c = right->registers[0], d = right->registers[1];
    if (is_number(b)) std::swap(a, b);
    if (is_number(d)) std::swap(c, d);
    const auto* squared = is_number(a) && is_number(c) ? sole_step(d, square) : nullptr;
    if (squared) {
      replace(step, blend_square, {a, b, c, squared->registers[0]});
    } else {
      replace(step, blend, {a, b, c, d});
    }
    return true;
  }
  [[nodiscard]] bool is_number(int reg) const { return reg < loads_ && at(program_.loads, reg).view.is_uniform(); }

  void drop_unused_steps() {
    std::vector<char> used(uses_.size(), 0);
    for (const auto& store : program_.stores) at(used, store.reg) = 1;
    for (const auto& reduce : program_.reductions) at(used, reduce.reg) = 1;
    for (int s = count(program_.steps) - 1; s >= 0; --s) {
      if (!at(used, loads_ + s)) continue;
      for (const int reg : at(program_.steps, s).operands()) at(used, reg) = 1;
    }
    std::vector<int> renumbered(used.size());
    std::vector<TileProgram::Step> kept;
    for (int r = 0; r < count(used); ++r) {
      at(renumbered, r) = r < loads_ ? r : loads_ + count(kept);
      if (r >= loads_ && at(used, r)) kept.push_back(at(program_.steps, r - loads_));
    }
    for (auto& step : kept) {
      for (int& reg : step.operands()) reg = at(renumbered, reg);
    }
    for (auto& store : program_.stores) store.reg = at(renumbered, store.reg);
    for (auto& reduce : program_.reductions) reduce.reg = at(renumbered, reduce.reg);
    program_.steps = std::move(kept);
  }

  TileProgram& program_;
  int loads_;
  std::vector<int> uses_;  // number of uses of each register, also by steps that are merged
};

}  // namespace

void merge_steps(TileProgram& program) { StepMerger(program).run(); }

}  // namespace thalweg
