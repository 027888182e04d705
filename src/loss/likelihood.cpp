#include "loss/likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "loss/row.hpp"
#include "ops/random.hpp"
#include "thalweg/estimators.hpp"

namespace thalweg::loss {

namespace {

constexpr std::string_view draw = "drawn labels";  // the name under which random numbers are drawn

/// sigmoid(z) - y, where y = 1 with probability sigmoid(z), else 0.
Var yes_or_no(const Scope& s, const Var& z) {
  const Var p = sigmoid(z);
  return p - (s.uniform(draw, z.shape()) < p);
}

Var binary_slope(const Scope& s, const Var& logits, const OptionMap&) { return yes_or_no(s, logits); }

Var class_slope(const Scope& s, const Var& logits, const OptionMap&) {
  const Var noise = gumbel_noise(s.uniform(draw, logits.shape()));
  return softmax(logits) - one_hot(argmax(logits + noise), logits.dim(-1), logits.dtype());
}

Var ranking_slope(const Scope& s, const Var& scores, const OptionMap&) {
  const Var slope = yes_or_no(s, slice(scores, 0, 1, 1) - slice(scores, 1, 2, 1));
  return concat({slope, -slope}, 1);
}

/// 2 (p - y) for y of mean p and variance 1/2.
Var square_slope(const Scope& s, const Var& p, const OptionMap&) {
  return -std::numbers::sqrt2 * s.normal(draw, p.shape());
}

/// The derivative of the pinball loss: 1 - q where y is below p (with probability q), else -q.
Var side_slope(const Scope& s, const Var& p, double q) { return (s.uniform(draw, p.shape()) < q) - q; }

Var quantile_slope(const Scope& s, const Var& p, const OptionMap& options) {
  return side_slope(s, p, options_from<QuantileOptions>(options, "quantile").quantile);
}

/// The sign of p - y.
Var absolute_slope(const Scope& s, const Var& p, const OptionMap&) { return 2 * side_slope(s, p, 0.5); }

/// tanh(p - y) for y - p = log tan(pi u / 2).
Var log_cosh_slope(const Scope& s, const Var& p, const OptionMap&) {
  return cos(std::numbers::pi * s.uniform(draw, p.shape()));
}

Var poisson_slope(const Scope& s, const Var& p, const OptionMap& options) {
  const auto o = options_from<PoissonOptions>(options, "poisson");
  const Var rate = o.log_input ? exp(p) : p + o.eps;
  const Var count = poisson_count(s.uniform(draw, p.shape()), rate);
  return o.log_input ? rate - count : 1 - count / rate;
}

Var gaussian_slope(const Scope& s, const Var& p, const OptionMap& options) {
  const double least = options_from<GaussianOptions>(options, "gaussian").min_variance;
  const Var variance = exp(slice(p, 1, 2, -1)), e = s.normal(draw, variance.shape());
  const Var of_mean = -e / sqrt(maximum(variance, least));
  return concat({of_mean, where(variance > least, 0.5 * (1 - square(e)), 0)}, -1);
}

Var gaussian_deviation(const Var& output, const OptionMap& options) {
  const double least = options_from<GaussianOptions>(options, "gaussian").min_variance;
  return exp(0.5 * maximum(slice(output, 1, 2, -1), std::log(least)));
}

constexpr Likelihood rows[] = {
    {"binary_cross_entropy", "1 with probability sigmoid(z), else 0", false, binary_slope},
    {"cross_entropy", "a class by softmax(logits)", true, class_slope},
    {"gaussian", "a number by N(m, e^s)", true, gaussian_slope, gaussian_deviation},
    {"kl_divergence", "a class by softmax(logits)", true, class_slope},
    {"log_cosh", "a number by the density 1 / (pi cosh(y - p))", false, log_cosh_slope},
    {"mae", "a number by the density e^-|y - p| / 2", false, absolute_slope},
    {"mse", "a number by N(p, 1/2)", false, square_slope},
    {"pairwise_ranking", "the first is the better one with probability sigmoid(a - b)", true, ranking_slope},
    {"poisson", "a count by Poisson's distribution with the predicted rate", false, poisson_slope},
    {"quantile", "a number that is below p with probability q, with a density that falls exponentially on both sides",
     false, quantile_slope},
};

}  // namespace

std::span<const Likelihood> likelihoods() { return rows; }

const Likelihood* likelihood_of(std::string_view loss) {
  const auto* found = std::ranges::find(rows, loss, &Likelihood::loss);
  return found == std::end(rows) ? nullptr : found;
}

}  // namespace thalweg::loss
