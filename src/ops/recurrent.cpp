// Recurrent layers over all steps.

#include "kernels/recurrent.hpp"

#include <cmath>

#include "core/error.hpp"
#include "ops/recurrent.hpp"
#include "ops/table.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

using S = const Site&;
using In = std::span<const Var>;
using Values = std::span<const Tensor>;

/// Step t of (batch, time, n).
Var step_of(Var x, std::int64_t t) { return squeeze(slice(x, t, t + 1, 1), 1); }
/// Part i of the last axis, in parts of n.
Var part(Var x, std::int64_t i, std::int64_t n, std::int64_t parts = 1) { return slice(x, i * n, (i + parts) * n, -1); }
bool is_cut(std::int64_t t, std::int64_t truncate) { return truncate > 0 && t > 0 && t % truncate == 0; }

/// The hidden state before each step, (batch time, units).
Var states_before(Var h0, Var y, std::int64_t n) {
  const std::int64_t time = y.dim(1);
  const Var h = concat({expand_dims(h0, 1), slice(part(y, 0, n), 0, time - 1, 1)}, 1);
  return reshape(h, {y.dim(0) * time, n});
}
Var rows_of(Var x) { return reshape(x, {x.dim(0) * x.dim(1), x.dim(2)}); }

SampleAxis recurrent_samples_along(const SampleSite& site, std::initializer_list<std::size_t> shared) {
  for (const std::size_t i : shared) {
    if (site.inputs[i] != SampleAxis{}) return SampleAxis::mixed();
  }
  const SampleAxis all = elementwise_samples(site);
  return all == SampleAxis::along(0) ? all : SampleAxis::mixed();
}

void expect_recurrent(std::string_view op, std::span<const Signature> in, std::int64_t gates,
                      std::initializer_list<std::size_t> states) {
  expect_float(op, in[0]);
  expect_same_dtype(op, in);
  const Shape &x = in[0].shape, &w = in[1].shape;
  const std::int64_t n = w.rank() == 2 ? w[0] : 0;
  bool fits = x.rank() == 3 && w.rank() == 2 && w[1] == gates * n && x[2] == gates * n && x[1] > 0;
  for (const std::size_t i : states) fits = fits && in[i].shape == Shape{x[0], n};
  if (fits) return;
  fail<UsageError>(
      "[{}] sums of gates {}, weights {}, a state {}. Wanted: (batch, time, {} units), (units, {} units), "
      "(batch, units)",
      op, x, w, in[*states.begin()].shape, gates, gates);
}

Var gradient_of(std::string_view op, S s, std::initializer_list<Var> inputs) {
  return s.graph.append(op_named(op), inputs, with_ints({s.attributes().ints[0]}), {});
}

/// The derivative of a gradient op, from the same gradient in primitive ops.
Var pull_through(S s, int input, Var h, Var (*body)(In, std::int64_t)) {
  std::vector<Var> in;
  for (int i = 0; i < s.inputs(); ++i) in.push_back(place_of_its_own(s.x(i)));
  return vjp({body(in, s.attributes().ints[0])}, {h}, {at(in, input)})[0];
}

Signature infer_lstm(std::span<const Signature> in, const Attributes&) {
  expect_recurrent("lstm", in, 4, {2, 3});
  const Shape& x = in[0].shape;
  return {{x[0], x[1], x[2] / 4 * 6}, in[0].dtype};
}
Signature infer_lstm_gradient(std::span<const Signature> in, const Attributes&) {
  const Shape& y = in[2].shape;
  return {{y[0], y[1] + 1, y[2] / 6 * 4}, in[2].dtype};
}

Var pull_lstm(S s, int input, Var g) {
  const Var weights = s.x(1), y = s.y();
  const std::int64_t n = weights.dim(0), time = y.dim(1);
  const Var d = gradient_of("lstm_gradient", s, {weights, s.x(3), y, g});
  if (input == 0) return slice(d, 0, time, 1);
  if (input == 1) return matmul(states_before(s.x(2), y, n), rows_of(slice(d, 0, time, 1)), true, false);
  return part(step_of(d, time), input - 2, n);
}

