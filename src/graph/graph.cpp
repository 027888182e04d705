#include "graph/tracing.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <utility>

#include "core/error.hpp"
#include "graph/users_line.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

const Signature& signature_of(const Graph* graph, const Var& var, std::string_view what) {
  if (!graph)
    fail<UsageError>("[var] an empty Var has no {}. Hint: it was default-constructed and never assigned.", what);
  if (graph->trace() != var.trace())
    fail<UsageError>("[var] a Var of a trace that has ended. Hint: it lives in the function that was traced with it.");
  return graph->node(var).signature;
}

std::atomic<std::uint32_t> traces = 0;

}  // namespace

Graph::Graph() : trace_(++traces) {}

Var::Var(Graph& graph, int index) : graph_(&graph), index_(index), trace_(graph.trace()) {}
const Shape& Var::shape() const { return signature_of(graph_, *this, "shape").shape; }
DType Var::dtype() const { return signature_of(graph_, *this, "dtype").dtype; }

Var Site::x(int input) const { return {graph, at(graph.node(index).inputs, input)}; }
int Site::inputs() const { return count(graph.node(index).inputs); }
const Attributes& Site::attributes() const { return graph.node(index).attributes; }

namespace {
thread_local Source users_line = {};

Source users(Source source) { return users_line.line == 0 ? source : users_line; }
}  // namespace

UsersLine::UsersLine(Source line) : outer_(users_line) { users_line = users(line); }
UsersLine::~UsersLine() { users_line = outer_; }

std::string at(Source source) {
  source = users(source);
  if (source.line == 0) return "";
  const std::string_view path = source.file;
  return fmt::format(" ({}:{})", path.substr(path.find_last_of('/') + 1), source.line);
}

Var Graph::add(Node node) {
  nodes_.push_back(std::move(node));
  return {*this, size() - 1};
}

Var Graph::input(const std::string& name, const Shape& shape, DType dtype) {
  if (!input_names_.insert(name).second) {
    fail<UsageError>("[input] the name '{}' is taken. Hint: to use one input twice, keep its Var.", name);
  }
  Attributes attributes;
  attributes.name = name;
  const Var var = add({&op_named("input"), {}, std::move(attributes), {shape, dtype}, false, {}});
  inputs_.emplace_back(name, var);
  return var;
}

Var Graph::scalar(const std::string& name) {
  const Var var = input(name, {}, f64);
  nodes_.back().weak = true;
  return var;
}

Var Graph::constant(const Tensor& value) {
  Attributes attributes;
  attributes.tensor.push_back(value);
  return add({&op_named("constant"), {}, std::move(attributes), {value.shape(), value.dtype()}, false, {}});
}

Var Graph::number(double value, DType dtype, bool weak) {
  const auto key = std::tuple(std::bit_cast<std::uint64_t>(value), dtype, weak);
  if (const auto found = numbers_.find(key); found != numbers_.end()) return {*this, found->second};
  Attributes attributes;
  attributes.number = value;
  const Var var = add({&op_named("number"), {}, std::move(attributes), {{}, dtype}, weak, {}});
  numbers_[key] = var.index();
  return var;
}

