// Fusion: elementwise items over the same elements, and the reductions that end them, become one pass over memory.

#include <algorithm>
#include <span>
#include <utility>

#include "plan/groups.hpp"
#include "plan/plan.hpp"
#include "tiles/tiles.hpp"

namespace thalweg {

namespace {

/// A value that a group reads but does not compute.
struct Outside {
  ValueId value;
  ItemId producer;  // none for a leaf
  const Read* read;
  friend bool operator==(const Outside& a, const Outside& b) {
    return a.value == b.value && a.read->view == b.read->view;
  }
};

/// Items that are computed together.
struct Group {
  ItemId first, last;            // of a list; none once merged into another
  std::size_t items = 0;         // in the list
  std::vector<Outside> outside;  // each once; empty for a single item, whose reads are known
  std::int64_t elements = 0;
  DType dtype = f32;
  bool tiled = false, late = false;
  Strand strand;
  const Shape* reduction = nullptr;  // (outer, reduced, inner)
  int reductions = 0;
  std::size_t rounded = 0;  // items whose values are stored in bf16: each takes one more step
};

class Fusion {
 public:
  explicit Fusion(const Plan& plan)
      : plan_(plan), groups_(plan.items.size()), next_(plan.items.size()), graph_(make_groups()) {}

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
        result.push_back(items_of(groups_[open.back().first]));
        open.pop_back();
      }
    }
    return result;
  }

 private:
  // Each item begins as a group of the same index.
  static GroupId initial_group(ItemId item) { return GroupId(item.index()); }

  /// Makes a group of each item, and returns the groups that each one reads from.
  IndexVector<GroupId, std::vector<GroupId>> make_groups() {
    IndexVector<GroupId, std::vector<GroupId>> producers(plan_.items.size());
    for (const ItemId item : plan_.items.ids()) {
      std::vector<GroupId>& from = producers[initial_group(item)];
      from.reserve(plan_.items[item].reads.size());
      for (const Read& read : plan_.items[item].reads) {
        if (const ItemId producer = plan_.producer(read)) from.push_back(initial_group(producer));
      }
      groups_[initial_group(item)] = alone(item);
    }
    return producers;
  }

  [[nodiscard]] Group alone(ItemId index) const {
    const Item& item = plan_.items[index];
    Group group;
    group.first = group.last = index;
    group.items = 1;
    group.tiled = item.kind != ItemKind::opaque;
    group.late = item.late;
    if (!plan_.strands.empty()) group.strand = plan_.strands[index];
    group.elements = item.elements();
    group.dtype = plan_.dtype(item.value);
    group.rounded = plan_.values[item.value].stored == Stored::bf16 ? 1 : 0;
    if (item.kind != ItemKind::reduce) return group;
    group.reduction = &item.reads[0].view.shape;
    group.reductions = 1;
    return group;
  }

  /// The values that a group reads but does not compute. `own` is memory for those of a single item.
  std::span<const Outside> outside_of(const Group& group, std::vector<Outside>& own) const {
    if (group.items > 1) return group.outside;
    own.clear();
    for (const Read& read : plan_.items[group.first].reads) {
      const Outside outside{read.value, plan_.producer(read), &read};
      if (std::ranges::find(own, outside) == own.end()) own.push_back(outside);
    }
    return own;
  }

  [[nodiscard]] GroupId group_of(ItemId item) { return graph_.find(initial_group(item)); }
  [[nodiscard]] std::vector<ItemId> items_of(const Group& group) const {
    std::vector<ItemId> items;
    items.reserve(group.items);
    for (ItemId item = group.first; item; item = next_[item]) items.push_back(item);
    std::ranges::sort(items);
    return items;
  }
  [[nodiscard]] bool reads_from(const Outside& outside, GroupId group) {
    const Group& from = groups_[group];
    if (from.items == 1) return outside.producer == from.first;  // most groups that are merged are one item
    return outside.producer && group_of(outside.producer) == group;
  }

  /// Inside a group a value is read element by element, and the result of a reduction is not available yet.
  [[nodiscard]] bool reads_allow(std::span<const Outside> reads, DType dtype, GroupId producer) {
    return std::ranges::all_of(reads, [&](const Outside& outside) {
      if (!reads_from(outside, producer)) return true;
      const bool reduced = plan_.items[outside.producer].kind == ItemKind::reduce;
      return !reduced && is_identity(plan_, *outside.read) && plan_.dtype(outside.value) == dtype;
    });
  }

  /// Collects in `joined_` the values that two groups read and neither of them computes. Returns whether `a` reads from
  /// `b`.
  bool join_reads(GroupId a, std::span<const Outside> reads_of_a, GroupId b, std::span<const Outside> reads_of_b) {
    joined_.assign(reads_of_a.begin(), reads_of_a.end());
    const bool a_reads_b = std::erase_if(joined_, [&](const Outside& outside) { return reads_from(outside, b); }) > 0;
    const auto of_a = std::ssize(joined_);
    for (const Outside& outside : reads_of_b) {
      const auto end = joined_.begin() + of_a;
      const bool is_known = std::find(joined_.begin(), end, outside) != end;
      if (!is_known && !reads_from(outside, a)) joined_.push_back(outside);
    }
    return a_reads_b;
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
    return g.items > 0 && g.tiled && g.elements == 1 && !g.reduction;
  }

  void try_merge(GroupId producer, GroupId reader) {
    if (producer == reader) return;
    Group &a = groups_[producer], &b = groups_[reader];
    const bool alike = a.tiled && b.tiled && a.late == b.late && a.strand == b.strand && a.elements == b.elements &&
                       a.dtype == b.dtype && (!a.reduction || !b.reduction || *a.reduction == *b.reduction);
    // A register for each item, for each rounded item, and for each read from outside.
    constexpr std::size_t registers = max_tile_slots - 4;
    const std::size_t items = a.items + b.items + a.rounded + b.rounded;
    if (!alike || items > registers || a.reductions + b.reductions > 4) return;
    const auto reads_of_a = outside_of(a, reads_of_a_), reads_of_b = outside_of(b, reads_of_b_);
    const bool a_reads_b = join_reads(producer, reads_of_a, reader, reads_of_b);
    if (items + joined_.size() > registers) return;
    if (!reads_allow(reads_of_b, b.dtype, producer)) return;
    if (a_reads_b && !reads_allow(reads_of_a, a.dtype, reader)) return;
    if (!graph_.merge(producer, reader)) return;
    next_[a.last] = b.first;
    a.last = b.last;
    a.items += b.items;
    std::swap(a.outside, joined_);
    if (!a.reduction) a.reduction = b.reduction;
    a.reductions += b.reductions;
    a.rounded += b.rounded;
    b = {};
  }

  const Plan& plan_;
  IndexVector<GroupId, Group> groups_;
  IndexVector<ItemId, ItemId> next_;  // in the list of its group
  GroupGraph graph_;
  std::vector<Outside> reads_of_a_, reads_of_b_, joined_;  // memory for try_merge
};

