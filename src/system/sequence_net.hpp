#pragma once
// The net that reads a sequence and writes another: recurrent layers that look both ways, and recurrent layers each of
// which attends to what was read.

#include <functional>
#include <vector>

#include "thalweg/scope.hpp"

namespace thalweg {

struct SequenceNetOptions {
  std::int64_t width = 192;  ///< of embeddings and layers; a multiple of heads and of 2
  std::int64_t encoder_layers = 1, decoder_layers = 2, heads = 4;
  double dropout = 0.1;
};

/// Token 0 fills sources up, begins and ends targets. Batches are (batch, steps, ...) throughout.
class SequenceNet {
 public:
  /// How many tokens there are, 0 among them. Throws UsageError for a width that does not fit.
  SequenceNet(const SequenceNetOptions& options, std::int64_t source_tokens, std::int64_t target_tokens);

  /// What was read: keys and values of each decoder layer, (batch, steps, 2, heads, width); how many count, i32
  /// (batch); and what each decoder layer begins with, (batch, width).
  struct Memory {
    std::vector<Var> keys_values;
    Var length;
    std::vector<Var> carry;
  };
  /// input i32 (batch, steps), of which `length` i32 (batch) count. What lies behind changes nothing.
  [[nodiscard]] Memory encode(const Scope& s, const Var& input, const Var& length) const;
  /// Logits (batch, steps, tokens) of what comes behind each of the tokens i32 (batch, steps); the carry of the memory
  /// becomes that behind the last of them. May be called several times.
  [[nodiscard]] Var decode(const Scope& s, Memory& memory, const Var& tokens) const;

  /// Which token comes next: i32 (batch) from logits (batch, tokens) of place `step`.
  using Choose = std::function<Var(const Var& logits, std::int64_t step)>;
  /// So many tokens, one chosen after the other, i32 (batch, steps); behind an end are zeros.
  [[nodiscard]] Var write(const Scope& s, Memory memory, std::int64_t steps, const Choose& choose) const;

  [[nodiscard]] std::int64_t tokens() const { return target_tokens_; }
  [[nodiscard]] std::int64_t decoder_layers() const { return o_.decoder_layers; }
  [[nodiscard]] std::int64_t width() const { return o_.width; }

 private:
  SequenceNetOptions o_;
  std::int64_t source_tokens_, target_tokens_;
};

/// What the decoder reads of such targets: i32 (batch, steps) one place later, behind a 0.
[[nodiscard]] Var shifted(const Var& targets);
/// Of tokens i32 (batch, steps) with nothing but zeros behind the first 0: 1 at each place up to it, which counts too.
[[nodiscard]] Var places_that_count(const Var& tokens);
/// The fewest changes that make one of the other, f32 (batch) (Levenshtein 1966): tokens i32 (batch, steps), up to the
/// first 0 of each; both have at least one place.
[[nodiscard]] Var edit_distances(const Var& written, const Var& targets);

}  // namespace thalweg