/// lstm_gradient: inputs are weights, c before the first step, the output y and its cotangent g.
Var lstm_backwards(In in, std::int64_t truncate) {
  const Var weights = in[0], y = in[2], g = in[3];
  const std::int64_t n = weights.dim(0), time = y.dim(1);
  const Var zero = broadcast_to(y.graph().number(0, y.dtype()), {y.dim(0), n});
  std::vector<Var> rows(static_cast<std::size_t>(time) + 1);
  Var dh = zero, dc = zero;
  for (std::int64_t t = time - 1; t >= 0; --t) {
    const Var now = step_of(y, t), own = step_of(g, t);
    const Var before = t == 0 ? in[1] : part(step_of(y, t - 1), 1, n);
    const Var i = part(now, 2, n), f = part(now, 3, n), c_hat = part(now, 4, n), o = part(now, 5, n);
    const Var h = dh + part(own, 0, n), th = tanh(part(now, 1, n));
    const Var c = dc + part(own, 1, n) + h * o * (1 - square(th));
    const Var d = concat({(c * c_hat + part(own, 2, n)) * i * (1 - i), (c * before + part(own, 3, n)) * f * (1 - f),
                          (c * i + part(own, 4, n)) * (1 - square(c_hat)), (h * th + part(own, 5, n)) * o * (1 - o)},
                         -1);
    at(rows, t) = d;
    dh = is_cut(t, truncate) ? zero : matmul(d, weights, false, true);
    dc = is_cut(t, truncate) ? zero : c * f;
  }
  rows.back() = concat({dh, dc, zero, zero}, -1);
  return stack(rows, 1);
}

Signature infer_gru(std::span<const Signature> in, const Attributes&) {
  expect_recurrent("gru", in, 3, {3});
  const Shape& x = in[0].shape;
  if (in[2].shape != Shape{x[2] / 3}) fail<UsageError>("[gru] a bias {}. Wanted: (units)", in[2].shape);
  return {{x[0], x[1], x[2] / 3 * 5}, in[0].dtype};
}
Signature infer_gru_gradient(std::span<const Signature> in, const Attributes&) {
  const Shape& y = in[2].shape;
  return {{y[0], y[1] + 1, y[2] / 5 * 4}, in[2].dtype};
}

Var pull_gru(S s, int input, Var g) {
  const Var weights = s.x(1), y = s.y();
  const std::int64_t n = weights.dim(0), time = y.dim(1);
  const Var all = gradient_of("gru_gradient", s, {weights, s.x(3), y, g}), d = slice(all, 0, time, 1);
  if (input == 0) return part(d, 0, n, 3);
  if (input == 2) return sum(part(d, 3, n), {0, 1});
  if (input == 3) return part(step_of(all, time), 0, n);
  const Var sums = concat({part(d, 0, n, 2), part(d, 3, n)}, -1);
  return matmul(states_before(s.x(3), y, n), rows_of(sums), true, false);
}

/// gru_gradient: inputs are weights, h before the first step, the output y and its cotangent g.
Var gru_backwards(In in, std::int64_t truncate) {
  const Var weights = in[0], y = in[2], g = in[3];
  const std::int64_t n = weights.dim(0), time = y.dim(1);
  const Var zero = broadcast_to(y.graph().number(0, y.dtype()), {y.dim(0), n});
  std::vector<Var> rows(static_cast<std::size_t>(time) + 1);
  Var dh = zero;
  for (std::int64_t t = time - 1; t >= 0; --t) {
    const Var now = step_of(y, t), own = step_of(g, t);
    const Var before = t == 0 ? in[1] : part(step_of(y, t - 1), 0, n);
    const Var r = part(now, 1, n), z = part(now, 2, n), c = part(now, 3, n), m = part(now, 4, n);
    const Var total = dh + part(own, 0, n);
    const Var dn = (total * (1 - z) + part(own, 3, n)) * (1 - square(c));
    const Var dr = (dn * m + part(own, 1, n)) * r * (1 - r);
    const Var dz = (total * (before - c) + part(own, 2, n)) * z * (1 - z), dm = dn * r + part(own, 4, n);
    at(rows, t) = concat({dr, dz, dn, dm}, -1);
    dh = is_cut(t, truncate) ? zero : total * z + matmul(concat({dr, dz, dm}, -1), weights, false, true);
  }
  rows.back() = concat({dh, zero, zero, zero}, -1);
  return stack(rows, 1);
}

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