/// Makes the instructions of a plan from their items.
class Instructions {
 public:
  explicit Instructions(Plan& plan)
      : plan_(plan),
        instruction_of_(plan.items.size()),
        last_reader_(plan.values.size()),
        needed_(plan.values.size(), 0) {}

  void add(std::vector<ItemId> items) {
    const InstructionId id = plan_.instructions.push_back({});
    Instruction& instruction = plan_.instructions[id];
    instruction.items = std::move(items);
    for (const ItemId item : instruction.items) instruction_of_[item] = id;
    for (const ItemId item : instruction.items) describe(plan_.items[item], id, instruction);
  }

  /// A value is an output of its instruction if another instruction reads it, or if it has a place outside.
  void find_outputs() {
    for (const Instruction& instruction : plan_.instructions) {
      for (const ValueId value : instruction.inputs) needed_[value] = 1;
    }
    for (const ItemId item : plan_.items.ids()) {
      const ValueId value = plan_.items[item].value;
      if (needed_[value] || plan_.values[value].place)
        plan_.instructions[instruction_of_[item]].outputs.push_back(value);
    }
  }

 private:
  void describe(const Item& item, InstructionId id, Instruction& instruction) {
    if (!instruction.name.empty()) instruction.name += ' ';
    instruction.name += item.name;
    for (const Read& read : item.reads) {
      const ItemId producer = plan_.producer(read);
      if (producer && instruction_of_[producer] == id) continue;
      // an opaque kernel takes its inputs in the op's order, the same one twice if need be
      const bool is_new = std::exchange(last_reader_[read.value], id) != id;
      if (is_new || item.kind == ItemKind::opaque) instruction.inputs.push_back(read.value);
    }
  }

  Plan& plan_;
  IndexVector<ItemId, InstructionId> instruction_of_;
  IndexVector<ValueId, InstructionId> last_reader_;
  IndexVector<ValueId, char> needed_;
};

}  // namespace

void fuse(Plan& plan, bool enabled) {
  Fusion fusion(plan);
  if (enabled) fusion.merge_all();
  Instructions instructions(plan);
  for (std::vector<ItemId>& items : fusion.in_order()) instructions.add(std::move(items));
  instructions.find_outputs();
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
