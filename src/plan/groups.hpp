#pragma once
// The graph of groups of items, while groups are merged: which reads from which, and an order in which each comes after
// those it reads from.

#include <cstdint>
#include <vector>

#include "core/index.hpp"

namespace thalweg {

using GroupId = Id<class GroupGraph>;

class GroupGraph {
 public:
  /// Groups that read from earlier ones.
  explicit GroupGraph(IndexVector<GroupId, std::vector<GroupId>> producers);

  /// The group that this one has become part of: itself, where it was not merged into another.
  [[nodiscard]] GroupId find(GroupId group);
  /// The groups that a group reads from, each once.
  [[nodiscard]] const std::vector<GroupId>& producers(GroupId group);

  /// Makes `other` part of `group`, unless one of them depends on the other through a third: a group computes all its
  /// items at once. Gives up, and refuses, where that is not decided after looking at `most_visits` groups.
  bool merge(GroupId group, GroupId other);
  static constexpr std::size_t most_visits = 1000;

 private:
  using Label = std::int64_t;
  struct Place {
    Label label = 0;  // grows along the order
    GroupId before, after;
  };

  [[nodiscard]] Label label(GroupId group) const { return places_[group].label; }
  /// Collects in `between_` what `second` depends on and comes after `first`. False where that includes what depends on
  /// `first`, or is too much.
  bool collect_between(GroupId first, GroupId second);
  void unlink(GroupId group);
  /// Moves groups, in this order, to the place in front of `next`.
  void move_before(GroupId next, const std::vector<GroupId>& moved);
  /// Gives so many groups from `first` on labels that lie `gap` apart, behind `begin`.
  void spread(GroupId first, Label groups, Label begin, Label gap);
  /// Spreads groups on both sides of `next`.
  void make_room(GroupId next);

  IndexVector<GroupId, std::vector<GroupId>> producers_;
  IndexVector<GroupId, GroupId> merged_into_;
  IndexVector<GroupId, Place> places_;
  GroupId front_;
  Label widest_ = 0;                // between labels at first
  IndexVector<GroupId, int> seen_;  // the number of the search that saw the group last
  int searches_ = 0;
  std::vector<GroupId> open_, between_;
};

}  // namespace thalweg
