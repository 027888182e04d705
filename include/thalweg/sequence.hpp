#pragma once
// Sequences: attention, positions, recurrent layers. Batches are (batch, time, ...) throughout.

#include "thalweg/nn.hpp"

namespace thalweg {

struct AttentionOptions {
  bool causal = false;  ///< query i sees the keys up to i + keys - queries
  double scale = 0;     ///< factor of the scores; 0 is 1 / sqrt(width)
};

/// softmax(scale q k^T) v, for each head (Vaswani et al. 2017, eq. 1): q (batch, queries, heads, width), k and v
/// (batch, keys, heads, width) -> (batch, queries, heads, width). `lengths`, i32 (batch), hides the keys from this
/// place on (padding). A query that sees no key gives zeros. The scores are computed for a block of queries at a time,
/// and again in the backward pass.
Var attention(const Arg& q, const Arg& k, const Arg& v, const AttentionOptions& options = {}, Var lengths = {});
/// The same with kv (batch, keys, 2, heads, width) from one product. Its cotangent is one value as well.
Var cross_attention(const Arg& q, const Arg& kv, const AttentionOptions& options = {}, Var lengths = {});
/// The same: qkv (batch, time, 3, heads, width).
Var self_attention(const Arg& qkv, const AttentionOptions& options = {}, Var lengths = {});

/// Rotary positions (Su et al. 2021): x (batch, time, heads, width) with the pairs (i, i + width / 2) rotated by the
/// angle position * base^(-2 i / width). positions: i32 (time). `heads`: how many heads are rotated, from the first on;
/// 0 is all.
Var rotary(const Arg& x, const Arg& positions, double base = 10'000, std::int64_t heads = 0);

namespace nn {

/// sin and cos of position * 10000^(-2 i / width) at places 2 i and 2 i + 1 (Vaswani et al. 2017, sec. 3.5): positions
/// i32 (...) -> (..., width).
Var sinusoidal_positions(const Arg& positions, std::int64_t width, DType dtype = f32);

struct MultiHeadAttentionOptions {
  std::int64_t heads = 4;  ///< must divide the features
  bool causal = false;
  bool bias = true;
  bool rotary = false;  ///< rotate queries and keys by their positions
  double dropout = 0;   ///< dropout rate of the result, before it is added to anything
  double scale = 0;     ///< factor of the scores; 0 is 1 / sqrt(width of a head)
  Initializer initializer = init::xavier_uniform();
  Initializer output_initializer = init::xavier_uniform();
};
/// Self-attention, (batch, time, features) -> the same. Parameters "qkv/weight" (features, 3 features), whose columns
/// are those of the queries, the keys and the values, head after head, as in torch.nn.MultiheadAttention's
/// in_proj_weight transposed; "qkv/bias", "output/weight", "output/bias". positions: i32 (time), for rotary ones;
/// 0, 1, ... where empty.
Var multi_head_attention(Scope s, const Arg& x, const MultiHeadAttentionOptions& options, Var lengths = {},
                         Var positions = {});
/// Attention of x (batch, time, features) to `memory` (batch, keys, any). Parameters "q", "kv" and "output".
Var multi_head_cross_attention(Scope s, const Arg& x, const Arg& memory, const MultiHeadAttentionOptions& options,
                               Var lengths = {});

struct FeedForwardOptions {
  std::int64_t hidden = 0;  ///< 0 is 4 times the features, for swiglu 8/3 times, rounded up to a multiple of 32
  std::string of = "gelu";  ///< gelu (its tanh form, as in GPT-2) or swiglu (Shazeer 2020)
  double dropout = 0;       ///< dropout rate of the result
  Initializer initializer = init::xavier_uniform();
  Initializer output_initializer = init::xavier_uniform();
};
/// Two dense layers, "hidden" and "output", with gelu between them, on the last axis; or
/// (silu(x W) * (x V)) U without biases, where "hidden" holds W and V side by side.
Var feed_forward(Scope s, const Arg& x, const FeedForwardOptions& options = {});

struct RecurrentOptions {
  std::int64_t units = 128;
  bool bias = true;
  std::int64_t truncate = 0;  ///< gradients of the carry stop at multiples of this many steps; 0: they never stop
};
struct Recurrent {
  Var output;              ///< h at each step, (batch, time, units)
  std::vector<Var> carry;  ///< after the last step, (batch, units) each: h, of an lstm also c
};
/// Long short-term memory (Hochreiter and Schmidhuber 1997, with forget gate): x (batch, time, features). With gates
/// i, f, g, o in this order, as torch.nn.LSTM has them, c = f c + i g and h = o tanh(c). Parameters "input" (features,
/// 4 units), "recurrent" (units, 4 units) and one "bias" (4 units), the sum of PyTorch's two; weights start uniform in
/// 1 / sqrt(units), the bias at 0. `carry` is {h, c}
/// before the first step, zeros where empty.
Recurrent lstm(Scope s, const Arg& x, const RecurrentOptions& options, const std::vector<Var>& carry = {});
/// Gated recurrent units (Cho et al. 2014) as torch.nn.GRU: gates r, z, n in this order, n = tanh(x W_n + b_n +
/// r (h U_n + c_n)), h = (1 - z) n + z h. Parameters "input" (features, 3 units), "recurrent" (units, 3 units), "bias"
/// (3 units), the sum of PyTorch's two except for n, and "candidate_bias" (units), which is c_n.
Recurrent gru(Scope s, const Arg& x, const RecurrentOptions& options, const std::vector<Var>& carry = {});

struct LstmOptions {
  std::int64_t layers = 2, width = 256;
  std::int64_t truncate = 0;  ///< as in RecurrentOptions
  bool tied = true;           ///< the output layer uses the table of the tokens
  double dropout = 0;         ///< dropout rate of the embeddings and of each layer's output
};
/// Recurrent layers that predict the next token: tokens i32 (batch, time) -> logits (batch, time, vocabulary).
[[nodiscard]] ModelFunction lstm_model(std::int64_t vocabulary, const LstmOptions& options = {});
[[nodiscard]] SequenceStep lstm_step(std::int64_t vocabulary, const LstmOptions& options = {});

struct GptOptions {
  std::int64_t layers = 6, width = 256, heads = 8;
  std::int64_t context = 256;                ///< the number of positions, where they are learned
  std::string feed_forward = "gelu";         ///< gelu or swiglu
  std::int64_t hidden = 0;                   ///< hidden units of the feed-forward blocks; 0 as in FeedForwardOptions
  std::string positions = "learned";         ///< learned, sinusoidal or rotary
  bool tied = true;                          ///< the output layer uses the table of the tokens
  double dropout = 0;                        ///< dropout rate of the embeddings and of each block's two results
  std::string parametrisation = "standard";  ///< or "mup": see WidthScaling
  std::int64_t base_width = 64;  ///< for mup: the width of the tuned network, which has the same number of heads
};
/// A transformer that predicts the next token (Radford et al. 2019): tokens i32 (batch, time) -> logits
/// (batch, time, vocabulary). Blocks are x + attention(norm(x)), then x + feed_forward(norm(x)), with a norm at the
/// end. Weights start normal with deviation .02, those that add to the residual stream with .02 / sqrt(2 layers).
[[nodiscard]] ModelFunction gpt(std::int64_t vocabulary, const GptOptions& options = {});
[[nodiscard]] SequenceStep gpt_step(std::int64_t vocabulary, const GptOptions& options = {});

}  // namespace nn
}  // namespace thalweg
