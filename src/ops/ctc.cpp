// Connectionist temporal classification.

#include "kernels/ctc.hpp"

#include <cmath>
#include <vector>

#include "core/error.hpp"
#include "ops/table.hpp"
#include "thalweg/ctc.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using In = std::span<const Var>;
using Values = std::span<const Tensor>;

Signature infer_ctc(std::span<const Signature> in, const Attributes& a) {
  expect_float("ctc_loss", in[0]);
  const Shape& logits = in[0].shape;
  const std::int64_t batch = logits.rank() == 3 ? logits[0] : -1;
  const bool fits = batch >= 0 && in[1].shape.rank() == 2 && in[1].shape[0] == batch && in[2].shape == Shape{batch} &&
                    in[3].shape == Shape{batch};
  if (!fits) {
    fail<UsageError>(
        "[ctc_loss] logits {}, labels {}, frames {}, lengths {}. Wanted: (batch, time, classes), (batch, most), "
        "(batch), "
        "(batch)",
        logits, in[1].shape, in[2].shape, in[3].shape);
  }
  for (const Signature& whole : in.subspan(1)) {
    if (whole.dtype != i32)
      fail<UsageError>("[ctc_loss] labels, frames and lengths of {}. Wanted: i32. Hint: tw::cast(x, tw::i32).",
                       whole.dtype);
  }
  if (logits[2] < 1 || a.ints[0] < 0 || a.ints[0] >= logits[2])
    fail<UsageError>("[ctc_loss] blank {} of {} classes. Hint: it is one of them.", a.ints[0], logits[2]);
  return {{batch, 1 + logits[1] * logits[2]}, in[0].dtype};
}

constexpr double impossible = -1e30;

/// Labels with a blank before and after each, (batch, 2 most + 1), in the dtype of the logits.
Var states_of(Var labels, std::int64_t blank, DType dtype) {
  const Var each = cast(labels, dtype), number = each.graph().number(static_cast<double>(blank), dtype);
  const std::int64_t batch = each.dim(0), most = each.dim(1);
  const Var pairs = reshape(stack({broadcast_to(number, each.shape()), each}, -1), {batch, 2 * most});
  return concat({pairs, broadcast_to(number, {batch, 1})}, 1);
}

/// x (batch, states) with the value of each state moved `by` places on, and an impossible value in the places before.
Var moved(Var x, std::int64_t by) { return slice(pad(x, {{0, 0}, {by, 0}}, impossible), 0, x.dim(1), 1); }

/// The loss of each sample by the forward recursion in primitive ops, from which derivatives of the gradient follow.
Var loss_in_primitives(Var logits, Var labels, Var frames, Var lengths, const CtcOptions& options) {
  const std::int64_t time = logits.dim(1), classes = logits.dim(2);
  const Var states = states_of(labels, options.blank, logits.dtype());
  const std::int64_t count = states.dim(1);
  const Var chosen =
      equal(expand_dims(states, 1), reshape(counted_up(logits, classes, logits.dtype()), {1, classes, 1}));
  const Var emission = matmul(log_softmax(logits), chosen);  // (batch, time, states)
  const Var place = counted_up(logits, count, logits.dtype()), differs = not_equal(states, moved(states, 2));
  const Var steps = differs * not_equal(states, options.blank) * (place >= 3);
  const Var penalty = where(steps, 0, impossible);
  const Var frame_count = expand_dims(cast(frames, logits.dtype()), 1);
  Var alpha = squeeze(slice(emission, 0, 1, 1), 1) + where(place < 2, 0, impossible);
  for (std::int64_t t = 1; t < time; ++t) {
    const Var next = logsumexp(stack({alpha, moved(alpha, 1), moved(alpha, 2) + penalty}, 0), 0) +
                     squeeze(slice(emission, t, t + 1, 1), 1);
    alpha = where(frame_count > t, next, alpha);
  }
  const Var end = 2 * expand_dims(cast(lengths, logits.dtype()), 1);
  const Var at_end = equal(place, end) + equal(place, end - 1);
  const Var loss = -logsumexp(where(at_end, alpha, impossible), -1);
  return options.zero_infinity ? where(loss < -impossible / 2, loss, 0) : loss;
}

/// The labels that a path stands for.
std::vector<std::int64_t> read_path(const std::vector<std::int64_t>& path, std::int64_t blank) {
  std::vector<std::int64_t> labels;
  for (std::size_t t = 0; t < path.size(); ++t) {
    if (path[t] != blank && (t == 0 || path[t] != path[t - 1])) labels.push_back(path[t]);
  }
  return labels;
}

