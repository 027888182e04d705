// Simplifies a graph: ops without effect are removed, equal nodes become one.

#include <bit>
#include <limits>
#include <numeric>

#include "plan/plan.hpp"

namespace thalweg {

namespace {

bool may_be_shared(const Node& node) { return node.op->kind != OpKind::leaf && !node.attributes.rule; }

class Simplifier {
 public:
  explicit Simplifier(const Graph& graph)
      : graph_(graph), places_(2 * std::bit_ceil(static_cast<std::size_t>(graph.size()) + 1), -1) {
    same_as_.reserve(static_cast<std::size_t>(graph.size()));
    numbers_.reserve(static_cast<std::size_t>(graph.size()));
  }

  std::vector<int> run() {
    for (int i = 0; i < graph_.size(); ++i) {
      const Node& node = graph_.node(i);
      numbers_.push_back(number_of(node));
      same_as_.push_back(replacement(i, node));
    }
    return std::move(same_as_);
  }

 private:
  int replacement(int i, const Node& node) {
    if (const int input = unchanged_input(node); input >= 0) return at(same_as_, input);
    return may_be_shared(node) ? first_equal(i, node) : i;
  }

  /// The number that a node is, possibly broadcast; NaN if it is none.
  [[nodiscard]] double number_of(const Node& node) const {
    if (node.op->kind == OpKind::view) return at(numbers_, node.inputs[0]);
    return node.op->leaf == Leaf::number ? node.attributes.number : std::numeric_limits<double>::quiet_NaN();
  }

  /// The node that replaces an input.
  [[nodiscard]] int input(const Node& node, int k) const { return at(same_as_, at(node.inputs, k)); }

  /// The input that an op passes on with the same bits, or -1.
  [[nodiscard]] int unchanged_input(const Node& node) const {
    const Op& op = *node.op;
    if (op.identity) {
      if (at(numbers_, input(node, 1)) == *op.identity) return input(node, 0);
      if (op.commutes && at(numbers_, input(node, 0)) == *op.identity) return input(node, 1);
    }
    if (!op.undoes_itself) return -1;
    const Node& inner = graph_.node(input(node, 0));
    return inner.op == &op ? inner.inputs[0] : -1;
  }

  /// The first node that computes the same as node i. The nodes so far are in a hash table without chains: the next
  /// free place holds what does not fit into its own.
  int first_equal(int i, const Node& node) {
    const std::size_t mask = places_.size() - 1;
    for (std::size_t place = hash(node) & mask;; place = (place + 1) & mask) {
      int& held = places_[place];
      if (held < 0) held = i;
      if (held == i || compute_the_same(graph_.node(held), node)) return held;
    }
  }

  [[nodiscard]] bool compute_the_same(const Node& a, const Node& b) const {
    if (a.op != b.op || a.inputs.size() != b.inputs.size() || number(a) != number(b)) return false;
    for (int k = 0; k < count(a.inputs); ++k) {
      if (input(a, k) != input(b, k)) return false;
    }
    return a.attributes.ints == b.attributes.ints;
  }
  [[nodiscard]] std::size_t hash(const Node& node) const {
    std::uint64_t hash = reinterpret_cast<std::uintptr_t>(node.op) ^ number(node);
    const auto mix = [&](std::int64_t x) {
      hash = (hash ^ static_cast<std::uint64_t>(x)) * 0x9e3779b97f4a7c15U;
      hash ^= hash >> 32;
    };
    for (int k = 0; k < count(node.inputs); ++k) mix(input(node, k));
    for (const std::int64_t value : node.attributes.ints) mix(value);
    return hash;
  }
  static std::uint64_t number(const Node& node) { return std::bit_cast<std::uint64_t>(node.attributes.number); }

  const Graph& graph_;
  std::vector<int> same_as_;     // of the nodes so far
  std::vector<double> numbers_;  // of the nodes so far
  std::vector<int> places_;      // of the hash table: a node, or -1
};

}  // namespace

std::vector<int> simplify(const Graph& graph, bool enabled) {
  if (enabled) return Simplifier(graph).run();
  std::vector<int> same_as(static_cast<std::size_t>(graph.size()));
  std::iota(same_as.begin(), same_as.end(), 0);
  return same_as;
}

}  // namespace thalweg
