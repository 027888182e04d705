#include "system/codes.hpp"

#include <algorithm>
#include <cmath>

#include "options/error.hpp"
#include "system/onlooker.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg::images {

Fields PriorOptions::fields() {
  return {{"prior_layers",
           &layers,
           "blocks of the transformer that predicts codes, for new images",
           {.low = 1, .high = 64}},
          {"prior_width", &width, "its width, a multiple of 4", {.low = 4, .high = 4096}}};
}

Fields CodeOptions::fields(Fields own) {
  Fields all = {{"places", &places, "codes of an image", {.low = 1, .high = 1024}},
                {"codes", &codes, "number of possible codes at each place", {.low = 2, .high = 65536}}};
  for (const Fields& more : {std::move(own), coder.fields(), prior.fields()})
    all.insert(all.end(), more.begin(), more.end());
  return all;
}

namespace {

constexpr std::int64_t heads = 4;
constexpr std::int64_t fewest_parts = 10;  // a code counts as used from a tenth of an equal share on

/// The prior: it predicts the codes of an image in order, each from those before it.
class Prior {
 public:
  Prior(const CodeModel& model, const PriorOptions& o)
      : places_(model.places),
        net_(
            nn::gpt(model.codes + 1, {.layers = o.layers, .width = o.width, .heads = heads, .context = model.places})) {
    if (o.width % heads != 0) fail_option("prior_width", "prior_width = {}. Wanted: a multiple of 4", o.width);
  }

  /// Token 0 marks the beginning, and code k is token k + 1. From the tokens before each place, (batch, places), it
  /// computes the logits of the next token.
  [[nodiscard]] Var logits(const Scope& s, const Var& tokens) const { return net_(s / "prior", tokens); }

  /// -log p(code) at each place, (batch, places).
  [[nodiscard]] Var surprise(const Scope& s, const Var& codes) const {
    const Var tokens = codes + 1;
    return cross_entropy_with_labels(logits(s, pad(slice(tokens, 0, places_ - 1, 1), {{0, 0}, {1, 0}})), tokens);
  }

 private:
  std::int64_t places_;
  ModelFunction net_;
};

/// The code whose part of [0, 1) contains `u`. The token of the beginning is not a code and has no part.
std::int32_t drawn(std::span<const float> logits, double u) {
  const double most = *std::max_element(logits.begin() + 1, logits.end());
  double all = 0;
  for (std::size_t k = 1; k < logits.size(); ++k) all += std::exp(logits[k] - most);
  double rest = u * all;
  for (std::size_t k = 1; k + 1 < logits.size(); ++k) {
    rest -= std::exp(logits[k] - most);
    if (rest < 0) return static_cast<std::int32_t>(k - 1);
  }
  return static_cast<std::int32_t>(logits.size() - 2);
}

/// New codes (count, places), place by place.
class Sampler {
 public:
  Sampler(std::shared_ptr<const Prior> prior, const CodeModel& model, int threads)
      : places_(model.places),
        codes_(model.codes),
        next_([prior](Scope s, const Batch& b) { return prior->logits(s, b["x"]); }, threads) {}

  [[nodiscard]] Tensor operator()(const State& state, std::int64_t count, std::uint64_t seed) const {
    const Tensor uniform = random_uniform({count, places_}, 0, 1, seed);
    Tensor tokens({count, places_ + 1}, i32);
    for (std::int64_t place = 0; place < places_; ++place) {
      const Tensor logits = in_portions(next_, state, columns(tokens, 0));
      const auto values = logits.values<float>();
      const auto width = static_cast<std::size_t>(codes_ + 1);
      for (std::int64_t i = 0; i < count; ++i) {
        const auto at = static_cast<std::size_t>(i * places_ + place);
        const std::int32_t code = drawn(values.subspan(at * width, width), uniform.at(static_cast<std::int64_t>(at)));
        tokens.set(i * (places_ + 1) + place + 1, code + 1);
      }
    }
    Tensor codes = columns(tokens, 1);
    for (std::int32_t& code : codes.mutable_values<std::int32_t>()) --code;
    return codes;
  }