/// -log of the sum over all paths.
double loss_of_paths(const Tensor& logits, std::int64_t sample, std::int64_t frames,
                     const std::vector<std::int64_t>& labels, std::int64_t blank) {
  const std::int64_t time = logits.shape()[1], classes = logits.shape()[2];
  const auto probability = [&](std::int64_t t, std::int64_t c) {
    const std::int64_t row = (sample * time + t) * classes;
    double total = 0;
    for (std::int64_t k = 0; k < classes; ++k) total += std::exp(logits.at(row + k));
    return std::exp(logits.at(row + c)) / total;
  };
  std::vector<std::int64_t> path(static_cast<std::size_t>(frames));
  double sum = 0;
  for (bool more = true; more;) {
    if (read_path(path, blank) == labels) {
      double product = 1;
      for (std::int64_t t = 0; t < frames; ++t) product *= probability(t, at(path, t));
      sum += product;
    }
    more = false;
    for (std::size_t t = 0; t < path.size() && !more; ++t) {  // counts up to the next path
      more = ++path[t] < classes;
      if (!more) path[t] = 0;
    }
  }
  return -std::log(sum);
}

struct Case {
  std::vector<std::int32_t> labels;  ///< (batch, most)
  std::vector<std::int32_t> frames, lengths;
};

Sample sample_of(const Shape& logits, const Case& given, const CtcOptions& options = {}) {
  const std::int64_t batch = logits[0], most = static_cast<std::int64_t>(given.labels.size()) / batch;
  const auto whole = [](const std::vector<std::int32_t>& values, const Shape& shape) {
    return constant(Tensor::from(values, shape));
  };
  return {.shapes = {logits},
          .call =
              [=](In x) {
                return ctc_loss(x[0], whole(given.labels, {batch, most}), whole(given.frames, {batch}),
                                whole(given.lengths, {batch}), options);
              },
          .expected =
              [=](Values x) {
                Tensor losses({batch}, x[0].dtype());
                for (std::int64_t i = 0; i < batch; ++i) {
                  const auto first = given.labels.begin() + i * most;
                  const double loss =
                      loss_of_paths(x[0], i, at(given.frames, i),
                                    std::vector<std::int64_t>(first, first + at(given.lengths, i)), options.blank);
                  losses.set(i, std::isinf(loss) && options.zero_infinity ? 0 : loss);
                }
                return losses;
              },
          .tolerance = 10};
}

/// Graves et al. 2006: the softmax of each frame, sums of three for each state, and the fraction of all paths in it.
std::int64_t operations(const KernelSite& site) {
  const Shape& logits = site.inputs[0].shape;
  const std::int64_t states = 2 * site.inputs[1].shape[1] + 1;
  return logits[0] * logits[1] * (5 * logits[2] + 30 * states);
}

std::vector<Op> make_rows() {
  static const OpKernel kernel{.make = make_ctc, .operations = operations};
  return {{.name = "ctc",
           .formula = "-ln of the sum, over all paths that stand for the labels, of the product of softmax(logits) "
                      "along the path; followed by its gradient",
           .arity = 4,
           .infer = infer_ctc,
           .samples_along = elementwise_samples,
           .kernel = &kernel,
           .samples = {sample_of({1, 3, 3}, {{1, 2}, {3}, {2}}),
                       sample_of({3, 5, 3}, {{1, 1, 2, 2, 0, 0, 1, 2, 1}, {5, 4, 5}, {2, 0, 3}}),
                       sample_of({2, 4, 4}, {{3, 0, 1, 3}, {4, 3}, {2, 2}}, {.blank = 2}),
                       sample_of({2, 4, 3}, {{1, 1, 1, 1, 1, 2}, {4, 4}, {3, 2}}, {.zero_infinity = true})}}};
}

}  // namespace

std::span<const Op> ctc_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

// One op gives the loss and its gradient; their derivatives are written by hand. The derivative of the loss is the
// gradient in the same result; the derivative of the gradient, which is rarely needed, comes from the recursion in
// primitive ops.
Var ctc_loss(const Arg& logits, const Arg& labels, const Arg& frames, const Arg& lengths, const CtcOptions& options) {
  const Var both =
      apply("ctc", {logits, labels, frames, lengths}, with_ints({options.blank, options.zero_infinity ? 1 : 0}));
  const Var x = var_of(logits), y = var_of(labels), t = var_of(frames), n = var_of(lengths);
  const Var gradient = custom_derivative(
      {x}, [&](In in) { return reshape(slice(both, 1, both.dim(1), 1), in[0].shape()); },
      [=](In in, Var, Var h) {
        const Var place = place_of_its_own(in[0]);
        const Var loss = loss_in_primitives(place, y, t, n, options);
        return vjp({gradients(sum(loss), {place})[0]}, {h}, {place});
      },
      logits.source());
  return custom_derivative(
      {x}, [&](In) { return squeeze(slice(both, 0, 1, 1), 1); },
      [gradient](In, Var, Var g) {
        return std::vector<Var>{gradient * reshape(g, {g.dim(0), 1, 1})};
      },
      logits.source());
}

}  // namespace thalweg
