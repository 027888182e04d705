// Reverse and forward mode on Vars. Both are one loop over the list of ops; every derivative is made of ordinary ops,
// so it can be differentiated again.

#include "thalweg/derivatives.hpp"

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "graph/graph.hpp"
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

/// One cotangent (or tangent) for each of `vars`, of its shape and dtype.
void expect_like(std::string_view what, const std::vector<Var>& given, const std::vector<Var>& vars) {
  if (given.size() != vars.size()) fail<UsageError>("{} given: {} for {} values", what, given.size(), vars.size());
  for (std::size_t i = 0; i < vars.size(); ++i) {
    if (!given[i].defined()) continue;  // zero
    if (given[i].shape() == vars[i].shape() && given[i].dtype() == vars[i].dtype()) continue;
    fail<UsageError>("{} of {} {} for a value of {} {}. Hint: they are alike.", what, given[i].dtype(),
                     given[i].shape(), vars[i].dtype(), vars[i].shape());
  }
}

/// For each node up to `last`, whether it depends on any of the inputs in a differentiable way.
std::vector<char> depends_on(const Graph& graph, const std::vector<Var>& inputs, int last) {
  std::vector<char> active(static_cast<std::size_t>(last) + 1, 0);
  for (const Var& input : inputs) {
    if (input.index() <= last) active[static_cast<std::size_t>(input.index())] = 1;
  }
  for (int i = 0; i <= last; ++i) {
    const Node& node = graph.node(i);
    const Op& op = *node.op;
    const bool has_rule = op.partial || op.transpose || op.weights || op.pull || node.attributes.rule;
    if (!has_rule || !is_float(node.signature.dtype)) continue;
    for (int input : node.inputs) active[static_cast<std::size_t>(i)] |= active[static_cast<std::size_t>(input)];
  }
  return active;
}

Var plus(Var sum, Var term) { return !sum.defined() ? term : !term.defined() ? sum : sum + term; }

Var zeros_like(Var x) { return broadcast_to(x.graph().number(0, x.dtype()), x.shape()); }

/// (outer, 1, inner) values spread over the reduced axis again.
Var spread(const Site& site, Var reduced) {
  const Shape& shape = site.x().shape();
  return broadcast_to(reshape(reduced, {shape[0], 1, shape[2]}), shape);
}

/// The cotangents of an op's inputs; undefined where zero.
std::vector<Var> pull_back(const Site& site, Var g, const std::vector<char>& wanted) {
  const Op& op = *site.graph.node(site.index).op;
  std::vector<Var> result(static_cast<std::size_t>(site.inputs()));
  const auto each = [&](auto rule) {
    for (int i = 0; i < site.inputs(); ++i) {
      if (wanted[static_cast<std::size_t>(i)]) result[static_cast<std::size_t>(i)] = rule(i);
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
  return result;
}

}  // namespace

std::vector<Var> vjp(const std::vector<Var>& outputs, const std::vector<Var>& cotangents,
                     const std::vector<Var>& inputs) {
  Graph& graph = graph_of("vjp", outputs, inputs);
  expect_like("[vjp] a cotangent", cotangents, outputs);
  int last = 0;
  for (const Var& output : outputs) last = std::max(last, output.index());
  const std::vector<char> active = depends_on(graph, inputs, last);
  std::vector<Var> adjoint(static_cast<std::size_t>(last) + 1);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    Var& sum = adjoint[static_cast<std::size_t>(outputs[i].index())];
    sum = plus(sum, cotangents[i]);
  }
  for (int i = last; i >= 0; --i) {
    const Var g = adjoint[static_cast<std::size_t>(i)];
    if (!g.defined() || !active[static_cast<std::size_t>(i)] || graph.node(i).inputs.empty()) continue;
    const std::vector<int> from = graph.node(i).inputs;
    std::vector<char> wanted;
    for (int input : from) wanted.push_back(active[static_cast<std::size_t>(input)]);
    if (std::ranges::find(wanted, 1) == wanted.end()) continue;  // an input of the derivative itself
    const std::vector<Var> pulled = pull_back({graph, i}, g, wanted);
    for (std::size_t k = 0; k < from.size(); ++k) {
      Var& sum = adjoint[static_cast<std::size_t>(from[k])];
      if (wanted[k]) sum = plus(sum, pulled[k]);
    }
  }
  std::vector<Var> result;
  for (const Var& input : inputs) {
    const Var g = input.index() <= last ? adjoint[static_cast<std::size_t>(input.index())] : Var{};
    result.push_back(g.defined() ? g : zeros_like(input));
  }
  return result;
}

namespace {

/// The op applied to other inputs, with its own attributes.
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

/// Where only the reverse rule is known: u -> J^T u is linear, and its transpose applied to t is J t.
Var push_by_transposing(const Site& site, const std::vector<Var>& tangents, const std::vector<char>& wanted) {
  const Var u = zeros_like(site.y());
  const Var probe = stop_gradient(u);  // a place of its own to differentiate by
  const std::vector<Var> pulled = pull_back(site, probe, wanted);
  std::vector<Var> outputs, cotangents;
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
      const Var t = tangents[static_cast<std::size_t>(i)];
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
  int last = 0;
  for (const Var& output : outputs) last = std::max(last, output.index());
  const std::vector<char> active = depends_on(graph, inputs, last);
  std::vector<Var> tangent(static_cast<std::size_t>(last) + 1);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].index() <= last) tangent[static_cast<std::size_t>(inputs[i].index())] = tangents[i];
  }
  for (int i = 0; i <= last; ++i) {
    if (!active[static_cast<std::size_t>(i)] || tangent[static_cast<std::size_t>(i)].defined()) continue;
    std::vector<Var> from;
    for (int input : graph.node(i).inputs) from.push_back(tangent[static_cast<std::size_t>(input)]);
    if (std::ranges::any_of(from, [](const Var& t) { return t.defined(); })) {
      tangent[static_cast<std::size_t>(i)] = push_forward({graph, i}, from);
    }
  }
  std::vector<Var> result;
  for (const Var& output : outputs) {
    const Var t = tangent[static_cast<std::size_t>(output.index())];
    result.push_back(t.defined() ? t : zeros_like(output));
  }
  return result;
}

std::vector<Var> gradients(const Arg& y, const std::vector<Var>& inputs) {
  const Var value = y.var();
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
