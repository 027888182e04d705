// Simplifies a graph: ops without effect are removed, equal nodes become one.

#include <bit>
#include <unordered_set>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

/// Whether a node is the number `wanted`, possibly broadcast.
bool is_number(const Graph& graph, int index, double wanted) {
  const Node* node = &graph.node(index);
  while (node->op->kind == OpKind::view) node = &graph.node(node->inputs[0]);
  return node->op->leaf == Leaf::number && node->attributes.number == wanted;
}

/// The input that an op passes on with the same bits, or -1.
int unchanged_input(const Graph& graph, const Op& op, const std::vector<int>& inputs) {
  if (op.identity) {
    if (is_number(graph, inputs[1], *op.identity)) return inputs[0];
    if (op.commutes && is_number(graph, inputs[0], *op.identity)) return inputs[1];
  }
  if (op.undoes_itself && graph.node(inputs[0]).op == &op) return graph.node(inputs[0]).inputs[0];
  return -1;
}

bool may_be_shared(const Node& node) { return node.op->kind != OpKind::leaf && !node.attributes.rule; }

/// What a node computes: its op, the nodes that replace its inputs, and its attributes.
struct Computation {
  const Node* node;
  std::vector<int> inputs;
  int index;

  friend bool operator==(const Computation& a, const Computation& b) {
    return a.node->op == b.node->op && a.inputs == b.inputs && a.node->attributes.ints == b.node->attributes.ints &&
           a.number() == b.number();
  }
  [[nodiscard]] std::uint64_t number() const { return std::bit_cast<std::uint64_t>(node->attributes.number); }
};

struct Hash {
  std::size_t operator()(const Computation& c) const {
    std::uint64_t hash = reinterpret_cast<std::uintptr_t>(c.node->op) ^ c.number();
    const auto mix = [&](std::int64_t x) {
      hash = (hash ^ static_cast<std::uint64_t>(x)) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32;
    };
    for (const int input : c.inputs) mix(input);
    for (const std::int64_t number : c.node->attributes.ints) mix(number);
    return hash;
  }
};

}  // namespace

std::vector<int> simplify(const Graph& graph, bool enabled) {
  std::vector<int> same_as;
  std::unordered_set<Computation, Hash> seen;
  for (int i = 0; i < graph.size(); ++i) {
    int& same = same_as.emplace_back(i);
    if (!enabled) continue;
    const Node& node = graph.node(i);
    std::vector<int> inputs;
    for (const int input : node.inputs) inputs.push_back(at(same_as, input));
    if (const int input = unchanged_input(graph, *node.op, inputs); input >= 0) {
      same = at(same_as, input);
    } else if (may_be_shared(node)) {
      same = seen.insert({&node, std::move(inputs), i}).first->index;
    }
  }
  return same_as;
}

}  // namespace thalweg
