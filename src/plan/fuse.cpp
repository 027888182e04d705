// Fusion: elementwise items over the same elements, and the reductions that end them, become one pass over memory.

#include <algorithm>
#include <map>
#include <set>

#include "core/error.hpp"
#include "plan/plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

struct Group {
  std::vector<int> items;   // empty once merged into another
  std::set<int> producers;  // groups that it reads from
  std::int64_t elements = 0;
  DType dtype = f32;
  bool tiled = false, late = false;
  std::optional<Shape> reduction;  // (outer, reduced, inner)
  int reductions = 0;
};

class Fusion {
 public:
  explicit Fusion(Plan& plan) : plan_(plan) {
    for (std::size_t i = 0; i < plan.items.size(); ++i) groups_.push_back(alone(static_cast<int>(i)));
  }

  void merge_all() {
    for (std::size_t i = 0; i < plan_.items.size(); ++i) {
      const int item = static_cast<int>(i);
      if (!groups_[static_cast<std::size_t>(group_of(item))].tiled) continue;
      for (const Read& read : plan_.items[i].reads) {
        const int producer = plan_.values[static_cast<std::size_t>(read.value)].producer;
        if (producer >= 0) try_merge(group_of(producer), group_of(item));
      }
    }
    merge_scalars();
  }

  /// The groups in an order in which each comes after what it reads from; the original order where that is free.
  std::vector<std::vector<int>> in_order() const {
    std::vector<std::vector<int>> result;
    std::vector<char> done(groups_.size(), 0);
    const auto visit = [&](const auto& self, int g) -> void {
      if (done[static_cast<std::size_t>(g)]) return;
      done[static_cast<std::size_t>(g)] = 1;
      for (int producer : producers(g)) self(self, producer);
      std::vector<int> items = groups_[static_cast<std::size_t>(g)].items;
      std::ranges::sort(items);
      result.push_back(std::move(items));
    };
    for (std::size_t i = 0; i < plan_.items.size(); ++i) visit(visit, group_of(static_cast<int>(i)));
    return result;
  }

 private:
  Group alone(int index) {
    Item& item = plan_.items[static_cast<std::size_t>(index)];
    item.group = index;
    Group group;
    group.items = {index};
    for (const Read& read : item.reads) {
      const int producer = plan_.values[static_cast<std::size_t>(read.value)].producer;
      if (producer >= 0) group.producers.insert(producer);
    }
    group.tiled = item.kind != ItemKind::opaque;
    group.late = item.late;
    group.elements = item.elements();
    group.dtype = plan_.values[static_cast<std::size_t>(item.value)].signature.dtype;
    if (item.kind == ItemKind::reduce) {
      group.reduction = item.reads[0].view.shape;
      group.reductions = 1;
    }
    return group;
  }

  [[nodiscard]] int find(int group) const {
    while (merged_into_.contains(group)) group = merged_into_.at(group);
    return group;
  }
  [[nodiscard]] int group_of(int item) const { return find(plan_.items[static_cast<std::size_t>(item)].group); }

  [[nodiscard]] std::set<int> producers(int group) const {
    std::set<int> found;
    for (int producer : groups_[static_cast<std::size_t>(group)].producers) {
      if (find(producer) != group) found.insert(find(producer));
    }
    return found;
  }

  /// Whether `from` is reached backwards from `to` on a way of at least one group between them.
  [[nodiscard]] bool joined_through_others(int from, int to) const {
    std::set<int> seen;
    std::vector<int> open;
    for (int p : producers(to)) {
      if (p != from) open.push_back(p);
    }
    while (!open.empty()) {
      const int g = open.back();
      open.pop_back();
      if (g == from) return true;
      if (!seen.insert(g).second) continue;
      for (int p : producers(g)) open.push_back(p);
    }
    return false;
  }

  /// Inside one group a value is read element by element, and a reduction's result is not ready.
  [[nodiscard]] bool reads_allow(int reader, int producer) const {
    for (int i : groups_[static_cast<std::size_t>(reader)].items) {
      const Item& item = plan_.items[static_cast<std::size_t>(i)];
      const DType dtype = plan_.values[static_cast<std::size_t>(item.value)].signature.dtype;
      for (const Read& read : item.reads) {
        const PlanValue& value = plan_.values[static_cast<std::size_t>(read.value)];
        if (value.producer < 0 || group_of(value.producer) != producer) continue;
        const bool reduced = plan_.items[static_cast<std::size_t>(value.producer)].kind == ItemKind::reduce;
        if (reduced || !is_identity(plan_, read) || value.signature.dtype != dtype) return false;
      }
    }
    return true;
  }

