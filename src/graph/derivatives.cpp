// Reverse and forward mode on Vars. Each is one loop over the list of ops. Every derivative consists of ordinary ops,
// so that it can be differentiated again.

#include "thalweg/derivatives.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

Graph& graph_of(std::string_view what, const std::vector<Var>& outputs, const std::vector<Var>& inputs) {
  if (outputs.empty() || !outputs.front().defined()) fail<UsageError>("[{}] no outputs given", what);
  Graph& graph = outputs.front().graph();
  for (const std::vector<Var>* vars : {&outputs, &inputs}) {
    for (const Var& var : *vars) expect_of_graph(what, var, graph, {});
  }
  return graph;
}

/// Checks that there is one cotangent (or tangent) for each of `vars`, with its shape and dtype.
void expect_like(std::string_view what, const std::vector<Var>& given, const std::vector<Var>& vars) {
  if (given.size() != vars.size()) fail<UsageError>("{} given: {} for {} values", what, given.size(), vars.size());
  for (std::size_t i = 0; i < vars.size(); ++i) {
    if (!given[i].defined()) continue;  // zero
    if (given[i].shape() == vars[i].shape() && given[i].dtype() == vars[i].dtype()) continue;
    fail<UsageError>("{} of {} {} for a value of {} {}. Hint: they must be equal.", what, given[i].dtype(),
                     given[i].shape(), vars[i].dtype(), vars[i].shape());
  }
}

/// The nodes that a derivative visits: from the first of the inputs, because no earlier node depends on them, to the
/// last of the outputs.
struct Range {
  int first = 0, last = 0;
  [[nodiscard]] bool contains(int node) const { return node >= first && node <= last; }
};

Range range_of(const std::vector<Var>& outputs, const std::vector<Var>& inputs) {
  int last = 0;
  for (const Var& output : outputs) last = std::max(last, output.index());
  int first = last + 1;
  for (const Var& input : inputs) first = std::min(first, input.index());
  return {first, last};
}

/// One T for each node of a range.
template <class T>
class PerNode {
 public:
  explicit PerNode(Range range) : range_(range), values_(static_cast<std::size_t>(range.last + 1 - range.first)) {}
  T& operator[](int node) { return at(values_, node - range_.first); }
  /// The node's value, or T() outside of the range.
  [[nodiscard]] T get(int node) const { return range_.contains(node) ? at(values_, node - range_.first) : T(); }

 private:
  Range range_;
  std::vector<T> values_;
};

/// Whether a node depends on any of the inputs in a differentiable way.
PerNode<char> depends_on(const Graph& graph, const std::vector<Var>& inputs, Range range) {
  PerNode<char> active(range);
  for (const Var& input : inputs) {
    if (range.contains(input.index())) active[input.index()] = 1;
  }
  for (int i = range.first; i <= range.last; ++i) {
    const Node& node = graph.node(i);
    const Op& op = *node.op;
    const bool has_rule = op.partial || op.transpose || op.weights || op.pull || node.attributes.rule;
    if (!has_rule || !is_float(node.signature.dtype)) continue;
    for (const int input : node.inputs) active[i] |= active.get(input);
  }
  return active;
}

Var plus(Var sum, Var term) { return !sum.defined() ? term : !term.defined() ? sum : sum + term; }

Var zeros_like(Var x) { return broadcast_to(x.graph().number(0, x.dtype()), x.shape()); }

/// Broadcasts (outer, 1, inner) values along the reduced axis.
Var spread(const Site& site, Var reduced) {
  const Shape& shape = site.x().shape();
  return broadcast_to(reshape(reduced, {shape[0], 1, shape[2]}), shape);
}

/// Writes the cotangents of an op's inputs to `result`; undefined where zero.
void pull_back(const Site& site, Var g, const std::vector<char>& wanted, std::vector<Var>& result) {
  const Op& op = *site.graph.node(site.index).op;
  result.assign(wanted.size(), {});
  const auto each = [&](auto rule) {
    for (int i = 0; i < site.inputs(); ++i) {
      if (at(wanted, i)) at(result, i) = rule(i);
    }
  };
  if (const auto& rule = site.attributes().rule) {
    std::vector<Var> inputs;
    for (int i = 1; i < site.inputs(); ++i) inputs.push_back(site.x(i));
    const auto own = rule(inputs, site.y(), g);
    expect_like("[custom_derivative] a cotangent", own, inputs);
    std::ranges::copy(own, result.begin() + 1);
  } else if (op.partial) {
    each([&](int i) { return op.partial(site, i, g); });
  } else if (op.transpose) {
    each([&](int i) { return op.transpose(site, i, g); });
  } else if (op.weights) {
    result[0] = op.weights(site) * spread(site, g);
  } else if (op.pull) {
    each([&](int i) { return op.pull(site, i, g); });
  }
}

}  // namespace

