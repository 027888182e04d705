#pragma once
// The graph of groups of items while groups are merged: which group reads from which, and an order in which each group
// comes after the groups that it reads from.

#include <cstdint>
#include <vector>

#include "core/index.hpp"

namespace thalweg {

using GroupId = Id<class GroupGraph>;

class GroupGraph {
 public:
  /// Groups that read from earlier ones.
  explicit GroupGraph(IndexVector<GroupId, std::vector<GroupId>> producers);

  /// The group into which this one was merged; itself if it was not merged.
  [[nodiscard]] GroupId find(GroupId group);
  /// The groups that a group reads from, each once.
  [[nodiscard]] const std::vector<GroupId>& producers(GroupId group);

  /// Makes `other` part of `group`, unless one of them depends on the other through a third: a group computes all its
  /// items at once. Refuses where this is not decided after visiting `most_visits` groups.
  bool merge(GroupId group, GroupId other);
  static constexpr std::size_t most_visits = 1000;

 private:
  using Label = std::int64_t;
  struct Place {
    Label label = 0;  // grows along the order
    GroupId before, after;
  };

  [[nodiscard]] Label label(GroupId group) const { return places_[group].label; }
  /// Collects in `between_` the groups after `first` on which `second` depends. False where one of them depends on
  /// `first`, or where there are too many.
  bool collect_between(GroupId first, GroupId second);
  void unlink(GroupId group);
  /// Moves groups, in this order, to the place in front of `next`.
  void move_before(GroupId next, const std::vector<GroupId>& moved);
  /// Gives `count` groups from `first` on labels with distance `gap`, starting after `begin`.
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