/// The reference by plain loops, in f64.
Tensor lstm_reference(Values x) {
  const Shape& shape = x[0].shape();
  const std::int64_t batch = shape[0], time = shape[1], n = shape[2] / 4;
  Tensor y({batch, time, 6 * n}, x[0].dtype());
  for (std::int64_t row = 0; row < batch * time; ++row) {
    const std::int64_t b = row / time, t = row % time;
    const auto before = [&](std::int64_t which, std::int64_t k) {
      return t == 0 ? at(x, 2 + which).at(b * n + k) : y.at((row - 1) * 6 * n + which * n + k);
    };
    const auto gate = [&](std::int64_t which, std::int64_t k) {
      double z = x[0].at(row * 4 * n + which * n + k);
      for (std::int64_t j = 0; j < n; ++j) z += before(0, j) * x[1].at(j * 4 * n + which * n + k);
      return which == 2 ? std::tanh(z) : sigmoid_of(z);
    };
    for (std::int64_t k = 0; k < n; ++k) {
      const double i = gate(0, k), f = gate(1, k), g = gate(2, k), o = gate(3, k), c = f * before(1, k) + i * g;
      const double values[] = {o * std::tanh(c), c, i, f, g, o};
      for (std::int64_t v = 0; v < 6; ++v) y.set(row * 6 * n + v * n + k, values[v]);
    }
  }
  return y;
}

Tensor gru_reference(Values x) {
  const Shape& shape = x[0].shape();
  const std::int64_t batch = shape[0], time = shape[1], n = shape[2] / 3;
  Tensor y({batch, time, 5 * n}, x[0].dtype());
  for (std::int64_t row = 0; row < batch * time; ++row) {
    const std::int64_t b = row / time, t = row % time;
    const auto before = [&](std::int64_t k) { return t == 0 ? x[3].at(b * n + k) : y.at((row - 1) * 5 * n + k); };
    const auto recurrent = [&](std::int64_t which, std::int64_t k) {
      double z = 0;
      for (std::int64_t j = 0; j < n; ++j) z += before(j) * x[1].at(j * 3 * n + which * n + k);
      return z;
    };
    for (std::int64_t k = 0; k < n; ++k) {
      const auto given = [&](std::int64_t which) { return x[0].at(row * 3 * n + which * n + k); };
      const double r = sigmoid_of(given(0) + recurrent(0, k)), z = sigmoid_of(given(1) + recurrent(1, k));
      const double m = recurrent(2, k) + x[2].at(k), c = std::tanh(given(2) + r * m);
      const double values[] = {(1 - z) * c + z * before(k), r, z, c, m};
      for (std::int64_t v = 0; v < 5; ++v) y.set(row * 5 * n + v * n + k, values[v]);
    }
  }
  return y;
}

/// The gradient op on a made-up output, compared with its form in primitive ops.
Sample gradient_sample(std::string_view op, Var (*body)(In, std::int64_t), std::int64_t outputs, std::int64_t gates,
                       std::int64_t truncate) {
  const std::int64_t n = 3, time = 3;
  Sample sample;
  sample.shapes = {{n, gates * n}, {2, n}, {2, time, outputs * n}, {2, time, outputs * n}};
  sample.low = -0.9;
  sample.high = 0.9;
  sample.tolerance = 10;
  sample.call = [=](In x) {
    const Var fused = x[0].graph().append(op_named(op), {x.begin(), x.end()}, with_ints({truncate}), {});
    return fused - body(x, truncate) + sum(x[0]);
  };
  sample.expected = [=](Values x) {
    double total = 0;
    for (std::int64_t i = 0; i < x[0].size(); ++i) total += x[0].at(i);
    return full({2, time + 1, 4 * n}, total, x[0].dtype());
  };
  return sample;
}

/// The operations of a product of (batch, units) and (units, gates units) in each step; the output holds `kept` numbers
/// for each unit.
template <int gates, int kept>
std::int64_t operations(const KernelSite& site) {
  const Shape& y = site.output.shape;
  const std::int64_t units = y[2] / kept;
  return 2 * y[0] * y[1] * units * gates * units;
}

