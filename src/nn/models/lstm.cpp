// The recurrent model that predicts the next token, for whole sequences and for one position at a time.

#include <cmath>

#include "nn/blocks.hpp"
#include "nn/check_options.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(LstmOptions& o) {
  const Range count{.low = 1};
  return {{"layers", &o.layers, "number of recurrent layers", count},
          {"width", &o.width, "size of a token's embedding, and number of units of each layer", count},
          {"truncate", &o.truncate, truncate_doc, not_negative},
          {"tied", &o.tied, "the output layer uses the token embeddings as its weights"},
          {"dropout", &o.dropout, "dropout rate of the embeddings and of the output of each layer", below_one}};
}

namespace {

/// Tokens (batch, time) -> logits (batch, time, vocabulary). `carry` holds h and c of each layer before the first step,
/// or is empty; afterwards it holds h and c after the last step.
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
  check_options(options, "lstm");
  return [=](Scope s, Var tokens) {
    expect_tokens("lstm", tokens, 0);
    std::vector<Var> carry;
    return run_lstm(s, tokens, vocabulary, options, carry);
  };
}

SequenceStep lstm_step(std::int64_t vocabulary, const LstmOptions& options) {
  check_options(options, "lstm");
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

std::vector<ModelRow> lstm_models() {
  return {
      with_step(model_row("lstm", "recurrent layers that predict the next token of a text", lstm_model), lstm_step)};
}

}  // namespace thalweg::nn
