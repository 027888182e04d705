#include "plan/groups.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace thalweg {
namespace {

using Graph = IndexVector<GroupId, std::vector<GroupId>>;

/// A reference for GroupGraph that searches all paths.
class PlainGroups {
 public:
  explicit PlainGroups(const Graph& producers) : producers_(producers) {
    for (const GroupId group : producers.ids()) names_.push_back(group);
  }
  bool merge(GroupId group, GroupId other) {
    if (joined_through_others(group, other) || joined_through_others(other, group)) return false;
    for (GroupId& name : names_) name = name == other ? group : name;
    return true;
  }
  [[nodiscard]] GroupId find(GroupId group) const { return names_[group]; }
  [[nodiscard]] std::set<GroupId> producers(GroupId group) const {
    std::set<GroupId> found;
    for (const GroupId part : producers_.ids()) {
      if (find(part) != group) continue;
      for (const GroupId producer : producers_[part]) found.insert(find(producer));
    }
    found.erase(group);
    return found;
  }

 private:
  [[nodiscard]] bool joined_through_others(GroupId from, GroupId to) const {
    std::set<GroupId> seen{to};
    std::vector<GroupId> open{to};
    while (!open.empty()) {
      const GroupId group = open.back();
      open.pop_back();
      for (const GroupId producer : producers(group)) {
        if (producer == from && group != to) return true;
        if (producer != from && seen.insert(producer).second) open.push_back(producer);
      }
    }
    return false;
  }

  const Graph& producers_;
  IndexVector<GroupId, GroupId> names_;
};

Graph random_graph(int groups, std::mt19937_64& random) {
  Graph graph;
  for (int i = 0; i < groups; ++i) {
    std::vector<GroupId> producers;
    for (int k = 0; i > 0 && k < 2; ++k) {
      const auto back = 1 + random() % static_cast<std::uint64_t>(random() % 3 == 0 ? i : std::min(i, 4));
      producers.emplace_back(i - static_cast<int>(back));
    }
    graph.push_back(std::move(producers));
  }
  return graph;
}

TEST(GroupGraph, MergesGroupsWithoutAPathThroughOthers) {
  std::mt19937_64 random(1);
  int merged = 0, refused = 0;
  for (int round = 0; round < 60; ++round) {
    const Graph graph = random_graph(40, random);
    GroupGraph groups(graph);
    PlainGroups plain(graph);
    for (int tries = 0; tries < 150; ++tries) {
      const auto any = [&] { return groups.find(GroupId(random() % graph.size())); };
      const GroupId a = any(), b = any();
      if (a == b) continue;
      const bool done = groups.merge(a, b);
      ASSERT_EQ(done, plain.merge(a, b)) << "round " << round << ", groups " << a.index() << " and " << b.index();
      (done ? merged : refused) += 1;
    }
    for (const GroupId group : graph.ids()) {
      ASSERT_EQ(groups.find(group), plain.find(group));
      if (groups.find(group) != group) continue;
      const auto& producers = groups.producers(group);
      EXPECT_EQ(std::set(producers.begin(), producers.end()), plain.producers(group));
    }
  }
  EXPECT_GT(merged, 500);
  EXPECT_GT(refused, 500);
}

TEST(GroupGraph, KeepsItsOrderIfManyGroupsPrecedeOne) {
  // Group 0 is merged with thousands of groups, each of which reads from another group that must precede it.
  constexpr int pairs = 5000;
  Graph graph(1);
  for (int i = 0; i < pairs; ++i) {
    const GroupId source = graph.push_back({});
    graph.push_back({source, GroupId(0)});
  }
  GroupGraph groups(graph);
  for (int i = 0; i < pairs; ++i) ASSERT_TRUE(groups.merge(GroupId(0), GroupId(2 + 2 * i)));
  EXPECT_EQ(groups.producers(GroupId(0)).size(), static_cast<std::size_t>(pairs));
  EXPECT_FALSE(groups.producers(GroupId(0)).empty());
}

TEST(GroupGraph, KeepsItsOrderIfManyGroupsPrecedeEachOfSeveral) {
  // Groups 0 to 2 are merged in turn with thousands of groups, each with a chain of two groups before it.
  constexpr int hubs = 3, each = 3000;
  Graph graph(hubs);
  for (int i = 0; i < hubs * each; ++i) {
    const GroupId source = graph.push_back({}), between = graph.push_back({source});
    graph.push_back({between, GroupId(i % hubs)});
  }
  GroupGraph groups(graph);
  for (int i = 0; i < hubs * each; ++i) ASSERT_TRUE(groups.merge(GroupId(i % hubs), GroupId(hubs + 3 * i + 2)));
  for (int i = 0; i < hubs * each; ++i)  // a search that assumes a wrong order would not find the path
    ASSERT_FALSE(groups.merge(GroupId(i % hubs), GroupId(hubs + 3 * i))) << i;
}

TEST(GroupGraph, GivesUpOnLongSearches) {
  // The last group reads from the first one, and from a long chain of groups that is independent of the first one.
  Graph graph(2);
  const int length = static_cast<int>(GroupGraph::most_visits) + 10;
  for (int i = 0; i < length; ++i) graph.push_back({GroupId(graph.size() - 1)});
  const GroupId last = graph.push_back({GroupId(0), GroupId(graph.size() - 1)});
  EXPECT_FALSE(GroupGraph(graph).merge(GroupId(0), last));
  EXPECT_TRUE(GroupGraph(graph).merge(GroupId(length + 1), last));
}

}  // namespace
}  // namespace thalweg