std::vector<Op> make_rows() {
  static const OpKernel lstm_kernel{
      .make = make_lstm, .operations = operations<4, 6>, .products = ComputesProducts::inside},
      lstm_gradient_kernel{
          .make = make_lstm_gradient, .operations = operations<4, 4>, .products = ComputesProducts::inside},
      gru_kernel{.make = make_gru, .operations = operations<3, 5>, .products = ComputesProducts::inside},
      gru_gradient_kernel{
          .make = make_gru_gradient, .operations = operations<3, 4>, .products = ComputesProducts::inside};
  const auto lstm_sample = [](std::int64_t batch, std::int64_t time, std::int64_t n) {
    return Sample{.shapes = {{batch, time, 4 * n}, {n, 4 * n}, {batch, n}, {batch, n}},
                  .call = [](In x) { return lstm_steps(x[0], x[1], x[2], x[3], 0); },
                  .expected = lstm_reference,
                  .tolerance = 10};
  };
  const auto gru_sample = [](std::int64_t batch, std::int64_t time, std::int64_t n) {
    return Sample{.shapes = {{batch, time, 3 * n}, {n, 3 * n}, {n}, {batch, n}},
                  .call = [](In x) { return gru_steps(x[0], x[1], x[2], x[3], 0); },
                  .expected = gru_reference,
                  .tolerance = 10};
  };
  return {{.name = "lstm",
           .formula = "c = f c + i g, h = o tanh(c), with i, f, o = sigmoid(x + h U), g = tanh(x + h U)",
           .arity = 4,
           .infer = infer_lstm,
           .pull = pull_lstm,
           .samples_along = [](const SampleSite& site) { return recurrent_samples_along(site, {1}); },
           .kernel = &lstm_kernel,
           .samples = {lstm_sample(2, 3, 2), lstm_sample(1, 1, 3), lstm_sample(3, 5, 17)}},
          {.name = "lstm_gradient",
           .formula = "the cotangents of lstm's sums of gates and of its first state",
           .arity = 4,
           .infer = infer_lstm_gradient,
           .pull = [](S s, int input, Var h) { return pull_through(s, input, h, lstm_backwards); },
           .samples_along = [](const SampleSite& site) { return recurrent_samples_along(site, {0}); },
           .kernel = &lstm_gradient_kernel,
           .samples = {gradient_sample("lstm_gradient", lstm_backwards, 6, 4, 0),
                       gradient_sample("lstm_gradient", lstm_backwards, 6, 4, 2)}},
          {.name = "gru",
           .formula = "h = (1 - z) n + z h, with r, z = sigmoid(x + h U), n = tanh(x + r (h U + c))",
           .arity = 4,
           .infer = infer_gru,
           .pull = pull_gru,
           .samples_along =
               [](const SampleSite& site) {
                 return recurrent_samples_along(site, {1, 2});
               },
           .kernel = &gru_kernel,
           .samples = {gru_sample(2, 3, 2), gru_sample(1, 1, 3), gru_sample(3, 5, 17)}},
          {.name = "gru_gradient",
           .formula = "the cotangents of gru's sums of gates and of its first state",
           .arity = 4,
           .infer = infer_gru_gradient,
           .pull = [](S s, int input, Var h) { return pull_through(s, input, h, gru_backwards); },
           .samples_along = [](const SampleSite& site) { return recurrent_samples_along(site, {0}); },
           .kernel = &gru_gradient_kernel,
           .samples = {gradient_sample("gru_gradient", gru_backwards, 5, 3, 0),
                       gradient_sample("gru_gradient", gru_backwards, 5, 3, 2)}}};
}

}  // namespace

std::span<const Op> recurrent_ops() {
  static const std::vector<Op> rows = make_rows();
  return rows;
}

Var lstm_steps(Var x, Var weights, Var h, Var c, std::int64_t truncate) {
  return apply("lstm", {x, weights, h, c}, with_ints({truncate}));
}
Var gru_steps(Var x, Var weights, Var candidate_bias, Var h, std::int64_t truncate) {
  return apply("gru", {x, weights, candidate_bias, h}, with_ints({truncate}));
}

}  // namespace thalweg