std::vector<Var> vjp(const std::vector<Var>& outputs, const std::vector<Var>& cotangents,
                     const std::vector<Var>& inputs) {
  Graph& graph = graph_of("vjp", outputs, inputs);
  expect_like("[vjp] a cotangent", cotangents, outputs);
  const Range range = range_of(outputs, inputs);
  const PerNode<char> active = depends_on(graph, inputs, range);
  PerNode<Var> adjoint(range);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!range.contains(outputs[i].index())) continue;
    Var& sum = adjoint[outputs[i].index()];
    sum = plus(sum, cotangents[i]);
  }
  std::vector<char> wanted;
  std::vector<Var> pulled;
  for (int i = range.last; i >= range.first; --i) {
    const Var g = adjoint[i];
    if (!g.defined() || !active.get(i) || graph.node(i).inputs.empty()) continue;
    const std::vector<int>& from = graph.node(i).inputs;  // nodes stay where they are when others are appended
    wanted.clear();
    for (const int input : from) wanted.push_back(active.get(input));
    if (std::ranges::find(wanted, 1) == wanted.end()) continue;  // an input of the derivative itself
    pull_back({graph, i}, g, wanted, pulled);
    for (std::size_t k = 0; k < from.size(); ++k) {
      if (wanted[k]) adjoint[from[k]] = plus(adjoint[from[k]], pulled[k]);
    }
  }
  std::vector<Var> result;
  for (const Var& input : inputs) {
    const Var g = adjoint.get(input.index());
    result.push_back(g.defined() ? g : zeros_like(input));
  }
  return result;
}

namespace {

/// Applies the op to other inputs, with the same attributes.
Var again(const Site& site, std::vector<Var> inputs) {
  const Node& node = site.graph.node(site.index);
  return site.graph.append(*node.op, std::move(inputs), node.attributes, node.source);
}

std::vector<Var> inputs_of(const Site& site) {
  std::vector<Var> inputs;
  for (int i = 0; i < site.inputs(); ++i) inputs.push_back(site.x(i));
  return inputs;
}

Var push_linear(const Site& site, const std::vector<Var>& tangents, const Op& op) {
  std::vector<Var> inputs = inputs_of(site);
  if (op.jointly_linear) {
    for (std::size_t i = 0; i < inputs.size(); ++i)
      inputs[i] = tangents[i].defined() ? tangents[i] : zeros_like(inputs[i]);
    return again(site, inputs);
  }
  Var sum;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!tangents[i].defined()) continue;
    std::vector<Var> replaced = inputs;
    replaced[i] = tangents[i];
    sum = plus(sum, again(site, replaced));
  }
  return sum;
}

/// For an op with a reverse rule only: u -> J^T u is linear, and its transpose applied to t is J t.
Var push_by_transposing(const Site& site, const std::vector<Var>& tangents, const std::vector<char>& wanted) {
  const Var u = zeros_like(site.y());
  const Var probe = stop_gradient(u);  // a separate node, by which the result is differentiated
  std::vector<Var> pulled, outputs, cotangents;
  pull_back(site, probe, wanted, pulled);
  for (std::size_t i = 0; i < pulled.size(); ++i) {
    if (!pulled[i].defined() || !tangents[i].defined()) continue;
    outputs.push_back(pulled[i]);
    cotangents.push_back(tangents[i]);
  }
  return outputs.empty() ? Var{} : vjp(outputs, cotangents, {probe}).front();
}

/// The tangent of an op's output; undefined where zero.
Var push_forward(const Site& site, const std::vector<Var>& tangents) {
  const Op& op = *site.graph.node(site.index).op;
  if (op.partial) {
    Var sum;
    for (int i = 0; i < site.inputs(); ++i) {
      const Var t = at(tangents, i);
      if (t.defined()) sum = plus(sum, op.partial(site, i, t));
    }
    return sum;
  }
  if (op.transpose) return push_linear(site, tangents, op);
  if (op.weights) {
    const Var products = op.weights(site) * tangents[0];
    return sum(products, 1);
  }
  std::vector<char> wanted;
  for (const Var& t : tangents) wanted.push_back(t.defined());
  return push_by_transposing(site, tangents, wanted);
}

}  // namespace

std::vector<Var> jvp(const std::vector<Var>& outputs, const std::vector<Var>& inputs,
                     const std::vector<Var>& tangents) {
  Graph& graph = graph_of("jvp", outputs, inputs);
  expect_like("[jvp] a tangent", tangents, inputs);
  const Range range = range_of(outputs, inputs);
  const PerNode<char> active = depends_on(graph, inputs, range);
  PerNode<Var> tangent(range);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (range.contains(inputs[i].index())) tangent[inputs[i].index()] = tangents[i];
  }
  for (int i = range.first; i <= range.last; ++i) {
    if (!active.get(i) || tangent[i].defined()) continue;
    std::vector<Var> from;
    for (const int input : graph.node(i).inputs) from.push_back(tangent.get(input));
    if (std::ranges::any_of(from, [](const Var& t) { return t.defined(); }))
      tangent[i] = push_forward({graph, i}, from);
  }
  std::vector<Var> result;
  for (const Var& output : outputs) {
    const Var t = tangent.get(output.index());
    result.push_back(t.defined() ? t : zeros_like(output));
  }
  return result;
}

std::vector<Var> gradients(const Arg& y, const std::vector<Var>& inputs) {
  const Var value = var_of(y);
  expect_defined("grad", value, y.source());
  if (value.size() != 1 || !is_float(value.dtype())) {
    fail<UsageError>(
        "[grad] the value has shape {} and dtype {}; a gradient is of a scalar in f32 or f64. Hint: tw::sum "
        "or tw::mean.{}",
        value.shape(), value.dtype(), at(y.source()));
  }
  for (const Var& input : inputs) expect_of_graph("grad", input, value.graph(), y.source());
  const Var one = broadcast_to(value.graph().number(1, value.dtype()), value.shape());
  return vjp({value}, {one}, inputs);
}

}  // namespace thalweg
