// Recurrent layers, and the model of text that is made of them.

#include <cmath>

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "nn/blocks.hpp"
#include "nn/model_row.hpp"
#include "ops/recurrent.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

namespace {

void expect_sequence(std::string_view layer, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry,
                     std::size_t states, const Scope& s) {
  if (x.var().rank() != 3 || o.units < 1 || o.truncate < 0) {
    fail<UsageError>("[{}] {} units on {} in '{}'. Wanted: (batch, time, features){}", layer, o.units, x.var().shape(),
                     s.path(), at(x.source()));
  }
  if (!carry.empty() && carry.size() != states) {
    fail<UsageError>("[{}] a carry of {} values in '{}'. Wanted: {}", layer, carry.size(), s.path(), states);
  }
}

std::vector<Var> carry_or_zeros(const std::vector<Var>& carry, Var x, std::int64_t units, std::size_t states) {
  if (!carry.empty()) return carry;
  return std::vector<Var>(states, broadcast_to(x.graph().number(0, x.dtype()), {x.dim(0), units}));
}

/// What the gates get from the input, and the recurrent weights.
std::pair<Var, Var> projected(Scope s, const Arg& x, const RecurrentOptions& o, std::int64_t gates, Initializer bias) {
  const Initializer start = init::uniform(1 / std::sqrt(static_cast<double>(o.units)));
  const auto width = gates * o.units;
  Var sums = matmul(x, s.parameter("input", {x.var().dim(-1), width}, {.initializer = start}));
  if (o.bias) sums = sums + s.parameter("bias", {width}, {.initializer = bias, .decay = false});
  return {sums, s.parameter("recurrent", {o.units, width}, {.initializer = start})};
}

Var last_step(Var steps, std::int64_t state, std::int64_t units) {
  const Var last = squeeze(slice(steps, steps.dim(1) - 1, steps.dim(1), 1), 1);
  return slice(last, state * units, (state + 1) * units, -1);
}

}  // namespace

Recurrent lstm(Scope s, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry) {
  expect_sequence("lstm", x, o, carry, 2, s);
  const auto [sums, weights] = projected(s, x, o, 4, init::zeros());
  const std::vector<Var> before = carry_or_zeros(carry, sums, o.units, 2);
  const Var steps = lstm_steps(sums, weights, before[0], before[1], o.truncate);
  return {slice(steps, 0, o.units, -1), {last_step(steps, 0, o.units), last_step(steps, 1, o.units)}};
}

Recurrent gru(Scope s, const Arg& x, const RecurrentOptions& o, const std::vector<Var>& carry) {
  expect_sequence("gru", x, o, carry, 1, s);
  const auto [sums, weights] = projected(s, x, o, 3, init::zeros());
  const std::vector<Var> before = carry_or_zeros(carry, sums, o.units, 1);
  const Var none = broadcast_to(sums.graph().number(0, sums.dtype()), {o.units});
  const Var bias = o.bias ? s.parameter("candidate_bias", {o.units}, {.decay = false}) : none;
  const Var steps = gru_steps(sums, weights, bias, before[0], o.truncate);
  return {slice(steps, 0, o.units, -1), {last_step(steps, 0, o.units)}};
}

Fields fields(LstmOptions& o) {
  const Range count{.low = 1};
  return {{"layers", &o.layers, "one above the other", count},
          {"width", &o.width, "numbers a token, and units of each layer", count},
          {"truncate", &o.truncate, "the gradient goes no further back than the last multiple of so many steps; 0: all",
           not_negative},
          {"tied", &o.tied, "the output uses the table of the tokens"},
          {"dropout", &o.dropout, "of embeddings and of each layer's output", below_one}};
}

namespace {

/// Tokens (batch, time) -> logits (batch, time, vocabulary). `carry` holds h and c of each layer, or is empty; it
/// becomes what they are after the last step.
Var run_lstm(Scope s, Var tokens, std::int64_t vocabulary, const LstmOptions& o, std::vector<Var>& carry) {
  const double deviation = 1 / std::sqrt(static_cast<double>(o.width));
  const Var table = (s / "tokens").parameter("table", {vocabulary, o.width}, {.initializer = init::normal(deviation)});
  Var x = dropout(s / "tokens", gather(table, tokens), o.dropout);
  std::vector<Var> after;
  for (std::int64_t layer = 0; layer < o.layers; ++layer) {
    const Scope at = s / ("layer" + std::to_string(layer + 1));
    const auto first = carry.begin() + static_cast<std::ptrdiff_t>(2 * layer);
    const std::vector<Var> own = carry.empty() ? std::vector<Var>{} : std::vector<Var>{first, first + 2};
    const Recurrent result = lstm(at, x, {.units = o.width, .truncate = o.truncate}, own);
    x = dropout(at, result.output, o.dropout);
    after.insert(after.end(), result.carry.begin(), result.carry.end());
  }
  carry = std::move(after);
  const Var bias = (s / "output").parameter("bias", {vocabulary}, {.decay = false});
  if (o.tied) return matmul(x, table, false, true) + bias;
  return dense(s / "output", x, vocabulary, {.bias = false, .initializer = init::lecun_normal()}) + bias;
}

}  // namespace

ModelFunction lstm_model(std::int64_t vocabulary, const LstmOptions& options) {
  return [=](Scope s, Var tokens) {
    expect_tokens("lstm", tokens, 0);
    std::vector<Var> carry;
    return run_lstm(s, tokens, vocabulary, options, carry);
  };
}

SequenceStep lstm_step(std::int64_t vocabulary, const LstmOptions& options) {
  SequenceStep step;
  step.state = [o = options](std::int64_t batch) {
    return std::vector<Shape>(static_cast<std::size_t>(2 * o.layers), Shape{batch, o.width});
  };
  step.run = [=](Scope s, Var tokens, Var, std::span<const Var> state) {
    std::vector<Var> carry(state.begin(), state.end());
    const Var logits = run_lstm(s, tokens, vocabulary, options, carry);
    return SequenceStep::Result{logits, std::move(carry)};
  };
  return step;
}

ModelRow lstm_row() {
  ModelRow row = model_row("lstm", "recurrent layers that predict the next token of a text", lstm_model);
  row.step = [](std::int64_t outputs, const OptionMap& values) {
    return lstm_step(outputs, options_from<LstmOptions>(values, "lstm"));
  };
  return row;
}

}  // namespace thalweg::nn
