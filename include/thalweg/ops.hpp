#pragma once
// The ops of which differentiable functions are made. Every argument may be a Var, a plain number or an explicit
// constant; shapes broadcast as in NumPy; all throw UsageError, with the line of the call, for shapes or dtypes that do
// not fit. Derivatives at kinks follow PyTorch. Comparisons give 1 or 0 in the dtype of their arguments.
//
// i32 is allowed where whole numbers give whole numbers: +, -, *, square, abs, sign, minimum, maximum, clamp,
// comparisons, where, sum, prod, max, min, cumsum and pad, beside whole numbers and other i32. Results are i32, clamped
// to its range. All other ops take f32 and f64: cast(x, f32) first.

#include <functional>
#include <initializer_list>

#include "thalweg/var.hpp"

namespace thalweg {

/// Which axes: one, a list, or (the default) all of them. Negative axes count from the end.
struct Axes {
  Axes() = default;
  Axes(int axis) : all(false), list{axis} {}
  Axes(std::initializer_list<int> axes) : all(false), list(axes) {}
  Axes(std::vector<int> axes) : all(false), list(std::move(axes)) {}
  bool all = true;
  std::vector<int> list;
};
enum class Keep { no, yes };  ///< whether a reduced axis remains, with size 1

// Arithmetic.
Var operator+(const Arg& a, const Arg& b);
Var operator-(const Arg& a, const Arg& b);
Var operator*(const Arg& a, const Arg& b);
Var operator/(const Arg& a, const Arg& b);
Var operator-(const Arg& x);
Var pow(const Arg& x, const Arg& exponent);  ///< x^exponent
Var square(const Arg& x);                    ///< x^2
Var sqrt(const Arg& x);
Var rsqrt(const Arg& x);       ///< 1 / sqrt(x)
Var reciprocal(const Arg& x);  ///< 1 / x
Var abs(const Arg& x);         ///< |x|; derivative 0 at 0
Var sign(const Arg& x);        ///< -1, 0 or 1
Var floor(const Arg& x);
Var ceil(const Arg& x);
Var round(const Arg& x);                  ///< to the nearest integer, halves to even
Var minimum(const Arg& a, const Arg& b);  ///< element by element; equal arguments share the gradient
Var maximum(const Arg& a, const Arg& b);
Var clamp(const Arg& x, const Arg& low, const Arg& high);  ///< min(max(x, low), high); derivative 1 on the borders

// Exponentials and logarithms.
Var exp(const Arg& x);
Var expm1(const Arg& x);  ///< e^x - 1, exact near 0
Var exp2(const Arg& x);   ///< 2^x
Var log(const Arg& x);
Var log1p(const Arg& x);  ///< log(1 + x), exact near 0
Var log2(const Arg& x);
Var log10(const Arg& x);

// Trigonometry.
Var sin(const Arg& x);
Var cos(const Arg& x);
Var tan(const Arg& x);
Var asin(const Arg& x);
Var acos(const Arg& x);
Var atan(const Arg& x);
Var atan2(const Arg& y, const Arg& x);  ///< the angle of the point (x, y)
Var sinh(const Arg& x);
Var cosh(const Arg& x);
Var tanh(const Arg& x);
Var asinh(const Arg& x);
Var acosh(const Arg& x);
Var atanh(const Arg& x);
Var erf(const Arg& x);  ///< 2/sqrt(pi) times the integral of e^(-t^2) from 0 to x

// Activations.
Var sigmoid(const Arg& x);                          ///< 1 / (1 + e^-x)
Var relu(const Arg& x);                             ///< max(x, 0); derivative 0 at 0
Var relu6(const Arg& x);                            ///< min(max(x, 0), 6)
Var leaky_relu(const Arg& x, double slope = 0.01);  ///< x where x > 0, else slope * x
Var prelu(const Arg& x, const Arg& slope);          ///< the same with a slope that may be learned
Var elu(const Arg& x, double alpha = 1.0);          ///< x where x > 0, else alpha (e^x - 1)
Var selu(const Arg& x);                             ///< scaled elu (Klambauer et al. 2017)
Var gelu(const Arg& x);                             ///< x Phi(x), exact (Hendrycks and Gimpel 2016)
Var gelu_tanh(const Arg& x);                        ///< its tanh approximation
Var silu(const Arg& x);                             ///< x sigmoid(x), also called swish
Var mish(const Arg& x);                             ///< x tanh(softplus(x))
Var softplus(const Arg& x);                         ///< log(1 + e^x)
Var softsign(const Arg& x);                         ///< x / (1 + |x|)
Var hard_sigmoid(const Arg& x);                     ///< clamp(x / 6 + 1/2, 0, 1)
Var hard_swish(const Arg& x);                       ///< x hard_sigmoid(x)
Var log_sigmoid(const Arg& x);                      ///< -softplus(-x)

// Comparisons and choice.
Var operator<(const Arg& a, const Arg& b);
Var operator<=(const Arg& a, const Arg& b);
Var operator>(const Arg& a, const Arg& b);
Var operator>=(const Arg& a, const Arg& b);
Var equal(const Arg& a, const Arg& b);
Var not_equal(const Arg& a, const Arg& b);
Var where(const Arg& condition, const Arg& then, const Arg& otherwise);  ///< `then` where condition is not 0

// Reductions. An empty sum is 0; an empty maximum is refused.
Var sum(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);
Var mean(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);
Var prod(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);  ///< derivatives of all orders, zeros included
Var max(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);   ///< equal maxima share the gradient
Var min(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);
Var variance(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);  ///< mean of squared deviations (divides by n)
Var norm(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);      ///< sqrt(sum x^2); derivative 0 at 0
Var logsumexp(const Arg& x, const Axes& axes = {}, Keep keep = Keep::no);  ///< log sum e^x, without overflow
Var argmax(const Arg& x, int axis = -1);                                   ///< i32: the first of equal maxima
Var cumsum(const Arg& x, int axis = -1);                                   ///< running sum
Var softmax(const Arg& x, int axis = -1);                                  ///< e^x / sum e^x
Var log_softmax(const Arg& x, int axis = -1);                              ///< x - logsumexp(x)

// Shape.
Var reshape(const Arg& x, const Shape& shape);  ///< the same elements in row-major order
/// The same; one size may be -1: it follows from the other sizes.
Var reshape(const Arg& x, std::initializer_list<std::int64_t> sizes);
Var flatten(const Arg& x, int from_axis = 1);              ///< the axes from `from_axis` on become one
Var transpose(const Arg& x, std::vector<int> order = {});  ///< axes in a new order; reversed by default
Var broadcast_to(const Arg& x, const Shape& shape);
Var expand_dims(const Arg& x, int axis);  ///< a new axis of size 1
Var squeeze(const Arg& x, int axis);      ///< drops an axis of size 1
/// Elements begin, begin + step, ... below end along one axis; negative positions count from the end.
Var slice(const Arg& x, std::int64_t begin, std::int64_t end, int axis = 0, std::int64_t step = 1);
Var slice(const Arg& x, std::int64_t begin);  ///< from `begin` to the end of the first axis
Var concat(const std::vector<Var>& parts, int axis = 0, Source source = Source::here());
Var stack(const std::vector<Var>& parts, int axis = 0, Source source = Source::here());  ///< along a new axis
Var pad(const Arg& x, const std::vector<std::pair<std::int64_t, std::int64_t>>& widths, double value = 0);
Var cast(const Arg& x, DType dtype);  ///< element by element; linear

// Rows.
Var gather(const Arg& table, const Arg& indices);  ///< table[indices]: rows of (rows, ...) by i32 indices
Var scatter_add(const Arg& updates, const Arg& indices, std::int64_t rows);  ///< zeros(rows, ...)[indices] += updates
Var one_hot(const Arg& labels, std::int64_t classes, DType dtype = f32);     ///< (...) i32 -> (..., classes)
/// x[..., labels]: one element along the last axis at each place. labels: i32, the shape of x without its last axis.
Var pick(const Arg& x, const Arg& labels);
/// (x - m) / sqrt(v + epsilon) along the last axis, with m the mean and v the variance there (dividing by n).
Var standardise(const Arg& x, double epsilon = 1e-5);
/// x / sqrt(mean x^2 + epsilon) along the last axis.
Var rms_standardise(const Arg& x, double epsilon = 1e-5);

// Products.
/// (..., m, k) x (..., k, n) -> (..., m, n); leading axes broadcast. A vector counts as one row (left) or column
/// (right).
Var matmul(const Arg& a, const Arg& b);
/// The same with the last two axes of a or b exchanged first.
Var matmul(const Arg& a, const Arg& b, bool transpose_a, bool transpose_b);
Var dot(const Arg& a, const Arg& b);  ///< sum(a * b)

// Losses, one value per sample: see loss.hpp for the losses of training.
/// -log softmax(logits)[label], (..., classes) and i32 (...) -> (...).
Var cross_entropy_with_labels(const Arg& logits, const Arg& labels);
/// -sum(probabilities * log softmax(logits)) along the last axis.
Var cross_entropy_with_probabilities(const Arg& logits, const Arg& probabilities);
/// -y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)), element by element.
Var binary_cross_entropy_with_logits(const Arg& logits, const Arg& targets);

/// x, marked as a value that each shard of a batch may compute from its own samples. Other ops that mix samples make
/// the step one shard; this one does not. Batch normalisation marks its statistics in this way.
Var per_shard(const Arg& x);

// Derivatives by hand.
Var stop_gradient(const Arg& x);  ///< x, as a constant for derivatives
/// The value of `forward(inputs)`, with the cotangents of the inputs given by `backward(inputs, output, cotangent)`.
Var custom_derivative(const std::vector<Var>& inputs, const std::function<Var(std::span<const Var>)>& forward,
                      const std::function<std::vector<Var>(std::span<const Var>, Var, Var)>& backward,
                      Source source = Source::here());

}  // namespace thalweg
