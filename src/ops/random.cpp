#include "ops/random.hpp"

#include <bit>
#include <cmath>
#include <numbers>

#include "core/error.hpp"
#include "core/random.hpp"
#include "kernels/random.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

// The attributes: {purpose, dtype, sizes...}.
Signature infer_uniform(std::span<const Signature> in, const Attributes& a) {
  if (!(in[0] == Signature{{}, f64}) || !(in[1] == Signature{{}, f64}) || in[2].dtype != i32) {
    fail<UsageError>("[uniform] wants seed and step as f64 scalars and the samples' places as i32");
  }
  const Shape shape(std::span(a.ints).subspan(2));
  if (in[2].shape.size() == 0 || shape.size() % in[2].shape.size() != 0) {
    fail<UsageError>("[uniform] {} numbers for {} samples", shape.size(), in[2].shape.size());
  }
  return {shape, static_cast<DType>(a.ints[1])};
}

Signature infer_poisson(std::span<const Signature> in, const Attributes&) {
  expect_float("poisson_count", in[0]);
  if (!(in[0] == in[1]))
    fail<UsageError>("[poisson_count] numbers {} and means {}. Wanted: the same", in[0].shape, in[1].shape);
  return in[0];
}

/// By the definition: probabilities of 0, 1, 2, ... added up.
Tensor plain_counts(std::span<const Tensor> x) {
  Tensor counts(x[0].shape(), x[0].dtype());
  for (std::int64_t i = 0; i < counts.size(); ++i) {
    const double mean = 30 * x[1].at(i);
    double p = std::exp(-mean), sum = p, k = 0;
    while (sum <= x[0].at(i)) {
      p *= mean / ++k;
      sum += p;
    }
    counts.set(i, k);
  }
  return counts;
}

Op poisson_row() {
  static const OpKernel kernel{.make = make_poisson_counts};
  return {.name = "poisson_count",
          .formula = "the least k with P(K <= k) > u, K by Poisson's distribution",
          .arity = 2,
          .infer = infer_poisson,
          .samples_along = elementwise_samples,
          .kernel = &kernel,
          .samples = {{.shapes = {{3, 40}, {3, 40}},
                       .call = [](std::span<const Var> x) { return poisson_count(x[0], 30 * x[1]); },
                       .expected = plain_counts,
                       .low = 0,
                       .high = 1,
                       .differences = false}}};
}

std::vector<Op> make_rows() {
  static const OpKernel uniform_kernel{.make = make_uniform};
  const auto expected = [](std::span<const Tensor> x) {
    constexpr std::int64_t samples = 3, each = 5;
    Tensor y({samples, each}, x[0].dtype());
    for (std::int64_t i = 0; i < y.size(); ++i) {
      y.set(i, uniform_element(RandomKey{7}.fold("sample").fold(std::uint64_t{2}), each, i / each + 4, i % each));
    }
    return y;
  };
  const auto call = [](std::span<const Var> x) {
    Graph& graph = x[0].graph();
    Tensor places({3}, i32);
    for (int i = 0; i < 3; ++i) places.set(i, i + 4);
    return random_uniform(graph.number(7, f64), graph.number(2, f64), graph.constant(places), "sample", {3, 5},
                          x[0].dtype());
  };
  return {{.name = "uniform",
           .formula = "random numbers in [0, 1) from seed, step and place",
           .arity = 3,
           .infer = infer_uniform,
           .cheap = true,
           .samples_along = elementwise_samples,
           .kernel = &uniform_kernel,
           .samples = {{.shapes = {{1}}, .call = call, .expected = expected}}},
          poisson_row()};
}

}  // namespace

std::span<const Op> random_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var random_uniform(Var seed, Var step, Var places, std::string_view purpose, const Shape& shape, DType dtype) {
  Attributes attributes;
  attributes.ints = {std::bit_cast<std::int64_t>(RandomKey{}.fold(purpose).purpose), static_cast<std::int64_t>(dtype)};
  attributes.ints.insert(attributes.ints.end(), shape.begin(), shape.end());
  return apply("uniform", {seed, step, places}, attributes);
}

Var random_normal(Var seed, Var step, Var places, std::string_view purpose, const Shape& shape, DType dtype) {
  const std::string name(purpose);
  const Var radius = random_uniform(seed, step, places, name + ".radius", shape, dtype);
  const Var angle = random_uniform(seed, step, places, name + ".angle", shape, dtype);
  return sqrt(-2 * log(1 - radius)) * cos(2 * std::numbers::pi * angle);
}

Var poisson_count(Var uniform, Var mean) { return apply("poisson_count", {uniform, mean}); }

}  // namespace thalweg
