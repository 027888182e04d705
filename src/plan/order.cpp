// The order of instructions that keeps the fewest bytes alive.

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

std::int64_t bytes_of(const Plan& plan, ValueId value) {
  const PlanValue& v = plan.values[value];
  return v.place ? 0 : static_cast<std::int64_t>(v.bytes());
}

/// For each value, the instructions that read it, once for each read.
class Readers {
 public:
  explicit Readers(const Plan& plan) : ends_(plan.values.size(), 0) {
    for (const Instruction& instruction : plan.instructions) {
      for (const ValueId value : instruction.inputs) ++ends_[value];
    }
    int reads = 0;
    for (int& end : ends_) end = std::exchange(reads, reads + end);  // now the begin, and later the end
    readers_.resize(static_cast<std::size_t>(reads));
    for (const InstructionId i : plan.instructions.ids()) {
      for (const ValueId value : plan.instructions[i].inputs) at(readers_, ends_[value]++) = i;
    }
  }
  [[nodiscard]] std::span<const InstructionId> operator[](ValueId value) const {
    const int begin = value.index() > 0 ? ends_[ValueId(value.index() - 1)] : 0;
    return std::span(readers_).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(ends_[value] - begin));
  }

 private:
  IndexVector<ValueId, int> ends_;
  std::vector<InstructionId> readers_;  // of all values, one after another
};

/// The most bytes alive at once when instructions run in this order.
std::int64_t peak(const Plan& plan, const std::vector<InstructionId>& sequence) {
  IndexVector<ValueId, int> readers_left(plan.values.size(), 0);
  for (const Instruction& instruction : plan.instructions) {
    for (const ValueId value : instruction.inputs) ++readers_left[value];
  }
  std::int64_t alive = 0, most = 0;
  for (const InstructionId i : sequence) {
    const Instruction& instruction = plan.instructions[i];
    for (const ValueId value : instruction.outputs) alive += bytes_of(plan, value);
    most = std::max(most, alive);
    for (const ValueId value : instruction.inputs) {
      if (--readers_left[value] == 0 && plan.values[value].producer) alive -= bytes_of(plan, value);
    }
  }
  return most;
}

/// List scheduling: of the ready instructions, the one that frees the most bytes (the first among equals) comes next.
class Scheduler {
 public:
  explicit Scheduler(const Plan& plan)
      : plan_(plan),
        readers_(plan),
        readers_left_(plan.values.size(), 0),
        waiting_(plan.instructions.size(), 0),
        growth_(plan.instructions.size(), 0),
        done_(plan.instructions.size(), 0) {
    for (const ValueId value : plan.values.ids()) readers_left_[value] = count(readers_[value]);
    for (const InstructionId i : plan.instructions.ids()) {
      for (const ValueId value : plan.instructions[i].outputs) growth_[i] += bytes_of(plan, value);
      for (const ValueId value : plan.instructions[i].inputs) {
        if (!plan.values[value].producer) continue;
        ++waiting_[i];
        if (readers_left_[value] == 1) growth_[i] -= bytes_of(plan, value);
      }
    }
    for (const InstructionId i : plan.instructions.ids()) {
      if (waiting_[i] == 0) ready_.emplace(growth_[i], i);
    }
  }

  std::vector<InstructionId> run() {
    std::vector<InstructionId> sequence;
    while (!ready_.empty()) {
      const InstructionId next = ready_.begin()->second;
      ready_.erase(ready_.begin());
      done_[next] = 1;
      sequence.push_back(next);
      for (const ValueId value : plan_.instructions[next].inputs) {
        if (--readers_left_[value] == 1 && plan_.values[value].producer) tell_last_reader(value);
      }
      for (const ValueId value : plan_.instructions[next].outputs) {
        for (const InstructionId reader : readers_[value]) {
          if (--waiting_[reader] == 0) ready_.emplace(growth_[reader], reader);
        }
      }
    }
    return sequence;
  }

 private:
  /// The last instruction that reads a value frees it.
  void tell_last_reader(ValueId value) {
    const auto readers = readers_[value];
    const auto last = std::ranges::find(readers, 0, [&](InstructionId i) { return done_[i]; });
    if (last == readers.end()) return;  // the instruction that runs now reads the value twice
    const bool is_ready = ready_.erase({growth_[*last], *last}) > 0;
    growth_[*last] -= bytes_of(plan_, value);
    if (is_ready) ready_.emplace(growth_[*last], *last);
  }

  const Plan& plan_;
  Readers readers_;
  IndexVector<ValueId, int> readers_left_;
  IndexVector<InstructionId, int> waiting_;          // inputs that are not computed yet
  IndexVector<InstructionId, std::int64_t> growth_;  // change of the bytes alive if it came next
  IndexVector<InstructionId, char> done_;
  std::set<std::pair<std::int64_t, InstructionId>> ready_;
};

}  // namespace

void order(Plan& plan, bool enabled) {
  if (!enabled) return;
  const auto all = plan.instructions.ids();
  const std::vector<InstructionId> original(all.begin(), all.end());
  std::vector<InstructionId> sequence = Scheduler(plan).run();
  if (peak(plan, sequence) >= peak(plan, original)) sequence = original;
  if (!plan.strands.empty()) {  // one after another, after what is common to all
    std::ranges::stable_sort(sequence, {},
                             [&](InstructionId i) { return plan.strands[plan.instructions[i].items[0]]; });
  }
  IndexVector<InstructionId, Instruction> ordered;
  for (const InstructionId i : sequence) ordered.push_back(std::move(plan.instructions[i]));
  plan.instructions = std::move(ordered);
}

}  // namespace thalweg
