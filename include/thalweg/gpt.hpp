#pragma once
// A gpt from inside: what it reads in a text, for heads of one's own.

#include "thalweg/sequence.hpp"

namespace thalweg::nn {

/// The options of a gpt as a configuration has them.
[[nodiscard]] Fields fields(GptOptions& options);

struct GptRead {
  Var read;    ///< (batch, time, width): behind the last norm
  Var logits;  ///< (batch, time, vocabulary); undefined where they are not asked for
};
/// The model `gpt(vocabulary, options)` with the values that its last product multiplies; parameters as there, but for
/// "output/weight", which is declared only where logits are asked for and the table of the tokens does not serve.
[[nodiscard]] GptRead gpt_read(Scope s, Var tokens, std::int64_t vocabulary, const GptOptions& options,
                               bool logits = true);

}  // namespace thalweg::nn
