#pragma once
// Op: a row of the op table. It joins a name, a shape rule, a derivative rule, a kernel, and samples for tests.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/signature.hpp"
#include "core/view.hpp"
#include "graph/samples.hpp"
#include "thalweg/var.hpp"

namespace thalweg {

struct OpKernel;  // core/kernel.hpp: how it runs

/// The arguments of an op besides its inputs: axes, sizes, a number, a tensor, a name.
struct Attributes {
  std::vector<std::int64_t> ints;
  double number = 0;
  std::string name;
  std::vector<Tensor> tensor;  // one or none
  /// The rule of custom_derivative: (inputs, output, cotangent) -> one cotangent for each input.
  std::function<std::vector<Var>(std::span<const Var>, Var, Var)> rule;
};

/// An op at one position in a graph, as derivative rules see it.
struct Site {
  Graph& graph;
  int index;
  [[nodiscard]] Var x(int input = 0) const;
  [[nodiscard]] Var y() const { return {graph, index}; }
  [[nodiscard]] int inputs() const;
  [[nodiscard]] const Attributes& attributes() const;
};

enum class OpKind {
  leaf,         ///< an input or a constant
  elementwise,  ///< out[i] = f(a[i], b[i], ...)
  view,         ///< the same elements in another order; the ops that read it absorb it
  reduce,       ///< one axis group becomes one element: (outer, reduced, inner) -> (outer, inner)
  opaque,       ///< has its own kernel
};

/// What kind of leaf a node is.
enum class Leaf {
  none,      ///< not a leaf
  input,     ///< a named value from outside the graph
  constant,  ///< a tensor
  number,    ///< one number
};

/// How an op is written in a formula.
enum class Form {
  call,        ///< symbol(a, b, ...)
  same,        ///< written as its input, because the elements are the same
  sum,         ///< a + b
  difference,  ///< a - b
  product,     ///< a*b
  quotient,    ///< a/b
  negative,    ///< -a
  square,      ///< a^2
  power,       ///< a^b
  reciprocal,  ///< 1/a, or 1/symbol(a) if there is a symbol
  comparison,  ///< a < b, with its own symbol
  choice,      ///< b where a is not 0, otherwise c
};

/// Inputs and the expected value, for the tests of the table.
struct Sample {
  std::vector<Shape> shapes;                                ///< one for each input
  std::function<Var(std::span<const Var>)> call;            ///< the op applied to them
  std::function<Tensor(std::span<const Tensor>)> expected;  ///< the same by plain loops, in f64
  double low = -2, high = 2;                                ///< the range from which inputs are drawn
  std::vector<std::pair<int, std::int64_t>> indices = {};   ///< inputs that are i32 indices, with their upper bounds
  double tolerance = 1;                                     ///< factor on the usual tolerances
  bool differences = true;                                  ///< whether finite differences show the derivative
};

/// g times the partial derivative of the output with respect to one input; an undefined Var is zero.
using PartialRule = Var (*)(const Site&, int input, Var g);
/// The cotangent of one input given the output's; an undefined Var is zero.
using PullRule = Var (*)(const Site&, int input, Var g);

struct Op {
  std::string_view name;
  std::string_view formula;
  OpKind kind = OpKind::opaque;
  int arity = 1;  ///< -1: any number

  /// The output's signature. Throws UsageError (without the place: the graph adds it).
  Signature (*infer)(std::span<const Signature> inputs, const Attributes&) = nullptr;

  // The derivative, stated once in one of these forms; without any, it is zero everywhere.
  PartialRule partial = nullptr;  ///< elementwise: serves forward and reverse mode alike
  PullRule transpose = nullptr;   ///< for ops linear in each input for which it is defined
  bool jointly_linear = false;    ///< f(a + s, b + t) = f(a, b) + f(s, t); otherwise linear in each input separately
  /// For reductions: the partial derivative with respect to each reduced element.
  Var (*weights)(const Site&) = nullptr;
  PullRule pull = nullptr;  ///< reverse mode of all other ops

  /// For views: the positions of the output's elements, given those of the input. Empty if the strides would be
  /// irregular.
  std::optional<View> (*view)(const View& x, const Attributes&, const Shape& output) = nullptr;

  /// For ops whose output elements are each the product of one element of each input: how both inputs are viewed for
  /// that. Otherwise empty, which depends only on the shapes.
  std::optional<std::pair<View, View>> (*factors)(const View& left, const View& right, const Attributes&,
                                                  const Shape& output) = nullptr;

  Leaf leaf = Leaf::none;
  /// The same elements in another float type. The ops that read it absorb it and round the elements.
  bool converts = false;

  // Facts that let the planner drop ops; they must not change a single bit.
  std::optional<double> identity = {};  ///< f(x, identity) = x. (Not for add: -0 + 0 is 0.)
  bool commutes = false;                ///< f(a, b) = f(b, a)
  bool undoes_itself = false;           ///< f(f(x)) = x

  Form form = Form::call;
  std::string_view symbol = {};  ///< how a call or a comparison is written; empty: by the name

  /// Whether it is cheap enough to compute again in the backward pass when memory is short, as elementwise ops are.
  bool cheap = false;

  SampleRule samples_along = nullptr;  ///< where the samples of a batch are in the output; none: the op mixes samples

  const OpKernel* kernel = nullptr;
  double (*scalar)(const double* inputs) = nullptr;  ///< for elementwise ops: the reference for one element
  std::vector<Sample> samples = {};
};

}  // namespace thalweg
