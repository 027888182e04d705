#pragma once
// A gpt as a policy whose actions are tokens: texts that it writes from any state, what it says of texts, and how far
// that is from what another one says.

#include <string>
#include <vector>

#include "core/random.hpp"
#include "data/text.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/gpt.hpp"

namespace thalweg {

/// Texts as rows: tokens i32 (rows, length), filled up with zeros, of which `count` i32 (rows) count; the first
/// `prompt` i32 (rows) of them were given.
struct TextRows {
  Tensor tokens, prompt, count;
  [[nodiscard]] std::int64_t rows() const { return tokens.shape()[0]; }
};

/// log P(token | those before it) of each token but the first, (batch, length - 1), from logits (batch, length,
/// tokens).
[[nodiscard]] Var log_probabilities(const Var& logits, const Var& tokens);
/// 1 where log_probabilities speaks of a token that was not given, else 0: (batch, length - 1).
[[nodiscard]] Var places_written(const Var& prompt, const Var& count, std::int64_t length, DType dtype);
/// sum over the tokens of P (log P - log Q), from logarithms (..., tokens).
[[nodiscard]] Var divergence(const Var& log_p, const Var& log_q);

/// What a policy says at each place of texts that is not given: (rows, length - 1) each, 0 elsewhere.
struct TextSaid {
  Tensor log_probability, reference;  ///< of the token that is there, by the policy and by the one it is held against
  Tensor divergence;                  ///< of the two distributions: of all tokens that might have been there
  Tensor entropy;                     ///< of the policy's
};

class TextPolicy {
 public:
  /// Of texts of up to `length` tokens, with what is given.
  TextPolicy(data::TextPreprocessing text, const nn::GptOptions& options, std::int64_t length, int threads);

  /// Draws token after token from what the gpt in `state` says, up to the end of a line or of the row. Row i goes on
  /// from prompt (first + i) % prompts, and what is drawn for it follows from the key and its place i.
  [[nodiscard]] TextRows write(const State& state, const std::vector<std::string>& prompts, std::int64_t rows,
                               std::int64_t first, RandomKey key) const;
  [[nodiscard]] TextSaid said(const State& state, const State& reference, const TextRows& rows) const;
  /// Whether the text of a row has come to the end of its line.
  [[nodiscard]] bool ends(const TextRows& rows, std::int64_t row) const;
  /// The text of a row, without what was given and without the line's ends.
  [[nodiscard]] std::string text_of(const TextRows& rows, std::int64_t row) const;

  [[nodiscard]] const data::TextPreprocessing& text() const { return text_; }
  [[nodiscard]] std::int64_t vocabulary() const { return text_.tokenizer.size(); }
  [[nodiscard]] const nn::GptOptions& options() const { return o_; }
  [[nodiscard]] std::int64_t length() const { return length_; }

 private:
  /// The state of the step before anything is read, and tokens and position as its first inputs.
  [[nodiscard]] NamedTensors begin(std::int64_t rows) const;

  data::TextPreprocessing text_;
  nn::GptOptions o_;
  std::int64_t length_;
  std::int32_t end_;
  nn::SequenceStep step_;
  Apply next_, reference_, says_;
};

/// The prompts of an option, checked: each is of a line, has blanks between words alone, as the texts that were trained
/// on, and leaves room for a token. Throws OptionError for the key "prompts".
void check_prompts(std::string_view system, const std::vector<std::string>& prompts,
                   const data::TextPreprocessing& text, std::int64_t length);

}  // namespace thalweg
