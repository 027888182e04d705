#include "optim/segments.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "optim/update.hpp"

namespace thalweg {

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern[0] == '*') {
    return matches(pattern.substr(1), name) || (!name.empty() && matches(pattern, name.substr(1)));
  }
  if (name.empty() || (pattern[0] != '?' && pattern[0] != name[0])) return false;
  return matches(pattern.substr(1), name.substr(1));
}

namespace {

bool needs_shapes(const std::vector<Transform>& chain) { return std::ranges::any_of(chain, &Transform::per_parameter); }

const ParameterGroup* group_of(const Optimizer& optimizer, const ParameterEntry& entry) {
  const auto found = std::ranges::find_if(
      optimizer.groups, [&](const ParameterGroup& group) { return matches(group.pattern, entry.name); });
  return found == optimizer.groups.end() ? nullptr : &*found;
}

void check_groups(const Optimizer& optimizer, const Layout& layout) {
  for (const ParameterGroup& group : optimizer.groups) {
    const auto fits = [&](const ParameterEntry& entry) { return matches(group.pattern, entry.name); };
    if (std::ranges::none_of(layout.entries, fits)) {
      fail<UsageError>("[optimizer] no parameter fits the pattern '{}'. Hint: the first is '{}'.", group.pattern,
                       layout.entries.empty() ? "" : layout.entries.front().name);
    }
  }
}

}  // namespace

std::vector<Segment> segments_of(const Optimizer& optimizer, const Layout& layout, bool by_decay) {
  check_groups(optimizer, layout);
  std::vector<Segment> segments;
  const std::vector<std::int64_t> gradients = gradient_offsets(layout);
  bool joinable = false;  // whether the next parameter may join the last segment
  for (std::size_t i = 0; i < layout.entries.size(); ++i) {
    const ParameterEntry& entry = layout.entries[i];
    const ParameterGroup* group = group_of(optimizer, entry);
    if (entry.frozen || (group && group->frozen)) {
      joinable = false;
      continue;
    }
    if (needs_shape(optimizer, entry)) {
      segments.push_back({entry.offset, gradients[i], entry.shape, entry.decay, group});
      joinable = false;
    } else if (joinable && segments.back().offset + segments.back().shape.size() == entry.offset &&
               segments.back().group == group && (!by_decay || segments.back().decay == entry.decay)) {
      segments.back().shape = {entry.offset + entry.shape.size() - segments.back().offset};
    } else {
      segments.push_back({entry.offset, gradients[i], {entry.shape.size()}, entry.decay, group});
      joinable = true;
    }
  }
  return segments;
}

bool needs_shape(const Optimizer& optimizer, const ParameterEntry& entry) {
  const ParameterGroup* group = group_of(optimizer, entry);
  return needs_shapes(group && !group->chain.empty() ? group->chain : optimizer.chain);
}

std::vector<std::int64_t> gradient_offsets(const Layout& layout) {
  std::vector<std::int64_t> offsets;
  std::int64_t next = 0;
  for (const ParameterEntry& entry : layout.entries) {
    offsets.push_back(entry.frozen ? -1 : next);
    if (!entry.frozen) next += entry.shape.size();
  }
  return offsets;
}

const ParameterEntry& average_of(const Layout& layout, std::string_view average, std::string_view parameter) {
  const std::string name = std::string(average) + "/" + std::string(parameter);
  const auto found = std::ranges::find_if(
      layout.entries, [&](const ParameterEntry& entry) { return entry.average && entry.name == name; });
  if (found != layout.entries.end()) return *found;
  fail<UsageError>("[average] the state keeps no moving average '{}' of '{}'. Hint: .averages = {{{{\"{}\"}}}}.",
                   average, parameter, average);
}

}  // namespace thalweg
