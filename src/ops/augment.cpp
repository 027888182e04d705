// Flips, shifts and cuts out images, controlled by given random numbers.

#include "ops/augment.hpp"

#include "core/error.hpp"
#include "kernels/augment.hpp"
#include "ops/table.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;

Signature infer_augment(std::span<const Signature> in, const Attributes&) {
  expect_float("augment", in[0]);
  expect_same_dtype("augment", in);
  if (in[0].shape.rank() != 4 || !(in[1].shape == Shape{in[0].shape[0], augment_draws})) {
    fail<UsageError>("[augment] images {} and draws {}. Hint: (batch, height, width, channels) and (batch, {}).",
                     in[0].shape, in[1].shape, augment_draws);
  }
  return in[0];
}

SampleAxis each_image(const SampleSite& site) {
  const SampleAxis result = elementwise_samples(site);
  return result.kind == SampleAxis::Kind::along && result.axis != 0 ? SampleAxis::mixed() : result;
}

std::vector<Sample> samples_of(std::string_view name, bool transposed) {
  std::vector<Sample> samples;
  for (const std::vector<std::int64_t>& ints : {std::vector<std::int64_t>{1, 0, 0}, {0, 2, 0}, {1, 1, 3}}) {
    const Shape shape{4, 5, 4, 2};
    samples.push_back({.shapes = {shape, {4, augment_draws}},
                       .call =
                           [=](std::span<const Var> x) {
                             return apply(name, {x[0], stop_gradient(x[1])}, with_ints(ints));
                           },
                       .expected =
                           [=](std::span<const Tensor> x) {
                             Tensor y(shape, x[0].dtype());
                             for (std::int64_t flat = 0; flat < y.size(); ++flat) {
                               const std::int64_t c = flat % 2, j = flat / 2 % 4, i = flat / 8 % 5, b = flat / 40;
                               double draws[augment_draws];
                               for (int k = 0; k < augment_draws; ++k) draws[k] = x[1].at(b * augment_draws + k);
                               const std::int64_t from = Augmented(5, 4, ints, draws).source(i, j);
                               if (from < 0) continue;
                               const std::int64_t other = (b * 20 + from) * 2 + c;
                               transposed ? y.set(other, x[0].at(flat)) : y.set(flat, x[0].at(other));
                             }
                             return y;
                           },
                       .low = 0,
                       .high = 1});
  }
  return samples;
}

std::vector<Op> make_rows() {
  static const OpKernel augment_kernel{.make = make_augment}, transposed_kernel{.make = make_augment_transposed};
  return {{.name = "augment",
           .formula = "images flipped, shifted and with a square cut out, by the random numbers given",
           .arity = 2,
           .infer = infer_augment,
           .transpose =
               [](S s, int i, Var g) {
                 return i ? Var{} : apply("augment_transposed", {g, s.x(1)}, s.attributes());
               },
           .samples_along = each_image,
           .kernel = &augment_kernel,
           .samples = samples_of("augment", false)},
          {.name = "augment_transposed",
           .formula = "elements added at the places from which augment takes them",
           .arity = 2,
           .infer = infer_augment,
           .transpose =
               [](S s, int i, Var g) {
                 return i ? Var{} : apply("augment", {g, s.x(1)}, s.attributes());
               },
           .samples_along = each_image,
           .kernel = &transposed_kernel,
           .samples = samples_of("augment_transposed", true)}};
}

}  // namespace

std::span<const Op> augment_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var augmented(const Arg& images, const Arg& draws, const AugmentOptions& o) {
  return apply("augment", {images, draws}, with_ints({o.flip, o.crop, o.cutout}));
}

}  // namespace thalweg