  /// Registers that the joined group would take: its items and what it reads from outside.
  [[nodiscard]] bool fits(const Group& a, const Group& b) const {
    std::set<int> inside;
    for (const Group* g : {&a, &b}) {
      for (int i : g->items) inside.insert(plan_.items[static_cast<std::size_t>(i)].value);
    }
    std::vector<Read> outside;
    for (const Group* g : {&a, &b}) {
      for (int i : g->items) {
        for (const Read& read : plan_.items[static_cast<std::size_t>(i)].reads) {
          const bool known = inside.contains(read.value) || std::ranges::find(outside, read) != outside.end();
          if (!known) outside.push_back(read);
        }
      }
    }
    return inside.size() + outside.size() <= static_cast<std::size_t>(max_tile_slots) - 4 &&
           a.reductions + b.reductions <= 4;
  }

  /// What works on single numbers costs a call each: those need no value in common to go together.
  void merge_scalars() {
    for (std::size_t a = 0; a < groups_.size(); ++a) {
      for (std::size_t b = a + 1; b < groups_.size() && is_scalar(a); ++b) {
        if (is_scalar(b)) try_merge(static_cast<int>(a), static_cast<int>(b));
      }
    }
  }
  [[nodiscard]] bool is_scalar(std::size_t group) const {
    return !groups_[group].items.empty() && groups_[group].tiled && groups_[group].elements == 1 &&
           !groups_[group].reduction;
  }

  void try_merge(int producer, int reader) {
    if (producer == reader) return;
    Group &a = groups_[static_cast<std::size_t>(producer)], &b = groups_[static_cast<std::size_t>(reader)];
    const bool alike = a.tiled && b.tiled && a.late == b.late && a.elements == b.elements && a.dtype == b.dtype &&
                       (!a.reduction || !b.reduction || *a.reduction == *b.reduction);
    if (!alike || !fits(a, b)) return;
    if (!reads_allow(reader, producer) || !reads_allow(producer, reader)) return;
    if (joined_through_others(producer, reader) || joined_through_others(reader, producer)) return;
    a.items.insert(a.items.end(), b.items.begin(), b.items.end());
    a.producers.insert(b.producers.begin(), b.producers.end());
    if (!a.reduction) a.reduction = b.reduction;
    a.reductions += b.reductions;
    b.items.clear();
    merged_into_[reader] = producer;
  }

  Plan& plan_;
  std::vector<Group> groups_;
  std::map<int, int> merged_into_;
};

void describe(Plan& plan, Instruction& instruction) {
  std::set<int> own(instruction.items.begin(), instruction.items.end());
  std::set<int> inputs;
  for (int i : instruction.items) {
    const Item& item = plan.items[static_cast<std::size_t>(i)];
    instruction.name += (instruction.name.empty() ? "" : " ") + std::string(item.name);
    for (const Read& read : item.reads) {
      const bool inside = own.contains(plan.values[static_cast<std::size_t>(read.value)].producer);
      // an opaque kernel takes its inputs in the op's order, the same one twice if need be
      if (!inside && (inputs.insert(read.value).second || item.kind == ItemKind::opaque)) {
        instruction.inputs.push_back(read.value);
      }
    }
  }
}

/// A value is an output of its instruction where another one reads it, or where it has a place outside.
void find_outputs(Plan& plan) {
  std::vector<int> instruction_of(plan.items.size());
  for (std::size_t i = 0; i < plan.instructions.size(); ++i) {
    for (int item : plan.instructions[i].items) instruction_of[static_cast<std::size_t>(item)] = static_cast<int>(i);
  }
  std::vector<char> needed(plan.values.size(), 0);
  for (std::size_t v = 0; v < plan.values.size(); ++v) needed[v] = plan.values[v].place.has_value();
  for (const Instruction& instruction : plan.instructions) {
    for (int value : instruction.inputs) needed[static_cast<std::size_t>(value)] = 1;
  }
  for (std::size_t i = 0; i < plan.items.size(); ++i) {
    const int value = plan.items[i].value;
    if (needed[static_cast<std::size_t>(value)]) {
      plan.instructions[static_cast<std::size_t>(instruction_of[i])].outputs.push_back(value);
    }
  }
}

}  // namespace

void fuse(Plan& plan, bool enabled) {
  Fusion fusion(plan);
  if (enabled) fusion.merge_all();
  for (std::vector<int>& items : fusion.in_order()) {
    Instruction instruction;
    instruction.items = std::move(items);
    describe(plan, instruction);
    plan.instructions.push_back(std::move(instruction));
  }
  find_outputs(plan);
}

bool reads_in_place(const Plan& plan, const Instruction& instruction, int value) {
  for (int i : instruction.items) {
    const Item& item = plan.items[static_cast<std::size_t>(i)];
    for (const Read& read : item.reads) {
      if (read.value != value) continue;
      const DType out = plan.values[static_cast<std::size_t>(item.value)].signature.dtype;
      const bool same_type = plan.values[static_cast<std::size_t>(value)].signature.dtype == out;
      if (item.kind == ItemKind::opaque || !is_identity(plan, read) || !same_type) return false;
    }
  }
  return true;
}

}  // namespace thalweg
