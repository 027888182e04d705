#pragma once
// A score of texts, computed by a gpt and a linear layer on the mean of its outputs, and by the words alone.

#include <vector>

#include "system/text_policy.hpp"
#include "system/text_runs.hpp"

namespace thalweg {

/// Parameters "gpt/..." and "head/weight". The score is r = (mean over the tokens that count of gpt(tokens)) w. There
/// is no bias, because it would cancel in the difference of two scores. With `pairs` > 0, it is the mean of r and a
/// linear score of the tokens and of the pairs of adjacent tokens, which are hashed into that many columns:
/// "pairs/weight" (vocabulary + pairs).
class RewardNet {
 public:
  RewardNet(std::int64_t vocabulary, const nn::GptOptions& options, std::int64_t pairs)
      : vocabulary_(vocabulary), pairs_(pairs), o_(options) {}

  struct Scored {
    Var reward;              ///< (batch): the mean of the parts
    std::vector<Var> parts;  ///< (batch) each: by the gpt, and by the pairs
    Var logits;              ///< of the next tokens, (batch, length, tokens), if the caller wants them
  };
  /// tokens i32 (batch, length), of which the first `count` i32 (batch) count. May be called several times.
  [[nodiscard]] Scored operator()(const Scope& s, const Var& tokens, const Var& count, bool logits) const;

 private:
  [[nodiscard]] Var of_pairs(const Scope& s, const Var& tokens, const Var& counts, const Var& size) const;

  std::int64_t vocabulary_, pairs_;
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
