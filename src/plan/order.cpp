// The order of instructions that keeps the fewest bytes alive.

#include <algorithm>
#include <limits>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

std::int64_t bytes_of(const Plan& plan, int value) {
  const PlanValue& v = plan.values[static_cast<std::size_t>(value)];
  return v.place ? 0 : static_cast<std::int64_t>(v.signature.bytes());
}

/// The most bytes alive at once when instructions run in this order.
std::int64_t peak(const Plan& plan, const std::vector<int>& sequence, std::vector<int> readers_left) {
  std::int64_t alive = 0, most = 0;
  for (int i : sequence) {
    const Instruction& instruction = plan.instructions[static_cast<std::size_t>(i)];
    for (int value : instruction.outputs) alive += bytes_of(plan, value);
    most = std::max(most, alive);
    for (int value : instruction.inputs) {
      if (--readers_left[static_cast<std::size_t>(value)] == 0 &&
          plan.values[static_cast<std::size_t>(value)].producer >= 0) {
        alive -= bytes_of(plan, value);
      }
    }
  }
  return most;
}

}  // namespace

/// List scheduling: of what is ready, the instruction that frees the most (and the first, among equals) goes next.
void order(Plan& plan, bool enabled) {
  if (!enabled) return;
  const std::size_t count = plan.instructions.size();
  std::vector<int> writer(plan.values.size(), -1), readers_left(plan.values.size(), 0), waiting(count, 0);
  std::vector<std::vector<int>> readers(plan.values.size());
  for (std::size_t i = 0; i < count; ++i) {
    for (int value : plan.instructions[i].outputs) writer[static_cast<std::size_t>(value)] = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (int value : plan.instructions[i].inputs) {
      ++readers_left[static_cast<std::size_t>(value)];
      if (writer[static_cast<std::size_t>(value)] < 0) continue;
      readers[static_cast<std::size_t>(value)].push_back(static_cast<int>(i));
      ++waiting[i];
    }
  }
  std::vector<int> original(count), sequence, ready, left = readers_left;
  for (std::size_t i = 0; i < count; ++i) {
    original[i] = static_cast<int>(i);
    if (waiting[i] == 0) ready.push_back(static_cast<int>(i));
  }
  while (!ready.empty()) {
    std::size_t best = 0;
    std::int64_t best_growth = std::numeric_limits<std::int64_t>::max();
    for (std::size_t k = 0; k < ready.size(); ++k) {
      const Instruction& instruction = plan.instructions[static_cast<std::size_t>(ready[k])];
      std::int64_t growth = 0;
      for (int value : instruction.outputs) growth += bytes_of(plan, value);
      for (int value : instruction.inputs) {
        if (left[static_cast<std::size_t>(value)] == 1 && writer[static_cast<std::size_t>(value)] >= 0)
          growth -= bytes_of(plan, value);
      }
      if (growth < best_growth || (growth == best_growth && ready[k] < ready[best])) {
        best = k;
        best_growth = growth;
      }
    }
    const int next = ready[best];
    ready.erase(ready.begin() + static_cast<std::ptrdiff_t>(best));
    sequence.push_back(next);
    for (int value : plan.instructions[static_cast<std::size_t>(next)].inputs) --left[static_cast<std::size_t>(value)];
    for (int value : plan.instructions[static_cast<std::size_t>(next)].outputs) {
      for (int reader : readers[static_cast<std::size_t>(value)]) {
        if (--waiting[static_cast<std::size_t>(reader)] == 0) ready.push_back(reader);
      }
    }
  }
  if (peak(plan, sequence, readers_left) >= peak(plan, original, readers_left)) return;
  std::vector<Instruction> ordered;
  for (int i : sequence) ordered.push_back(std::move(plan.instructions[static_cast<std::size_t>(i)]));
  plan.instructions = std::move(ordered);
}

}  // namespace thalweg
