// Fusion: elementwise items over the same elements, and the reductions that end them, become one pass over memory.

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "plan/groups.hpp"
#include "plan/plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

/// Items that are computed together.
struct Group {
  std::vector<ItemId> items;  // empty once merged into another
  std::vector<Read> outside;  // values that they read but do not compute, each once
  std::int64_t elements = 0;
  DType dtype = f32;
  bool tiled = false, late = false;
  std::optional<Shape> reduction;  // (outer, reduced, inner)
  int reductions = 0;
  std::size_t rounded = 0;  // items whose values are stored in bf16: each takes one more step
};

class Fusion {
 public:
  explicit Fusion(const Plan& plan) : plan_(plan), graph_(producers_of_items(plan)) {
    for (const ItemId item : plan.items.ids()) groups_.push_back(alone(item));
  }

  void merge_all() {
    for (const ItemId item : plan_.items.ids()) {
      if (!groups_[group_of(item)].tiled) continue;
      for (const Read& read : plan_.items[item].reads) {
        if (const ItemId producer = plan_.producer(read)) try_merge(group_of(producer), group_of(item));
      }
    }
    merge_scalars();
  }

  /// The groups in an order in which each comes after the groups that it reads from; otherwise in the original order.
  std::vector<std::vector<ItemId>> in_order() {
    std::vector<std::vector<ItemId>> result;
    std::vector<std::pair<GroupId, std::span<const GroupId>>> open;  // with those of its producers that come next
    IndexVector<GroupId, char> begun(groups_.size(), 0);
    const auto begin = [&](GroupId group) {
      if (!std::exchange(begun[group], 1)) open.emplace_back(group, graph_.producers(group));
    };
    for (const ItemId item : plan_.items.ids()) {
      begin(group_of(item));
      while (!open.empty()) {
        if (auto& left = open.back().second; !left.empty()) {
          const GroupId producer = left.front();
          left = left.subspan(1);
          begin(producer);
          continue;
        }
        std::vector<ItemId>& items = groups_[open.back().first].items;
        std::ranges::sort(items);
        result.push_back(std::move(items));
        open.pop_back();
      }
    }
    return result;
  }

 private:
  // Each item begins as a group of the same index.
  static GroupId initial_group(ItemId item) { return GroupId(item.index()); }

  static IndexVector<GroupId, std::vector<GroupId>> producers_of_items(const Plan& plan) {
    IndexVector<GroupId, std::vector<GroupId>> producers(plan.items.size());
    for (const ItemId item : plan.items.ids()) {
      for (const Read& read : plan.items[item].reads) {
        if (const ItemId producer = plan.producer(read))
          producers[initial_group(item)].push_back(initial_group(producer));
      }
    }
    return producers;
  }

  [[nodiscard]] Group alone(ItemId index) const {
    const Item& item = plan_.items[index];
    Group group;
    group.items = {index};
    group.tiled = item.kind != ItemKind::opaque;
    group.late = item.late;
    group.elements = item.elements();
    group.dtype = plan_.dtype(item.value);
    group.rounded = plan_.values[item.value].stored == Stored::bf16 ? 1 : 0;
    if (!group.tiled) return group;
    for (const Read& read : item.reads) {
      if (std::ranges::find(group.outside, read) == group.outside.end()) group.outside.push_back(read);
    }
    if (item.kind == ItemKind::reduce) {
      group.reduction = item.reads[0].view.shape;
      group.reductions = 1;
    }
    return group;
  }

  [[nodiscard]] GroupId group_of(ItemId item) { return graph_.find(initial_group(item)); }
  [[nodiscard]] bool reads_from(const Read& read, GroupId group) {
    const ItemId producer = plan_.producer(read);
    return producer && group_of(producer) == group;
  }

  /// Inside a group a value is read element by element, and the result of a reduction is not available yet.
  [[nodiscard]] bool reads_allow(const Group& reader, GroupId producer) {
    return std::ranges::all_of(reader.outside, [&](const Read& read) {
      if (!reads_from(read, producer)) return true;
      const bool reduced = plan_.items[plan_.producer(read)].kind == ItemKind::reduce;
      return !reduced && is_identity(plan_, read) && plan_.dtype(read.value) == reader.dtype;
    });
  }

  /// The values that two groups read and neither of them computes.
  [[nodiscard]] std::vector<Read> joined_reads(GroupId a, GroupId b) {
    std::vector<Read> reads;
    for (const Read& read : groups_[a].outside) {
      if (!reads_from(read, b)) reads.push_back(read);
    }
    const auto of_a = static_cast<std::ptrdiff_t>(reads.size());
    for (const Read& read : groups_[b].outside) {
      const auto end = reads.begin() + of_a;
      if (!reads_from(read, a) && std::find(reads.begin(), end, read) == end) reads.push_back(read);
    }
    return reads;
  }

