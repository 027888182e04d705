#pragma once
// A transformer that reads words in both directions: what masked models and classifiers of sentences have in common.

#include <string_view>

#include "thalweg/nn.hpp"
#include "thalweg/options.hpp"

namespace thalweg {

struct WordEncoderOptions {
  std::int64_t layers = 4, width = 128, heads = 4, hidden = 0;
  double dropout = 0.1;

  [[nodiscard]] Fields fields();
  /// Throws OptionError where the heads do not share the width evenly; `where` is the system.
  void check(std::string_view where) const;
};
/// The options that decide the shapes of its parameters and what is computed with them.
inline constexpr std::string_view word_encoder_sizes[] = {"layers", "width", "heads", "hidden"};

/// Words i32 (batch, length), of which `count` i32 (batch) count in each row -> what each is among the others. Blocks
/// are x + attention(norm(x)), then x + feed_forward(norm(x)), with a norm at the end, and positions are rotary; what
/// lies behind the end of a row is hidden from it. Parameters "tokens/table" (vocabulary, width), "block1/...",
/// "norm/...".
struct EncodedWords {
  Var read;   ///< (batch, length, width)
  Var table;  ///< (vocabulary, width): the vectors of the words
};
[[nodiscard]] EncodedWords encoded_words(Scope s, const Var& words, const Var& count, std::int64_t vocabulary,
                                         const WordEncoderOptions& options);

}  // namespace thalweg
