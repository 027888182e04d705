// Strands: the items of a plan that belong together, because they read what others of them compute, or use the same
// memory outside the arena, where one of them writes.

#include <algorithm>
#include <map>
#include <tuple>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

/// Bytes outside the arena that an item reads or writes.
struct Access {
  Place place;
  std::int64_t end;
  ItemId item;
  ValueId value;
  bool writes;
};

class StrandFinder {
 public:
  explicit StrandFinder(const Plan& plan)
      : plan_(plan),
        parent_(plan.items.size()),
        is_common_(plan.items.size(), 0),
        is_overwritten_(plan.values.size(), 0) {
    for (const ItemId item : plan_.items.ids()) parent_[item] = item;
  }

  IndexVector<ItemId, Strand> find() {
    join_what_overlaps();
    for (const ItemId item : plan_.items.ids()) {
      is_common_[item] = computes_common(plan_.items[item]);
      if (is_common_[item]) continue;
      for (const Read& read : plan_.items[item].reads) {
        const ItemId producer = plan_.producer(read);
        if (producer && !is_common_[producer]) join(producer, item);
      }
    }
    IndexVector<ItemId, Strand> strands(plan_.items.size());
    std::map<ItemId, Strand> of_root;
    for (const ItemId item : plan_.items.ids()) {
      if (!is_common_[item]) strands[item] = of_root.emplace(root(item), Strand(of_root.size())).first->second;
    }
    return of_root.size() > 1 ? strands : IndexVector<ItemId, Strand>();
  }

 private:
  ItemId root(ItemId item) {
    while (parent_[item] != item) item = parent_[item] = parent_[parent_[item]];
    return item;
  }
  void join(ItemId a, ItemId b) { parent_[root(b)] = root(a); }

  /// Joins the items that use the same bytes outside the arena, if one of them writes there.
  void join_what_overlaps() {
    std::vector<Access> all = accesses();
    std::ranges::sort(all, {}, [](const Access& a) { return std::tuple(a.place.base, a.place.offset, a.item); });
    for (auto first = all.begin(), last = first; first != all.end(); first = last) {
      std::int64_t end = first->end;
      bool writes = false;
      for (; last != all.end() && last->place.base == first->place.base && (last == first || last->place.offset < end);
           ++last) {
        end = std::max(end, last->end);
        writes |= last->writes;
      }
      for (auto access = first; writes && access != last; ++access) {
        is_overwritten_[access->value] = 1;
        join(first->item, access->item);
      }
    }
  }

  [[nodiscard]] std::vector<Access> accesses() const {
    std::vector<Access> all;
    for (const ItemId item : plan_.items.ids()) {
      const auto add = [&](ValueId value, bool writes) {
        const PlanValue& v = plan_.values[value];
        if (!v.place || v.place->base < first_user_base) return;
        all.push_back({*v.place, v.place->offset + static_cast<std::int64_t>(v.bytes()), item, value, writes});
      };
      for (const Read& read : plan_.items[item].reads) add(read.value, false);
      add(plan_.items[item].value, true);
    }
    return all;
  }

  [[nodiscard]] bool computes_common(const Item& item) const {
    const PlanValue& own = plan_.values[item.value];
    if (own.signature.shape.size() != 1 || own.place) return false;
    return std::ranges::all_of(item.reads, [&](const Read& read) {
      if (read.view.shape.size() != 1) return false;  // too much to repeat in each arena
      const ItemId producer = plan_.producer(read);
      return producer ? is_common_[producer] != 0 : !is_overwritten_[read.value];
    });
  }

  const Plan& plan_;
  IndexVector<ItemId, ItemId> parent_;         // in a tree whose root stands for the strand
  IndexVector<ItemId, char> is_common_;        // computes a number for all strands
  IndexVector<ValueId, char> is_overwritten_;  // outside the arena
};

bool is_heavy(const Plan& plan) {
  constexpr std::int64_t least_operations = 32'000'000;
  std::int64_t operations = 0;
  for (const Item& item : plan.items) {
    if (item.kind == ItemKind::opaque) operations += operations_of(plan, item);
  }
  return operations >= least_operations;
}

}  // namespace

void find_strands(Plan& plan, bool enabled) {
  if (enabled && is_heavy(plan)) plan.strands = StrandFinder(plan).find();
}

}  // namespace thalweg
