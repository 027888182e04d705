#pragma once
// A bidirectional transformer over words, used by masked models and classifiers of sentences.

#include <string_view>

#include "thalweg/nn.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

struct WordEncoderOptions {
  std::int64_t layers = 4, width = 128, heads = 4, hidden = 0, kernel = 3;
  double dropout = 0.1;

  [[nodiscard]] Fields fields();
  /// Throws OptionError if the width is not an even multiple of the heads; `where` is the name of the system.
  void check(std::string_view where) const;
};
/// The options that decide the shapes of its parameters and the computation with them.
inline constexpr std::string_view word_encoder_sizes[] = {"layers", "width", "heads", "hidden", "kernel"};

/// Words i32 (batch, length), of which the first `count` i32 (batch) count in each row -> a vector for each word in its
/// context. Blocks are x + convolution(norm(x)), x + attention(norm(x)), then x + feed_forward(norm(x)), with a norm at
/// the end, and positions are rotary. The convolution tells a word's neighbours apart from the first step on, which
/// attention has to learn first (Gulati et al. 2020 put both into a block as well). Attention does not see the padding
/// after the end of a row. Parameters "tokens/table" (vocabulary, width), "block1/...", "norm/...".
struct EncodedWords {
  Var read;   ///< (batch, length, width)
  Var table;  ///< (vocabulary, width): the vectors of the words
};
[[nodiscard]] EncodedWords encoded_words(Scope s, const Var& words, const Var& count, std::int64_t vocabulary,
                                         const WordEncoderOptions& options);

}  // namespace thalweg
