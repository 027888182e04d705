#include "system/reward_net.hpp"

#include <algorithm>
#include <cmath>

#include "core/error.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

RewardNet::Scored RewardNet::operator()(const Scope& s, const Var& tokens, const Var& count, bool logits) const {
  const nn::GptRead own = nn::gpt_read(s.share("gpt"), tokens, vocabulary_, o_, logits);
  Tensor places({1, tokens.dim(1)}, i32);
  for (std::int64_t i = 0; i < tokens.dim(1); ++i) places.set(i, static_cast<double>(i));
  const Var counts = cast(constant(std::move(places)) < expand_dims(count, 1), s.dtype());
  const Var size = cast(maximum(count, 1), s.dtype());
  const Var mean = sum(own.read * expand_dims(counts, -1), {1}) / expand_dims(size, 1);  // (batch, width)
  const Scope dropout = s.share("dropout");
  const Var reward = nn::dense(s.share("head"), nn::dropout(dropout, mean, o_.dropout), 1,
                               {.bias = false, .initializer = init::zeros()});
  const Var by_gpt = squeeze(reward, 1);
  if (pairs_ == 0) return {by_gpt, {by_gpt}, own.logits};
  const Var by_pairs = of_pairs(s.share("pairs"), tokens, counts, size);
  return {(by_gpt + by_pairs) / 2, {by_gpt, by_pairs}, own.logits};
}

Var RewardNet::of_pairs(const Scope& s, const Var& tokens, const Var& counts, const Var& size) const {
  constexpr double spread = 2531;  // a prime; all products below 2^24, so that f32 has them without an error
  constexpr double speed = 32;     // an optimizer's step changes all weights alike, which is too little for rare pairs
  const auto columns = static_cast<double>(pairs_);
  const auto modulo = [](const Var& x, double of) { return minimum(maximum(x - of * floor(x / of), 0), of - 1); };
  const std::int64_t length = tokens.dim(1);
  const Var numbers = cast(tokens, f32), before = slice(numbers, 0, length - 1, 1),
            after = slice(numbers, 1, length, 1);
  const Var column = cast(modulo(modulo(before, 4096) * spread + after, columns) + vocabulary_, i32);
  const Var table = s.parameter("weight", {vocabulary_ + pairs_}, {.initializer = init::zeros(), .decay = false});
  const Var singles = sum(gather(table, tokens) * counts, {-1});
  const Var doubles = sum(gather(table, column) * slice(counts, 1, length, 1), {-1});
  return speed * (singles + doubles) / sqrt(size);
}

namespace {

RewardNet net_of(const TextRun& run) {
  const auto pairs = run.options.find("pairs");
  const auto* columns = pairs == run.options.end() ? nullptr : pairs->second.get_if<std::int64_t>();
  return RewardNet(run.text.tokenizer.size(), run.gpt(), columns ? *columns : 0);
}

Var all_count(const Var& tokens) { return constant(full({tokens.dim(0)}, static_cast<double>(tokens.dim(1)), i32)); }

}  // namespace

TextJudge::TextJudge(const TextRun& run, int threads)
    : state_(state_of(run,
                      [net = net_of(run)](Scope s, const Var& tokens) {
                        return expand_dims(net(s, tokens, all_count(tokens), false).reward, 1);
                      })),
      score_([net = net_of(run)](Scope s, const Batch& b) { return net(s, b["tokens"], b["count"], false).reward; },
             threads) {}

std::vector<double> TextJudge::operator()(const TextRows& rows) const {
  constexpr std::int64_t portion = 64;
  std::vector<double> all;
  for (std::int64_t begin = 0; begin < rows.rows(); begin += portion) {
    const std::int64_t end = std::min(rows.rows(), begin + portion);
    const Tensor own =
        score_(state_, {{"tokens", rows.tokens.rows(begin, end)}, {"count", rows.count.rows(begin, end)}});
    for (const float reward : own.values<float>()) {
      if (!std::isfinite(reward))
        fail<NumericError>("[reward] the reward of a text is {}. Wanted: a finite number", reward);
      all.push_back(static_cast<double>(reward));
    }
  }
  return all;
}

}  // namespace thalweg