 private:
  /// Takes (count, places) from (count, places + 1), from column `first` on.
  [[nodiscard]] Tensor columns(const Tensor& tokens, std::int64_t first) const {
    Tensor result({tokens.shape()[0], places_}, i32);
    for (std::int64_t i = 0; i < result.size(); ++i)
      result.set(i, tokens.at(i / places_ * (places_ + 1) + i % places_ + first));
    return result;
  }

  std::int64_t places_, codes_;
  Apply next_;
};

/// How often each code occurs in a table of codes.
struct Usage {
  double in_use = 0, perplexity = 0;

  Usage(const std::vector<std::int64_t>& counts, std::int64_t all) {
    double entropy = 0;
    for (const std::int64_t n : counts) {
      const double share = static_cast<double>(n) / static_cast<double>(all);
      if (n > 0) entropy -= share * std::log(share);
      in_use += n * fewest_parts * std::ssize(counts) >= all;
    }
    perplexity = std::exp(entropy);
  }
};

/// With one table for all places, its usage over all places; if each place has its own table, the mean usage of the
/// tables.
SystemFigures figures_of_codes(const CodeModel& model, const Tensor& codes) {
  const auto values = codes.values<std::int32_t>();
  const auto places = static_cast<std::size_t>(model.places);
  const std::size_t tables = model.one_table ? 1 : places;
  double in_use = 0, perplexity = 0;
  for (std::size_t table = 0; table < tables; ++table) {
    std::vector<std::int64_t> counts(static_cast<std::size_t>(model.codes));
    for (std::size_t i = table; i < values.size(); i += tables) ++counts[static_cast<std::size_t>(values[i])];
    const Usage usage(counts, codes.size() / static_cast<std::int64_t>(tables));
    in_use += usage.in_use / static_cast<double>(tables);
    perplexity += usage.perplexity / static_cast<double>(tables);
  }
  return {.metrics = {{"codes in use", in_use}, {"perplexity of the codes", perplexity}},
          .baselines = {{"all", {{"codes in use", static_cast<double>(model.codes)}}}}};
}

}  // namespace

System code_system(const SystemData& data, CodeModel given, const PriorOptions& options) {
  const auto model = std::make_shared<const CodeModel>(std::move(given));
  const auto prior = std::make_shared<const Prior>(*model, options);
  const Sampler draw(prior, *model, data.threads);
  const auto codes_of = [model](const Scope& s, const Batch& b) { return model->encode(s, unit_pixels(b["x"])); };
  const Apply encode([=](Scope s, const Batch& b) { return codes_of(s, b); }, data.threads);
  const Apply decode([model](Scope s, const Batch& b) { return model->decode(s, b["x"]); }, data.threads);
  const Apply reconstruct(
      [=](Scope s, const Batch& b) {
        const Var codes = codes_of(s, b);
        return model->decode(s, codes);
      },
      data.threads);
  const auto sample = [=](const State& state, const GenerateRequest& request) {
    return in_portions(decode, state, draw(state, request.count, request.seed));
  };
  const auto show = [=](const State& state, const Dataset& rows) -> NamedMedia {
    return {{"samples", Medium::pictures(sample(state, {.count = 32}), 16)},
            given_and_given_back(reconstruct, state, rows)};
  };
  const auto evaluate = [=](const State& state, const SystemSets& sets) {
    SystemFigures figures = reconstruction_figures(reconstruct, model->places, state, sets);
    append(figures, figures_of_codes(*model, in_portions(encode, state, sets.test["input"])));
    if (data.classes.size() < 2) return figures;  // no classifier to measure samples with
    const auto make = [&](const GenerateRequest& request) { return sample(state, request); };
    append(figures, figures_of_samples(data, sets, make, false));
    return figures;
  };
  const auto prior_loss = [=](Scope s, const Batch& b) {
    return Loss::of_samples(prior->surprise(s, model->encode(s, unit_pixels(b["input"]))));
  };
  return {.objectives = {{"autoencoder", model->loss, {.trains = model->trains}},
                         {"prior", prior_loss, {.trains = "prior/*"}}},
          .show = show,
          .evaluate = evaluate,
          .generate = [sample](const State& state, const GenerateRequest& request) {
            return generated(sample(state, request));
          }};
}

}  // namespace thalweg::images
