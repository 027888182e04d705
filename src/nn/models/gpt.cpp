// The transformer that predicts the next token, for whole sequences and for one position at a time.

#include <cmath>

#include "core/error.hpp"
#include "graph/graph.hpp"
#include "nn/blocks.hpp"
#include "nn/check_options.hpp"
#include "nn/model_row.hpp"
#include "thalweg/gpt.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(GptOptions& o) {
  const Range count{.low = 1};
  return {{"layers", &o.layers, "number of blocks, each with attention and feed-forward layers", count},
          {"width", &o.width, "size of a token's embedding, a multiple of heads", count},
          {"heads", &o.heads, "number of attention heads", count},
          {"context", &o.context, "number of learned positions, and of tokens that generation looks back at", count},
          {"feed_forward",
           &o.feed_forward,
           "activation: gelu, or swiglu, which has a gate",
           any_number,
           {"gelu", "swiglu"}},
          {"hidden", &o.hidden, "width inside the feed-forward layers; 0 is 4 width, or 8/3 width for swiglu",
           not_negative},
          {"positions", &o.positions, "how positions are encoded", any_number, {"learned", "sinusoidal", "rotary"}},
          {"tied", &o.tied, "the output layer uses the token embeddings as its weights"},
          {"dropout", &o.dropout, "dropout rate of the embeddings and of the results that each block adds", below_one},
          {"parametrisation",
           &o.parametrisation,
           "mup: wider networks have the same best lr as the network of width base_width with as many heads",
           any_number,
           {"standard", "mup"}},
          {"base_width", &o.base_width, "mup: width of the network whose lr was tuned", count}};
}

namespace {

double width_ratio(const GptOptions& o) {
  return o.parametrisation == "mup" ? static_cast<double>(o.width) / static_cast<double>(o.base_width) : 1;
}

WidthScaling scaling(const GptOptions& o) {
  return {.ratio = width_ratio(o), .matrices = {"block*/attention/*/weight", "block*/feed_forward/*/weight"}};
}

constexpr double embedding_deviation = 0.02;  // also of the weights, in the network whose lr is tuned

struct Gpt {
  std::int64_t vocabulary;
  GptOptions o;

  Gpt(std::int64_t tokens, const GptOptions& options) : vocabulary(tokens), o(options) {
    check_options(options, "gpt");
    if (o.width % o.heads != 0) {
      fail_option("width", "[gpt] width = {} and heads = {}. Wanted: width a multiple of heads", o.width, o.heads);
    }
    if (o.positions != "learned" && o.width / o.heads % 2 != 0) {
      fail_option("positions", "[gpt] positions = \"{}\" with heads of width {}. Wanted: an even width", o.positions,
                  o.width / o.heads);
    }
  }

  /// The deviation of the weights between two widths.
  [[nodiscard]] double weight_deviation() const { return embedding_deviation / std::sqrt(width_ratio(o)); }
  [[nodiscard]] MultiHeadAttentionOptions attention() const {
    const double ratio = width_ratio(o), head = static_cast<double>(o.width) / static_cast<double>(o.heads);
    return {.heads = o.heads,
            .causal = true,
            .rotary = o.positions == "rotary",
            .dropout = o.dropout,
            .scale = 1 / std::sqrt(head * ratio),
            .initializer = init::normal(weight_deviation()),
            .output_initializer = init::normal(weight_deviation() / std::sqrt(2.0 * static_cast<double>(o.layers)))};
  }
  [[nodiscard]] FeedForwardOptions feed_forward_options() const {
    return {.hidden = o.hidden,
            .of = o.feed_forward,
            .dropout = o.dropout,
            .initializer = init::normal(weight_deviation()),
            .output_initializer = init::normal(weight_deviation() / std::sqrt(2.0 * static_cast<double>(o.layers)))};
  }

  /// Tokens (batch, time) at positions (time). `attend(layer, scope, x)` is the attention.
  template <class Attend>
  GptRead run(Scope s, const Arg& tokens, Var positions, const Attend& attend, bool with_logits = true) const {
    const Var table =
        (s / "tokens").parameter("table", {vocabulary, o.width}, {.initializer = init::normal(embedding_deviation)});
    Var x = gather(table, tokens);
    if (o.positions == "learned") {
      x = x + embedding(s / "positions", positions,
                        {.count = o.context, .width = o.width, .initializer = init::normal(embedding_deviation)});
    } else if (o.positions == "sinusoidal") {
      // as in the network whose lr was tuned: beside positions of size 1 the embeddings must not grow with the width
      const double tuned = static_cast<double>(o.width) / width_ratio(o);
      x = std::sqrt(tuned) * x + sinusoidal_positions(positions, o.width, s.dtype());
    }
    x = dropout(s, x, o.dropout);
    for (std::int64_t layer = 0; layer < o.layers; ++layer) {
      const Scope block = s / ("block" + std::to_string(layer + 1));
      x = x + attend(layer, block / "attention", layer_norm(block / "norm1", x));
      x = x + feed_forward(block / "feed_forward", layer_norm(block / "norm2", x), feed_forward_options());
    }
    x = layer_norm(s / "norm", x);
    if (width_ratio(o) != 1) x = x / width_ratio(o);
    if (!with_logits) return {x, {}};
    if (o.tied) return {x, matmul(x, table, false, true)};
    return {x, dense(s / "output", x, vocabulary, {.bias = false, .initializer = init::normal(embedding_deviation)})};
  }

  /// All positions at once.
  [[nodiscard]] GptRead whole(Scope s, Var tokens, bool with_logits) const {
    expect_tokens("gpt", tokens, o.positions == "learned" ? o.context : 0);
    const Var positions = places_up_to(tokens.graph(), tokens.dim(1));
    const auto attend = [&](std::int64_t, Scope at, Var x) {
      return multi_head_attention(at, x, attention(), {}, positions);
    };
    return run(s, tokens, positions, attend, with_logits);
  }
};

}  // namespace

ModelFunction gpt(std::int64_t vocabulary, const GptOptions& options) {
  return [model = Gpt(vocabulary, options)](Scope s, Var tokens) { return model.whole(s, tokens, true).logits; };
}

GptRead gpt_read(Scope s, Var tokens, std::int64_t vocabulary, const GptOptions& options, bool logits) {
  return Gpt(vocabulary, options).whole(s, tokens, logits);
}

SequenceStep gpt_step(std::int64_t vocabulary, const GptOptions& options) {
  const Gpt model(vocabulary, options);
  SequenceStep step;
  step.context = options.context;
  step.state = [o = options](std::int64_t batch) {
    const Shape cache{batch, o.context, 2, o.heads, o.width / o.heads};
    return std::vector<Shape>(static_cast<std::size_t>(o.layers), cache);
  };
  step.run = [model](Scope s, Var tokens, Var position, std::span<const Var> state) {
    std::vector<Var> caches(state.begin(), state.end());
    const auto attend = [&](std::int64_t layer, Scope at, Var x) {
      return cached_attention(at, x, model.attention(), position, caches[static_cast<std::size_t>(layer)]);
    };
    const Var logits = model.run(s, tokens, position, attend).logits;
    return SequenceStep::Result{logits, std::move(caches)};
  };
  return step;
}

std::vector<ModelRow> gpt_models() {
  const ModelRow row = model_row("gpt", "a transformer that predicts the next token of a text", gpt);
  return {with_scaling(with_step(row, gpt_step), scaling)};
}

}  // namespace thalweg::nn
