#pragma once
// A gpt as a policy whose actions are tokens: it writes texts with any parameters, and computes probabilities of texts
// and the divergence from another policy.

#include <string>
#include <vector>

#include "core/random.hpp"
#include "data/text.hpp"
#include "thalweg/apply.hpp"
#include "thalweg/gpt.hpp"

namespace thalweg {

/// Texts as rows: tokens i32 (rows, length), padded with zeros. The first `count` i32 (rows) tokens count; the first
/// `prompt` i32 (rows) of them are the prompt.
struct TextRows {
  Tensor tokens, prompt, count;
  [[nodiscard]] std::int64_t rows() const { return tokens.shape()[0]; }
};

/// log P(token | tokens before it) of each token but the first, (batch, length - 1), from logits (batch, length,
/// tokens).
[[nodiscard]] Var log_probabilities(const Var& logits, const Var& tokens);
/// 1 where log_probabilities belongs to a token that was written, 0 for tokens of the prompt and for padding: (batch,
/// length - 1).
[[nodiscard]] Var places_written(const Var& prompt, const Var& count, std::int64_t length, DType dtype);
/// sum over the tokens of P (log P - log Q), from logarithms (..., tokens).
[[nodiscard]] Var divergence(const Var& log_p, const Var& log_q);

/// The values of a policy at each written token of texts: (rows, length - 1) each, and 0 at all other places.
struct TextSaid {
  Tensor log_probability, reference;  ///< of the present token, by the policy and by the reference policy
  Tensor divergence;                  ///< of the policy's distribution of this token from the reference's
  Tensor entropy;                     ///< of the policy's distribution
};

class TextPolicy {
 public:
  /// For texts of up to `length` tokens, prompt included.
  TextPolicy(data::TextPreprocessing text, const nn::GptOptions& options, std::int64_t length, int threads);

  /// Draws tokens one after the other from the gpt with the parameters of `state`, up to the end of a line or of the
  /// row. Row i begins with prompt (first + i) % prompts. Its random numbers follow from the key and its place i.
  [[nodiscard]] TextRows write(const State& state, const std::vector<std::string>& prompts, std::int64_t rows,
                               std::int64_t first, RandomKey key) const;
  [[nodiscard]] TextSaid said(const State& state, const State& reference, const TextRows& rows) const;
  /// Whether the text of a row has reached the end of its line.
  [[nodiscard]] bool ends(const TextRows& rows, std::int64_t row) const;
  /// The text of a row, without the prompt and without the ends of lines.
  [[nodiscard]] std::string text_of(const TextRows& rows, std::int64_t row) const;

  [[nodiscard]] const data::TextPreprocessing& text() const { return text_; }
  [[nodiscard]] std::int64_t vocabulary() const { return text_.tokenizer.size(); }
  [[nodiscard]] const nn::GptOptions& options() const { return o_; }
  [[nodiscard]] std::int64_t length() const { return length_; }

 private:
  /// The initial state of the step, and its first inputs: tokens and position.
  [[nodiscard]] NamedTensors begin(std::int64_t rows) const;

  data::TextPreprocessing text_;
  nn::GptOptions o_;
  std::int64_t length_;
  std::int32_t end_;
  nn::SequenceStep step_;
  Apply next_, reference_, says_;
};

/// Checks the prompts of an option. Each must be a single line, have blanks only between words, as in the training
/// texts, and leave room for a token. Throws OptionError for the key "prompts".
void check_prompts(std::string_view system, const std::vector<std::string>& prompts,
                   const data::TextPreprocessing& text, std::int64_t length);

}  // namespace thalweg
