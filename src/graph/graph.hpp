#pragma once
// Graph: an append-only list of ops. It is in topological order by construction.

#include <deque>
#include <map>
#include <unordered_set>

#include "core/index.hpp"
#include "graph/op.hpp"

namespace thalweg {

struct Node {
  const Op* op = nullptr;
  std::vector<int> inputs;
  Attributes attributes;
  Signature signature;
  /// A scalar that takes the dtype of its operands: plain numbers, named scalars, and what is computed from them in
  /// f64.
  bool weak = false;
  Source source;
};

class Graph {
 public:
  Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Adds a named input. Throws UsageError if the name is taken.
  Var input(const std::string& name, const Shape& shape, DType dtype);
  /// A named f64 scalar that changes between steps.
  Var scalar(const std::string& name);
  Var constant(const Tensor& value);
  /// A scalar constant, one node for each value.
  Var number(double value, DType dtype, bool weak = false);

  /// Appends an op. Its shape rule is checked here, and errors name the source line.
  Var append(const Op& op, std::vector<Var> inputs, Attributes attributes, Source source);

  [[nodiscard]] const Node& node(int index) const { return at(nodes_, index); }
  [[nodiscard]] const Node& node(Var var) const { return node(var.index()); }
  [[nodiscard]] int size() const { return count(nodes_); }
  /// Identifies the trace, so that a Var of an earlier graph at the same address is recognised.
  [[nodiscard]] std::uint32_t trace() const { return trace_; }
  /// The inputs by name, in the order in which they were declared.
  [[nodiscard]] const std::vector<std::pair<std::string, Var>>& inputs() const { return inputs_; }

 private:
  Var add(Node node);

  std::uint32_t trace_;
  std::deque<Node> nodes_;  // a deque, so that references to nodes survive appending
  std::vector<std::pair<std::string, Var>> inputs_;
  std::unordered_set<std::string> input_names_;
  std::map<std::tuple<std::uint64_t, DType, bool>, int> numbers_;
};

/// The row of the op table with this name; it is a defect if there is none.
[[nodiscard]] const Op& op_named(std::string_view name);

/// Converts the arguments to Vars of one graph. Throws UsageError if none of them is a Var or if they belong to two
/// graphs.
[[nodiscard]] std::vector<Var> as_vars(std::string_view op, std::span<const Arg> args);
/// Throws UsageError for an empty Var, and for one of another trace.
void expect_defined(std::string_view op, Var var, Source source);
void expect_of_graph(std::string_view op, Var var, const Graph& graph, Source source);
/// Applies an elementwise op: unifies the dtypes, broadcasts, appends.
Var apply_elementwise(const Op& op, std::span<const Arg> args);
/// Converts one argument to a Var (a number becomes a constant in the graph of `like`).
[[nodiscard]] Var as_var(const Arg& arg, Var like);

/// " (file.cpp:12)", or nothing if the line is not known.
[[nodiscard]] std::string at(Source source);

}  // namespace thalweg
