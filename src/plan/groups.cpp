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
  if (places_.empty()) return;
  front_ = GroupId(0);
  widest_ = std::numeric_limits<Label>::max() / (static_cast<Label>(places_.size()) + 1);
  spread(front_, count(places_), 0, widest_);
}

GroupId GroupGraph::find(GroupId group) {
  while (const GroupId next = merged_into_[group]) {
    if (const GroupId after = merged_into_[next]) merged_into_[group] = after;  // shortens the path for the next search
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
  // The groups that `second` needs move before both, and `group` takes the place of `first`.
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
  // The earliest first: a path back to `first` is short among them.
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
  if (n > 0 && label(next) - low() <= n) make_room(next);
  // Close to the last one: most of the gap stays free for later groups at this place.
  const Label begin = low(), step = std::max<Label>(1, (label(next) - begin) / 64 / std::max<Label>(1, n));
  for (Label k = 0; k < n; ++k) {
    const GroupId group = at(moved, k), before = places_[next].before;
    places_[group] = {begin + (k + 1) * step, before, next};
    places_[next].before = group;
    if (before) places_[before].after = group;
    if (next == front_) front_ = group;
  }
}

void GroupGraph::spread(GroupId first, Label groups, Label begin, Label gap) {
  for (GroupId group = first; groups > 0; group = places_[group].after, --groups) places_[group].label = begin += gap;
}

/// Spreads few groups for a small gap and many for a large one, so that the work grows with the number of spreads:
/// spreading all groups each time would take time in the square of a long function's length.
void GroupGraph::make_room(GroupId next) {
  constexpr Label gap_of_one = Label{1} << 24;
  GroupId first = next, last = next;  // the group behind the last, or none
  for (Label groups = 0;;) {
    for (Label more = groups + 64; more > 0 && (places_[first].before || last); --more) {
      if (const GroupId before = places_[first].before) first = before, ++groups;
      if (last) last = places_[last].after, ++groups;
    }
    const Label begin = places_[first].before ? label(places_[first].before) : 0;
    const Label end = last ? label(last) : std::numeric_limits<Label>::max();
    const Label gap = std::min((end - begin) / (groups + 1), widest_);
    const bool are_all = !places_[first].before && !last;
    if (are_all || gap >= std::min(widest_ / 4, gap_of_one * groups)) return spread(first, groups, begin, gap);
  }
}

}  // namespace thalweg
