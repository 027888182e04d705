// Positions, attention and feed-forward blocks.

#include <cmath>

#include "core/error.hpp"
#include "graph/tracing.hpp"
#include "graph/users_line.hpp"
#include "nn/blocks.hpp"
#include "nn/check_options.hpp"
#include "nn/layer_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Var sinusoidal_positions(const Arg& positions, std::int64_t width, DType dtype) {
  if (width < 2 || width % 2 != 0) fail<UsageError>("[sinusoidal_positions] width = {}. Wanted: even, >= 2", width);
  Tensor rates({width / 2, 1}, dtype), shifts({2}, dtype);
  for (std::int64_t i = 0; i < width / 2; ++i) {
    rates.set(i, std::pow(10'000, -2 * static_cast<double>(i) / static_cast<double>(width)));
  }
  const Var places = cast(positions, dtype);
  const Var angles = expand_dims(expand_dims(places, -1), -1) * constant(rates);  // (..., width / 2, 1)
  Shape shape = places.shape();
  shape.push_back(width);
  return reshape(concat({sin(angles), cos(angles)}, -1), shape);
}

Var places_up_to(Graph& graph, std::int64_t time) {
  Tensor places({time}, i32);
  for (std::int64_t t = 0; t < time; ++t) places.set(t, static_cast<double>(t));
  return graph.constant(places);
}

void expect_tokens(std::string_view model, Var tokens, std::int64_t context) {
  if (tokens.rank() == 2 && tokens.dtype() == i32 && (context == 0 || tokens.dim(1) <= context)) return;
  fail<UsageError>(
      "[{}] an input of {} {}. Wanted: tokens, i32 (batch, time){}", model, tokens.dtype(), tokens.shape(),
      context ? fmt::format(", with time at most context = {}. Hint: a sequence_length of at most that, or a larger "
                            "context.",
                            context)
              : "");
}

namespace {

void expect_heads(std::string_view layer, const Arg& x, std::int64_t heads, const Scope& s) {
  const Var v = var_of(x);
  if (v.rank() == 3 && heads > 0 && v.dim(-1) % heads == 0) return;
  fail<UsageError>("[{}] {} heads on {} in '{}'. Wanted: (batch, time, features), with features a multiple of heads{}",
                   layer, heads, v.shape(), s.path(), at(x.source()));
}

/// The concatenated heads, through the dense layer "output" and dropout.
Var joined(Scope s, Var heads, const MultiHeadAttentionOptions& o) {
  const Var x = reshape(heads, {heads.dim(0), heads.dim(1), heads.dim(2) * heads.dim(3)});
  const Var y = dense(s / "output", x, x.dim(-1), {.bias = o.bias, .initializer = o.output_initializer});
  return dropout(s, y, o.dropout);
}

}  // namespace

Var projected_qkv(Scope s, const Arg& x, const MultiHeadAttentionOptions& o, Var positions) {
  expect_heads("multi_head_attention", x, o.heads, s);
  check_options(o, "multi_head_attention");
  const Var v = var_of(x);
  const std::int64_t batch = v.dim(0), time = v.dim(1), features = v.dim(2), width = features / o.heads;
  Var qkv = dense(s / "qkv", x, 3 * features, {.bias = o.bias, .initializer = o.initializer});
  if (o.rotary) {
    if (!positions.defined()) positions = places_up_to(v.graph(), time);
    qkv = rotary(reshape(qkv, {batch, time, 3 * o.heads, width}), positions, 10'000, 2 * o.heads);
  }
  return reshape(qkv, {batch, time, 3, o.heads, width});
}

Var multi_head_attention(Scope s, const Arg& x, const MultiHeadAttentionOptions& o, Var lengths, Var positions) {
  const UsersLine line(x.source());
  const Var qkv = projected_qkv(s, x, o, positions);
  return joined(s, self_attention(qkv, {.causal = o.causal, .scale = o.scale}, lengths), o);
}

Var cached_attention(Scope s, const Arg& x, const MultiHeadAttentionOptions& o, Var position, Var& cache) {
  const Var qkv = projected_qkv(s, x, o, position);
  const std::int64_t batch = qkv.dim(0), context = cache.dim(1);
  const Var places = cast(places_up_to(qkv.graph(), context), qkv.dtype());
  const Var here = reshape(equal(places, cast(position, qkv.dtype())), {1, context, 1, 1, 1});
  cache = where(here, slice(qkv, 1, 3, 2), cache);
  const Var seen = broadcast_to(cast(cast(position, f64) + 1, i32), {batch});
  return joined(s, cross_attention(squeeze(slice(qkv, 0, 1, 2), 2), cache, {.scale = o.scale}, seen), o);
}

Var multi_head_cross_attention(Scope s, const Arg& x, const Arg& memory, const MultiHeadAttentionOptions& o,
                               Var lengths) {
  const UsersLine line(x.source());
  expect_heads("multi_head_cross_attention", x, o.heads, s);
  check_options(o, "multi_head_cross_attention");
  const Var v = var_of(x), m = var_of(memory);
  const std::int64_t features = v.dim(2), width = features / o.heads;
  const DenseOptions how{.bias = o.bias, .initializer = o.initializer};
  const Var q = reshape(dense(s / "q", x, features, how), {v.dim(0), v.dim(1), o.heads, width});
  const Var kv = reshape(dense(s / "kv", memory, 2 * features, how), {m.dim(0), m.dim(1), 2, o.heads, width});
  return joined(s, cross_attention(q, kv, {.causal = o.causal, .scale = o.scale}, lengths), o);
}

Var feed_forward(Scope s, const Arg& x, const FeedForwardOptions& o) {
  const UsersLine line(x.source());
  check_options(o, "feed_forward");
  const std::int64_t features = var_of(x).dim(-1);
  const bool gated = o.of == "swiglu";
  const std::int64_t usual = gated ? (features * 8 / 3 + 31) / 32 * 32 : 4 * features;
  const std::int64_t hidden = o.hidden > 0 ? o.hidden : usual;
  const DenseOptions into{.bias = !gated, .initializer = o.initializer},
      out{.bias = !gated, .initializer = o.output_initializer};
  Var h = dense(s / "hidden", x, gated ? 2 * hidden : hidden, into);
  h = gated ? silu(slice(h, 0, hidden, -1)) * slice(h, hidden, 2 * hidden, -1) : gelu_tanh(h);
  return dropout(s, dense(s / "output", h, features, out), o.dropout);
}

Fields fields(MultiHeadAttentionOptions& o) {
  return {{"heads", &o.heads, "number of heads, which must divide the number of features", {.low = 1}},
          {"causal", &o.causal, "each position attends only to itself and to earlier positions"},
          {"bias", &o.bias, "whether the projections have a bias"},
          {"rotary", &o.rotary, "rotate queries and keys by their positions (rotary embedding)"},
          {"dropout", &o.dropout, "dropout rate of the output", below_one},
          {"initializer", &o.initializer, "how the weights of queries, keys and values start"},
          {"output_initializer", &o.output_initializer, "how the weights of the output layer start"}};
}
Fields fields(FeedForwardOptions& o) {
  return {{"hidden", &o.hidden, "width between the two layers; 0 is 4 times the features, or 8/3 times for swiglu",
           not_negative},
          {"of", &o.of, "activation: gelu, or swiglu, which has a gate", any_number, {"gelu", "swiglu"}},
          {"dropout", &o.dropout, "dropout rate of the output", below_one},
          {"initializer", &o.initializer, "how the weights of the first layer start"},
          {"output_initializer", &o.output_initializer, "how the weights of the output layer start"}};
}

namespace {

struct PositionsLayer {
  std::string of = "learned";
};
Fields fields(PositionsLayer& o) {
  return {
      {"of", &o.of, "a learned vector for each position, or sines and cosines", any_number, {"learned", "sinusoidal"}}};
}
Var positions_layer(Scope s, const Arg& arg, const PositionsLayer& o) {
  const Var x = var_of(arg);
  if (x.rank() < 3) fail<UsageError>("[positions] {} in '{}'. Wanted: (batch, time, features)", x.shape(), s.path());
  if (o.of == "learned") return x + s.parameter("table", {x.dim(-2), x.dim(-1)}, {.initializer = init::normal(0.02)});
  return x + sinusoidal_positions(places_up_to(x.graph(), x.dim(-2)), x.dim(-1), x.dtype());
}

Var attention_layer(Scope s, const Arg& x, const MultiHeadAttentionOptions& o) { return multi_head_attention(s, x, o); }

}  // namespace

std::vector<LayerRow> attention_layers() {
  return {
      layer_row(
          positions_layer,
          {.name = "positions", .summary = "adds an encoding of the positions to a sequence", .formula = "x + p"}),
      layer_row(attention_layer, {.name = "attention",
                                  .summary = "multi-head attention: each position of a sequence attends to the others",
                                  .formula = "softmax(q k^T / sqrt(width)) v, in each head"}),
      layer_row(feed_forward, {.name = "feed_forward",
                               .summary = "two dense layers, applied to each position",
                               .formula = "gelu(x W + b) V + c, or (silu(x W) * (x V)) U"})};
}

}  // namespace thalweg::nn
