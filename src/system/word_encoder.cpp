#include "system/word_encoder.hpp"

#include <cmath>

#include "options/error.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {

Fields WordEncoderOptions::fields() {
  return {{"layers", &layers, "blocks of attention and feed-forward", {.low = 1, .high = 1000}},
          {"width", &width, "numbers per word, an even multiple of heads", {.low = 2, .high = 1 << 16}},
          {"heads", &heads, "heads of attention", {.low = 1, .high = 1 << 10}},
          {"hidden", &hidden, "width inside feed-forward; 0 is 4 width", {.low = 0, .high = 1 << 20}},
          {"kernel",
           &kernel,
           "words that a convolution in each block joins, an odd number; 0: none",
           {.low = 0, .high = 63}},
          {"dropout",
           &dropout,
           "dropout rate of the word vectors and of each block's result",
           {.low = 0, .high = 1, .high_open = true}}};
}

void WordEncoderOptions::check(std::string_view where) const {
  if (kernel > 0 && kernel % 2 == 0)
    fail_option("kernel", "[{}] kernel = {}. Wanted: an odd number, or 0 for none", where, kernel);
  if (width % (2 * heads) == 0) return;
  fail_option("width", "[{}] width = {} and heads = {}. Wanted: an even multiple of heads", where, width, heads);
}

namespace {

/// x (batch, length, width) -> (batch, length, kernel width): for each word the vectors of the `kernel` words around
/// it, zeros beyond the ends.
Var with_neighbours(const Var& x, std::int64_t kernel) {
  const std::int64_t length = x.dim(1);
  const Var padded = pad(x, {{0, 0}, {kernel / 2, kernel / 2}, {0, 0}});
  std::vector<Var> shifted;
  for (std::int64_t i = 0; i < kernel; ++i) shifted.push_back(slice(padded, i, i + length, 1));
  return concat(shifted, -1);
}

}  // namespace

EncodedWords encoded_words(Scope s, const Var& words, const Var& count, std::int64_t vocabulary,
                           const WordEncoderOptions& o) {
  constexpr double deviation = 0.02;
  const double adding = deviation / std::sqrt(2.0 * static_cast<double>(o.layers));  // to the residual stream
  const nn::MultiHeadAttentionOptions attention{.heads = o.heads,
                                                .rotary = true,
                                                .dropout = o.dropout,
                                                .initializer = init::normal(deviation),
                                                .output_initializer = init::normal(adding)};
  const nn::FeedForwardOptions feed_forward{.hidden = o.hidden,
                                            .dropout = o.dropout,
                                            .initializer = init::normal(deviation),
                                            .output_initializer = init::normal(adding)};
  const Var table = (s / "tokens").parameter("table", {vocabulary, o.width}, {.initializer = init::normal(deviation)});
  Var x = nn::dropout(s, gather(table, words), o.dropout);
  for (std::int64_t layer = 1; layer <= o.layers; ++layer) {
    const Scope block = s / ("block" + std::to_string(layer));
    if (o.kernel > 0) {
      const Var near = nn::dense(block / "neighbours", with_neighbours(nn::layer_norm(block / "norm0", x), o.kernel),
                                 o.width, {.initializer = init::normal(adding)});
      x = x + nn::dropout(block / "neighbours", near, o.dropout);
    }
    x = x + nn::multi_head_attention(block / "attention", nn::layer_norm(block / "norm1", x), attention, count);
    x = x + nn::feed_forward(block / "feed_forward", nn::layer_norm(block / "norm2", x), feed_forward);
  }
  return {nn::layer_norm(s / "norm", x), table};
}

}  // namespace thalweg
