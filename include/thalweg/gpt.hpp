#pragma once
// The inner values of a gpt, for other heads on top of it.

#include "thalweg/sequence.hpp"

namespace thalweg::nn {

/// The options of a gpt, as in a configuration.
[[nodiscard]] Fields fields(GptOptions& options);

struct GptRead {
  Var read;    ///< (batch, time, width): after the last norm
  Var logits;  ///< (batch, time, vocabulary); undefined if the caller does not want them
};
/// The model `gpt(vocabulary, options)`, which also returns the input of its last product. It has the same parameters,
/// except that "output/weight" is declared only if logits are wanted and the table of the tokens is not used for them.
[[nodiscard]] GptRead gpt_read(Scope s, Var tokens, std::int64_t vocabulary, const GptOptions& options,
                               bool logits = true);

}  // namespace thalweg::nn
