// Simplification of a graph: neutral operations are left out, equal nodes become one.

#include <bit>
#include <map>
#include <tuple>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

/// Whether a node is the number `wanted`, however broadcast.
bool is_number(const Graph& graph, int index, double wanted) {
  const Node* node = &graph.node(index);
  while (node->op->kind == OpKind::view) node = &graph.node(node->inputs[0]);
  return node->op->name == "number" && node->attributes.number == wanted;
}

/// The input that an op hands through unchanged to the last bit, or -1. (x + 0 is not here: it changes -0.)
int unchanged_input(const Graph& graph, const Node& node, const std::vector<int>& inputs) {
  const std::string_view op = node.op->name;
  if (op == "mul" && is_number(graph, inputs[1], 1)) return inputs[0];
  if (op == "mul" && is_number(graph, inputs[0], 1)) return inputs[1];
  if (op == "div" && is_number(graph, inputs[1], 1)) return inputs[0];
  if (op == "neg" && graph.node(inputs[0]).op->name == "neg") return graph.node(inputs[0]).inputs[0];
  return -1;
}

bool may_be_shared(const Node& node) { return node.op->kind != OpKind::leaf && !node.attributes.rule; }

}  // namespace

std::vector<int> simplify(const Graph& graph, bool enabled) {
  std::vector<int> same_as(static_cast<std::size_t>(graph.size()));
  using Key = std::tuple<const Op*, std::vector<int>, std::vector<std::int64_t>, std::uint64_t>;
  std::map<Key, int> seen;
  for (int i = 0; i < graph.size(); ++i) {
    int& same = same_as[static_cast<std::size_t>(i)];
    same = i;
    if (!enabled) continue;
    const Node& node = graph.node(i);
    std::vector<int> inputs;
    for (int input : node.inputs) inputs.push_back(same_as[static_cast<std::size_t>(input)]);
    if (const int input = unchanged_input(graph, node, inputs); input >= 0) {
      same = same_as[static_cast<std::size_t>(input)];
    } else if (may_be_shared(node)) {
      const Key key(node.op, inputs, node.attributes.ints, std::bit_cast<std::uint64_t>(node.attributes.number));
      same = seen.try_emplace(key, i).first->second;
    }
  }
  return same_as;
}

}  // namespace thalweg
