#pragma once
// The net that reads a sequence and writes another: bidirectional recurrent layers, then recurrent layers with
// attention to the source.

#include <functional>
#include <vector>

#include "thalweg/scope.hpp"

namespace thalweg {

struct SequenceNetOptions {
  std::int64_t width = 192;  ///< of embeddings and layers; a multiple of heads and of 2
  std::int64_t encoder_layers = 1, decoder_layers = 2, heads = 4;
  double dropout = 0.1;
};

/// Token 0 pads sources, and marks the beginning and the end of targets. Batches are (batch, steps, ...) throughout.
class SequenceNet {
 public:
  /// The numbers of tokens include token 0. Throws UsageError for a width that does not fit.
  SequenceNet(const SequenceNetOptions& options, std::int64_t source_tokens, std::int64_t target_tokens);

  /// The encoded source: keys and values for each decoder layer, (batch, steps, 2, heads, width); the number of steps
  /// that count, i32 (batch); and the initial carry of each decoder layer, (batch, width).
  struct Memory {
    std::vector<Var> keys_values;
    Var length;
    std::vector<Var> carry;
  };
  /// input is i32 (batch, steps), of which the first `length` i32 (batch) count. The padding after them changes
  /// nothing.
  [[nodiscard]] Memory encode(const Scope& s, const Var& input, const Var& length) const;
  /// Logits (batch, steps, tokens) of the token after each of the tokens i32 (batch, steps). The carry of the memory
  /// moves to the end of these tokens. May be called several times.
  [[nodiscard]] Var decode(const Scope& s, Memory& memory, const Var& tokens) const;

  /// Which token comes next: i32 (batch) from logits (batch, tokens) of place `step`.
  using Choose = std::function<Var(const Var& logits, std::int64_t step)>;
  /// `steps` tokens, chosen one after the other, i32 (batch, steps); zeros after the end of a sequence.
  [[nodiscard]] Var write(const Scope& s, Memory memory, std::int64_t steps, const Choose& choose) const;

  [[nodiscard]] std::int64_t tokens() const { return target_tokens_; }
  [[nodiscard]] std::int64_t decoder_layers() const { return o_.decoder_layers; }
  [[nodiscard]] std::int64_t width() const { return o_.width; }

 private:
  SequenceNetOptions o_;
  std::int64_t source_tokens_, target_tokens_;
};

/// The input of the decoder for such targets: i32 (batch, steps), shifted by one place, with a 0 in front.
[[nodiscard]] Var shifted(const Var& targets);
/// For tokens i32 (batch, steps) with only zeros after the first 0: 1 at each place up to and with the first 0, then 0.
[[nodiscard]] Var places_that_count(const Var& tokens);
/// The smallest number of edits that turn one sequence into the other, f32 (batch) (Levenshtein 1966). Tokens are i32
/// (batch, steps) and count up to the first 0; both have at least one place.
[[nodiscard]] Var edit_distances(const Var& written, const Var& targets);

}  // namespace thalweg
