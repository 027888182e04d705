#pragma once
// Op: one row of the op table. It joins a name, a shape rule, a derivative rule, a kernel, and the samples of its
// tests.

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

/// What an op is told besides its inputs: axes, sizes, a number, a tensor, a name.
struct Attributes {
  std::vector<std::int64_t> ints;
  double number = 0;
  std::string name;
  std::vector<Tensor> tensor;  // one or none
  /// custom_derivative's rule: (inputs, output, cotangent) -> a cotangent an input
  std::function<std::vector<Var>(std::span<const Var>, Var, Var)> rule;
};

/// An op at one place of a graph, as derivative rules see it.
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
  view,         ///< the same elements in other places; absorbed into what reads it
  reduce,       ///< one axis group becomes one element: (outer, reduced, inner) -> (outer, inner)
  opaque,       ///< a kernel of its own
};

/// What a leaf is.
enum class Leaf {
  none,      ///< no leaf
  input,     ///< a named value from outside
  constant,  ///< a tensor
  number,    ///< one number
};

/// How people write an op in a formula.
enum class Form {
  call,        ///< symbol(a, b, ...)
  same,        ///< as its input: the elements are the same
  sum,         ///< a + b
  difference,  ///< a - b
  product,     ///< a*b
  quotient,    ///< a/b
  negative,    ///< -a
  square,      ///< a^2
  power,       ///< a^b
  reciprocal,  ///< 1/a, or 1/symbol(a) where there is a symbol
  comparison,  ///< a < b, with its own symbol
  choice,      ///< b where a is not 0, else c
};

/// Inputs and the value they should give, for the table's tests.
struct Sample {
  std::vector<Shape> shapes;                                ///< one an input
  std::function<Var(std::span<const Var>)> call;            ///< the op applied to them
  std::function<Tensor(std::span<const Tensor>)> expected;  ///< the same by plain loops, in f64
  double low = -2, high = 2;                                ///< inputs are drawn from here
  std::vector<std::pair<int, std::int64_t>> indices = {};   ///< inputs that are i32 below a bound
  double tolerance = 1;                                     ///< factor on the usual tolerances
  bool differences = true;                                  ///< whether differences of values show the derivative
};

/// g times the partial derivative of the output by one input; an undefined Var is zero.
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

  // The derivative, stated once in one of these forms; none means that it is zero everywhere.
  PartialRule partial = nullptr;          ///< elementwise: serves forward and reverse mode alike
  PullRule transpose = nullptr;           ///< linear in each input for which it is defined
  bool jointly_linear = false;            ///< f(a + s, b + t) = f(a, b) + f(s, t); else linear in each input
  Var (*weights)(const Site&) = nullptr;  ///< reduction: the partial derivative by each reduced element
  PullRule pull = nullptr;                ///< reverse mode of an op that is none of these

  /// A view: where the output's elements lie, given where the input's do. Nothing: not at regular strides.
  std::optional<View> (*view)(const View& x, const Attributes&, const Shape& output) = nullptr;

  /// Where each element of the output is the product of one element of each input: how both inputs are seen then. Else
  /// nothing, and that depends on the shapes alone.
  std::optional<std::pair<View, View>> (*factors)(const View& left, const View& right, const Attributes&,
                                                  const Shape& output) = nullptr;

  Leaf leaf = Leaf::none;
  bool converts = false;  ///< the same elements in another float type; absorbed into what reads them, which rounds them

  // What the planner may drop; it changes no bit.
  std::optional<double> identity = {};  ///< f(x, identity) = x. (Not of add: -0 + 0 is 0.)
  bool commutes = false;                ///< f(a, b) = f(b, a)
  bool undoes_itself = false;           ///< f(f(x)) = x

  Form form = Form::call;
  std::string_view symbol = {};  ///< what a call or a comparison is written with; none: the name

  /// Worth computing again in the backward pass where memory is short, as elementwise ops are.
  bool cheap = false;

  SampleRule samples_along = nullptr;  ///< where the samples of a batch are in the output; none: it mixes them

  const OpKernel* kernel = nullptr;
  double (*scalar)(const double* inputs) = nullptr;  ///< elementwise: the reference, one element
  std::vector<Sample> samples = {};
};

}  // namespace thalweg
