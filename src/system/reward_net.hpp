#pragma once
// A score of texts, computed by a gpt and a linear layer on the mean of its outputs.

#include <vector>

#include "system/text_policy.hpp"
#include "system/text_runs.hpp"

namespace thalweg {

/// Parameters "gpt/..." and "head/weight". The score is r = (mean over the tokens that count of gpt(tokens)) w. There
/// is no bias, because it would cancel in the difference of two scores.
class RewardNet {
 public:
  RewardNet(std::int64_t vocabulary, const nn::GptOptions& options) : vocabulary_(vocabulary), o_(options) {}

  struct Scored {
    Var reward;  ///< (batch)
    Var logits;  ///< of the next tokens, (batch, length, tokens), if the caller wants them
  };
  /// tokens i32 (batch, length), of which the first `count` i32 (batch) count. May be called several times.
  [[nodiscard]] Scored operator()(const Scope& s, const Var& tokens, const Var& count, bool logits) const;

 private:
  std::int64_t vocabulary_;
  nn::GptOptions o_;
};

/// A trained reward.
class TextJudge {
 public:
  TextJudge(const TextRun& run, int threads);
  /// Throws NumericError for a reward that is not finite.
  [[nodiscard]] std::vector<double> operator()(const TextRows& rows) const;

 private:
  State state_;
  Apply score_;
};

}  // namespace thalweg