  /// Groups that work on single numbers cost a call each, so they are merged even without a common value. Each examines
  /// only a few of those after it.
  void merge_scalars() {
    constexpr std::size_t reach = 64;
    std::vector<GroupId> scalars;
    for (const GroupId group : groups_.ids()) {
      if (is_scalar(group)) scalars.push_back(group);
    }
    for (std::size_t a = 0; a < scalars.size(); ++a) {
      std::size_t tried = 0;
      for (std::size_t b = a + 1; b < scalars.size() && tried < reach && is_scalar(scalars[a]); ++b) {
        if (!is_scalar(scalars[b])) continue;
        try_merge(scalars[a], scalars[b]);
        ++tried;
      }
    }
  }
  [[nodiscard]] bool is_scalar(GroupId group) const {
    const Group& g = groups_[group];
    return !g.items.empty() && g.tiled && g.elements == 1 && !g.reduction;
  }

  void try_merge(GroupId producer, GroupId reader) {
    if (producer == reader) return;
    Group &a = groups_[producer], &b = groups_[reader];
    const bool alike = a.tiled && b.tiled && a.late == b.late && a.elements == b.elements && a.dtype == b.dtype &&
                       (!a.reduction || !b.reduction || *a.reduction == *b.reduction);
    // A register for each item, for each rounded item, and for each read from outside.
    constexpr std::size_t registers = max_tile_slots - 4;
    const std::size_t items = a.items.size() + b.items.size() + a.rounded + b.rounded;
    if (!alike || items > registers || a.reductions + b.reductions > 4) return;
    std::vector<Read> reads = joined_reads(producer, reader);
    if (items + reads.size() > registers || !reads_allow(b, producer) || !reads_allow(a, reader)) return;
    if (!graph_.merge(producer, reader)) return;
    a.items.insert(a.items.end(), b.items.begin(), b.items.end());
    a.outside = std::move(reads);
    if (!a.reduction) a.reduction = b.reduction;
    a.reductions += b.reductions;
    a.rounded += b.rounded;
    b = {};
  }

  const Plan& plan_;
  IndexVector<GroupId, Group> groups_;
  GroupGraph graph_;
};

void describe(const Plan& plan, Instruction& instruction) {
  const std::set<ItemId> own(instruction.items.begin(), instruction.items.end());
  std::set<ValueId> inputs;
  for (const ItemId i : instruction.items) {
    const Item& item = plan.items[i];
    instruction.name += (instruction.name.empty() ? "" : " ") + std::string(item.name);
    for (const Read& read : item.reads) {
      // an opaque kernel takes its inputs in the op's order, the same one twice if need be
      if (own.contains(plan.producer(read))) continue;
      if (inputs.insert(read.value).second || item.kind == ItemKind::opaque) instruction.inputs.push_back(read.value);
    }
  }
}

/// A value is an output of its instruction if another instruction reads it, or if it has a place outside.
void find_outputs(Plan& plan) {
  IndexVector<ItemId, InstructionId> instruction_of(plan.items.size());
  IndexVector<ValueId, char> needed(plan.values.size(), 0);
  for (const ValueId v : plan.values.ids()) needed[v] = plan.values[v].place.has_value();
  for (const InstructionId i : plan.instructions.ids()) {
    for (const ItemId item : plan.instructions[i].items) instruction_of[item] = i;
    for (const ValueId value : plan.instructions[i].inputs) needed[value] = 1;
  }
  for (const ItemId item : plan.items.ids()) {
    const ValueId value = plan.items[item].value;
    if (needed[value]) plan.instructions[instruction_of[item]].outputs.push_back(value);
  }
}

}  // namespace

void fuse(Plan& plan, bool enabled) {
  Fusion fusion(plan);
  if (enabled) fusion.merge_all();
  for (std::vector<ItemId>& items : fusion.in_order()) {
    Instruction instruction;
    instruction.items = std::move(items);
    describe(plan, instruction);
    plan.instructions.push_back(std::move(instruction));
  }
  find_outputs(plan);
}

bool reads_in_place(const Plan& plan, const Instruction& instruction, ValueId value) {
  for (const ItemId i : instruction.items) {
    const Item& item = plan.items[i];
    for (const Read& read : item.reads) {
      if (read.value != value) continue;
      const bool same_type = plan.dtype(value) == plan.dtype(item.value);
      if (item.kind == ItemKind::opaque || !is_identity(plan, read) || !same_type) return false;
    }
  }
  return true;
}

}  // namespace thalweg
