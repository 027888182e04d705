// Rows with mean 0 and variance 1, the core of layer and RMS normalisation.

#include "kernels/standardise.hpp"

#include <cmath>

#include "core/error.hpp"
#include "ops/table.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using In = std::span<const Var>;
using Values = std::span<const Tensor>;

Signature infer_rows(std::span<const Signature> in, const Attributes&) {
  expect_float("standardise", in[0]);
  if (in[0].shape.rank() == 0 || in[0].shape[-1] == 0)
    fail<UsageError>("[standardise] of no elements: the shape is {}", in[0].shape);
  return in[0];
}

Attributes attributes_of(bool centred, double epsilon) {
  Attributes attributes = with_ints({centred});
  attributes.number = epsilon;
  return attributes;
}

/// The rule of the first derivative in primitive ops, for those after it.
Var pulled(Var x, Var g, bool centred, double epsilon) {
  const Var from_mean = centred ? x - mean(x, -1, Keep::yes) : x;
  const Var scale = rsqrt(mean(square(from_mean), -1, Keep::yes) + epsilon), y = from_mean * scale;
  const Var rest = g - y * mean(g * y, -1, Keep::yes);
  return scale * (centred ? rest - mean(g, -1, Keep::yes) : rest);
}

/// A copy of the node x to differentiate by, so that other values that depend on x do not count.
Var place_of(Var x) { return apply("reshape", {x}, with_ints({x.shape().begin(), x.shape().end()})); }

Var pull_pulled(S s, int input, Var g) {
  const Var places[] = {place_of(s.x(0)), place_of(s.x(1))};
  const Var y = pulled(places[0], places[1], s.attributes().ints[0] != 0, s.attributes().number);
  return vjp({y}, {g}, {places[input]}).front();
}

Tensor reference(const Tensor& x, const Tensor* g, bool centred, double epsilon) {
  Tensor out = x;
  const std::int64_t n = x.shape()[-1];
  const auto count = static_cast<double>(n);
  for (std::int64_t begin = 0; begin < x.size(); begin += n) {
    double sum = 0, squares = 0, gradients = 0, products = 0;
    for (std::int64_t i = begin; i < begin + n; ++i) sum += x.at(i);
    const double m = centred ? sum / count : 0;
    for (std::int64_t i = begin; i < begin + n; ++i) squares += (x.at(i) - m) * (x.at(i) - m);
    const double deviation = std::sqrt(squares / count + epsilon);
    const auto y = [&](std::int64_t i) { return (x.at(i) - m) / deviation; };
    for (std::int64_t i = begin; g && i < begin + n; ++i) {
      gradients += centred ? g->at(i) : 0;
      products += g->at(i) * y(i);
    }
    for (std::int64_t i = begin; i < begin + n; ++i)
      out.set(i, g ? (g->at(i) - gradients / count - y(i) * products / count) / deviation : y(i));
  }
  return out;
}

std::vector<Sample> samples_of(bool with_gradient) {
  std::vector<Sample> samples;
  for (const bool centred : {true, false}) {
    for (const Shape& shape : {Shape{3, 7}, Shape{2, 2, 20}, Shape{2, 301}}) {
      constexpr double epsilon = 0.1;
      samples.push_back(
          {.shapes = with_gradient ? std::vector{shape, shape} : std::vector{shape},
           .call =
               [=](In x) {
                 return with_gradient ? apply("standardise_pull", {x[0], x[1]}, attributes_of(centred, epsilon))
                                      : apply("standardise", {x[0]}, attributes_of(centred, epsilon));
               },
           .expected = [=](Values x) { return reference(x[0], with_gradient ? &x[1] : nullptr, centred, epsilon); },
           .tolerance = 10});
    }
  }
  return samples;
}

std::vector<Op> make_rows() {
  static const OpKernel value_kernel{.make = make_standardise}, pull_kernel{.make = make_standardise_pull};
  return {{.name = "standardise",
           .formula = "(x - m) / sqrt(mean (x - m)^2 + eps) along the last axis",
           .infer = infer_rows,
           .pull =
               [](S s, int, Var g) {
                 return apply("standardise_pull", {s.x(), g}, s.attributes());
               },
           .cheap = true,
           .samples_along = rows_samples,
           .kernel = &value_kernel,
           .samples = samples_of(false)},
          {.name = "standardise_pull",
           .formula = "(g - mean g - y mean(g y)) / sqrt(mean (x - m)^2 + eps), y standardised x",
           .arity = 2,
           .infer = infer_rows,
           .pull = pull_pulled,
           .samples_along = rows_samples,
           .kernel = &pull_kernel,
           .samples = samples_of(true)}};
}

}  // namespace

std::span<const Op> standardise_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var standardise(const Arg& x, double epsilon) { return apply("standardise", {x}, attributes_of(true, epsilon)); }
Var rms_standardise(const Arg& x, double epsilon) { return apply("standardise", {x}, attributes_of(false, epsilon)); }

}  // namespace thalweg
