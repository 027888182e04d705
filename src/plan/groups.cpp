#include "plan/groups.hpp"

#include <algorithm>
#include <limits>

namespace thalweg {

GroupGraph::GroupGraph(IndexVector<GroupId, std::vector<GroupId>> producers)
    : producers_(std::move(producers)),
      merged_into_(producers_.size()),
      places_(producers_.size()),
      seen_(producers_.size(), 0) {
  for (const GroupId group : places_.ids()) {
    if (group.index() > 0) places_[group].before = GroupId(group.index() - 1);
    if (group.index() + 1 < count(places_)) places_[group].after = GroupId(group.index() + 1);
  }
  if (!places_.empty()) front_ = GroupId(0);
  spread_labels();
}

GroupId GroupGraph::find(GroupId group) {
  while (const GroupId next = merged_into_[group]) {
    if (const GroupId after = merged_into_[next]) merged_into_[group] = after;  // a shorter way for the next time
    group = next;
  }
  return group;
}

const std::vector<GroupId>& GroupGraph::producers(GroupId group) {
  std::vector<GroupId>& list = producers_[group];
  for (GroupId& producer : list) producer = find(producer);
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
  std::erase(list, group);
  return list;
}

bool GroupGraph::merge(GroupId group, GroupId other) {
  const bool in_order = label(group) < label(other);
  const GroupId first = in_order ? group : other, second = in_order ? other : group;
  if (!collect_between(first, second)) return false;
  // What `second` needs comes before both, and `group` takes the place of `first`.
  std::ranges::sort(between_, {}, [&](GroupId g) { return label(g); });
  if (!in_order) between_.push_back(group);
  move_before(first, between_);
  unlink(other);
  merged_into_[other] = group;
  std::vector<GroupId>& list = producers_[group];
  list.insert(list.end(), producers_[other].begin(), producers_[other].end());
  producers_[other] = {};
  return true;
}

bool GroupGraph::collect_between(GroupId first, GroupId second) {
  // The earliest first: a way back to `first` is short among those.
  const auto later = [&](GroupId a, GroupId b) { return label(a) > label(b); };
  ++searches_;
  open_.clear();
  between_.clear();
  const auto open_producers = [&](GroupId group) {
    for (const GroupId producer : producers(group)) {
      if (producer == first && group != second) return false;
      if (label(producer) <= label(first) || seen_[producer] == searches_) continue;
      seen_[producer] = searches_;
      open_.push_back(producer);
      std::ranges::push_heap(open_, later);
    }
    return true;
  };
  if (!open_producers(second)) return false;
  while (!open_.empty()) {
    std::ranges::pop_heap(open_, later);
    between_.push_back(open_.back());
    open_.pop_back();
    if (between_.size() > most_visits || !open_producers(between_.back())) return false;
  }
  return true;
}

void GroupGraph::unlink(GroupId group) {
  const auto [label, before, after] = places_[group];
  if (before) places_[before].after = after;
  if (after) places_[after].before = before;
  if (group == front_) front_ = after;
}

void GroupGraph::move_before(GroupId next, const std::vector<GroupId>& moved) {
  const auto n = static_cast<Label>(moved.size());
  for (const GroupId group : moved) unlink(group);
  const auto low = [&] { return places_[next].before ? label(places_[next].before) : 0; };
  if (n > 0 && label(next) - low() <= n) spread_labels();
  // Close to the one before: most of the gap is left for what comes here next.
  const Label begin = low(), step = std::max<Label>(1, (label(next) - begin) / 64 / std::max<Label>(1, n));
  for (Label k = 0; k < n; ++k) {
    const GroupId group = at(moved, k), before = places_[next].before;
    places_[group] = {begin + (k + 1) * step, before, next};
    places_[next].before = group;
    if (before) places_[before].after = group;
    if (next == front_) front_ = group;
  }
}

void GroupGraph::spread_labels() {
  const Label step = std::numeric_limits<Label>::max() / (static_cast<Label>(places_.size()) + 1);
  Label next = 0;
  for (GroupId group = front_; group; group = places_[group].after) places_[group].label = next += step;
}

}  // namespace thalweg