Var Graph::append(const Op& op, std::vector<Var> inputs, Attributes attributes, Source source) {
  Node node{&op, {}, std::move(attributes), {}, !inputs.empty(), users(source)};
  node.inputs.reserve(inputs.size());
  std::array<Signature, 4> few;  // most ops have few inputs, and no need for memory of their own
  std::vector<Signature> many(inputs.size() > few.size() ? inputs.size() : 0);
  const std::span<Signature> signatures(many.empty() ? few.data() : many.data(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    expect_of_graph(op.name, inputs[i], *this, source);
    const Node& from = this->node(inputs[i]);
    node.inputs.push_back(inputs[i].index());
    signatures[i] = from.signature;
    node.weak = node.weak && from.weak;
  }
  try {
    node.signature = op.infer(signatures, node.attributes);
  } catch (const UsageError& error) {
    throw UsageError(error.what() + at(source));
  }
  node.weak = node.weak && node.signature == Signature{{}, f64};
  return add(std::move(node));
}

namespace {
thread_local Graph* being_traced = nullptr;
}  // namespace

Tracing::Tracing(Graph& graph) : outer_(std::exchange(being_traced, &graph)) {}
Tracing::~Tracing() { being_traced = outer_; }

Var var_of(const Arg& arg) {
  if (arg.is_var()) return arg.var();
  if (!being_traced) {
    fail<UsageError>(
        "[trace] a number or a constant outside of a function that is being traced. Hint: an op needs a Var.{}",
        at(arg.source()));
  }
  return arg.is_number() ? being_traced->number(arg.number(), f64, true) : being_traced->constant(arg.tensor());
}

Var::Var(const Constant& value, Source source) : Var(var_of(Arg(value, source))) {}

Var as_var(const Arg& arg, Var like) {
  if (arg.is_var()) return arg.var();
  Graph& graph = like.graph();
  if (!arg.is_number()) return graph.constant(arg.tensor());
  const Node& other = graph.node(like);
  return graph.number(arg.number(), is_float(other.signature.dtype) ? other.signature.dtype : f32, other.weak);
}

void expect_defined(std::string_view op, Var var, Source source) {
  if (var.defined()) return;
  fail<UsageError>("[{}] an empty Var is given. Hint: it was default-constructed and never assigned.{}", op,
                   at(source));
}

void expect_of_graph(std::string_view op, Var var, const Graph& graph, Source source) {
  expect_defined(op, var, source);
  const bool here = &var.graph() == &graph;
  if (here && var.trace() == graph.trace()) return;
  fail<UsageError>(
      "[{}] {}. Hint: a Var lives in the function that was traced with it; pass data as an input or as "
      "tw::constant(tensor).{}",
      op, here ? "an argument is a Var of a trace that has ended" : "the arguments belong to two traces", at(source));
}

namespace {
/// The source line of the first argument that is a Var; a plain number may come from a formula of this library.
Source source_of(std::span<const Arg> args) {
  const auto var = std::ranges::find_if(args, [](const Arg& arg) { return arg.is_var(); });
  return var == args.end() ? args.front().source() : var->source();
}

/// The Var whose graph and dtype the other arguments take: a strong Var if there is one, otherwise a constant,
/// otherwise a weak Var.
Var first_var(std::string_view op, std::span<const Arg> args) {
  Var found;
  for (const Arg& arg : args) {
    if (!arg.is_var()) continue;
    expect_defined(op, arg.var(), arg.source());
    if (!found.defined()) found = arg.var();
    expect_of_graph(op, arg.var(), found.graph(), arg.source());
    // A strong Var decides the dtype of the numbers that it meets; a weak one does so only if there is no strong Var.
    if (found.graph().node(found).weak) found = arg.var();
  }
  const auto constant = std::ranges::find_if(args, [](const Arg& arg) { return !arg.is_var() && !arg.is_number(); });
  if (!found.defined()) return var_of(constant == args.end() ? args.front() : *constant);
  const bool weak = found.graph().node(found).weak && constant != args.end();
  return weak ? found.graph().constant(constant->tensor()) : found;
}
}  // namespace

namespace {
std::vector<Var> vars_like(std::span<const Arg> args, Var like) {
  std::vector<Var> vars;
  vars.reserve(args.size());
  for (const Arg& arg : args) vars.push_back(as_var(arg, like));
  return vars;
}
}  // namespace

std::vector<Var> as_vars(std::string_view op, std::span<const Arg> args) {
  return vars_like(args, first_var(op, args));
}

namespace {
Shape broadcast_shape(const Op& op, std::span<const Var> vars, Source source) {
  Shape shape = vars[0].shape();
  for (const Var& var : vars.subspan(1)) {
    const Shape& other = var.shape();
    if (other == shape) continue;
    const int rank = std::max(shape.rank(), other.rank());
    Shape joined;
    for (int axis = -rank; axis < 0; ++axis) {
      const std::int64_t a = axis >= -shape.rank() ? shape[axis] : 1, b = axis >= -other.rank() ? other[axis] : 1;
      if (a != b && a != 1 && b != 1) {
        fail<UsageError>(
            "[{}] {} and {} do not broadcast: {} and {} along axis {}. Hint: sizes must be equal, or one "
            "of them 1.{}",
            op.name, shape, other, a, b, axis, at(source));
      }
      joined.push_back(a == 1 ? b : a);
    }
    shape = joined;
  }
  return shape;
}
}  // namespace

Var apply_elementwise(const Op& op, std::span<const Arg> args) {
  const Var like = first_var(op.name, args);
  std::vector<Var> vars = vars_like(args, like);
  const Source source = source_of(args);
  const DType dtype = like.dtype();
  for (Var& var : vars) {
    if (var.dtype() == dtype) continue;
    if (!var.graph().node(var).weak) {
      fail<UsageError>("[{}] dtypes differ: {} and {}. Hint: tw::cast(x, tw::{}).{}", op.name, dtype, var.dtype(),
                       is_float(dtype) ? dtype : f32, at(source));
    }
    var = cast(Arg(var, source), dtype);
  }
  if (!is_float(dtype)) {
    fail<UsageError>("[{}] {} given. Hint: arithmetic is done in f32 or f64; tw::cast(x, tw::f32).{}", op.name, dtype,
                     at(source));
  }
  const Shape shape = broadcast_shape(op, vars, source);
  for (Var& var : vars) {
    if (!(var.shape() == shape)) var = broadcast_to(Arg(var, source), shape);
  }
  Graph& graph = vars[0].graph();
  return graph.append(op, std::move(vars), {}, source);
}

}  // namespace thalweg
