// Recurrent layers.

#include <cmath>

#include "core/checked.hpp"
#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "nn/blocks.hpp"
#include "nn/layer_row.hpp"
#include "ops/recurrent.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

void expect_sequence(std::string_view layer, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry,
                     std::size_t states, const Scope& s) {
  if (var_of(x).rank() != 3 || o.units < 1 || o.truncate < 0) {
    fail<UsageError>("[{}] {} units on {} in '{}'. Wanted: (batch, time, features){}", layer, o.units,
                     var_of(x).shape(), s.path(), at(x.source()));
  }
  if (!carry.empty() && carry.size() != states) {
    fail<UsageError>("[{}] a carry of {} values in '{}'. Wanted: {}", layer, carry.size(), s.path(), states);
  }
}

std::vector<Var> carry_or_zeros(const std::vector<Var>& carry, Var x, std::int64_t units, std::size_t states) {
  if (!carry.empty()) return carry;
  return std::vector<Var>(states, broadcast_to(x.graph().number(0, x.dtype()), {x.dim(0), units}));
}

/// The contribution of the input to the gates before their activation, and the recurrent weights.
std::pair<Var, Var> projected(Scope s, const Arg& x, const RecurrentOptions& o, std::int64_t gates, Initializer bias) {
  const Initializer start = init::uniform(1 / std::sqrt(static_cast<double>(o.units)));
  const std::int64_t width = checked_mul(gates, o.units, "units");
  Var sums = matmul(x, s.parameter("input", {var_of(x).dim(-1), width}, {.initializer = start}));
  if (o.bias) sums = sums + s.parameter("bias", {width}, {.initializer = bias, .decay = false});
  return {sums, s.parameter("recurrent", {o.units, width}, {.initializer = start})};
}

Var last_step(Var steps, std::int64_t state, std::int64_t units) {
  const Var last = squeeze(slice(steps, steps.dim(1) - 1, steps.dim(1), 1), 1);
  return slice(last, state * units, (state + 1) * units, -1);
}

}  // namespace

Recurrent lstm(Scope s, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry) {
  const UsersLine line(x.source());
  expect_sequence("lstm", x, o, carry, 2, s);
  const auto [sums, weights] = projected(s, x, o, 4, init::zeros());
  const std::vector<Var> before = carry_or_zeros(carry, sums, o.units, 2);
  const Var steps = lstm_steps(sums, weights, before[0], before[1], o.truncate);
  return {slice(steps, 0, o.units, -1), {last_step(steps, 0, o.units), last_step(steps, 1, o.units)}};
}

Recurrent gru(Scope s, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry) {
  const UsersLine line(x.source());
  expect_sequence("gru", x, o, carry, 1, s);
  const auto [sums, weights] = projected(s, x, o, 3, init::zeros());
  const std::vector<Var> before = carry_or_zeros(carry, sums, o.units, 1);
  const Var none = broadcast_to(sums.graph().number(0, sums.dtype()), {o.units});
  const Var bias = o.bias ? s.parameter("candidate_bias", {o.units}, {.decay = false}) : none;
  const Var steps = gru_steps(sums, weights, bias, before[0], o.truncate);
  return {slice(steps, 0, o.units, -1), {last_step(steps, 0, o.units)}};
}

namespace {

struct RecurrentLayer : RecurrentOptions {
  bool last = false;
};
Fields fields(RecurrentLayer& o) {
  return {{"units", &o.units, "number of units, which is the number of outputs at each step", {.low = 1}},
          {"bias", &o.bias, "whether the gates have a bias"},
          {"last", &o.last, "return only the output of the last step, (batch, units)"},
          {"truncate", &o.truncate, truncate_doc, not_negative}};
}

template <Recurrent (*layer)(Scope, const Arg&, const RecurrentOptions&, const std::vector<Var>&)>
Var recurrent_layer(Scope s, const Arg& x, const RecurrentLayer& o) {
  const Recurrent result = layer(s, x, o, {});
  return o.last ? result.carry[0] : result.output;
}

}  // namespace

std::vector<LayerRow> recurrent_layers() {
  return {layer_row(recurrent_layer<lstm>, {.name = "lstm",
                                            .summary = "long short-term memory along a sequence",
                                            .formula = "c = f c + i g, h = o tanh(c)"}),
          layer_row(
              recurrent_layer<gru>,
              {.name = "gru", .summary = "gated recurrent units along a sequence", .formula = "h = (1 - z) n + z h"})};
}

}  // namespace thalweg::nn
