#include "run/generator.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "nn/trace.hpp"
#include "run/model_parts.hpp"

namespace thalweg {

namespace {

std::size_t bytes_of(const Shape& shape) { return static_cast<std::size_t>(shape.size()) * sizeof(float); }

}  // namespace

TokenStream::TokenStream(const Model& model) : parts_(model.parts()) {
  if (!parts_.recipe.preprocessing.text() || !parts_.step.run) {
    fail<UsageError>("[generate] a model of kind {} on {} does not write text. Hint: train one of kind gpt or lstm.",
                     parts_.recipe.model.kind, parts_.recipe.preprocessing.text() ? "text" : "other data");
  }
  const nn::SequenceStep& step = parts_.step;
  context_ = step.context;
  Graph graph;
  TraceContext context{graph, Mode::evaluate, f32};
  const Var token = graph.input("batch:token", {1, 1}, i32), position = graph.input("batch:position", {1}, i32);
  std::vector<Bound> inputs = {{token, {first_user_base, 0}}, {position, {first_user_base + 1, 0}}};
  bases_ = {reinterpret_cast<std::byte*>(&token_), reinterpret_cast<std::byte*>(&position_), nullptr};
  std::vector<Var> state;
  for (const Shape& shape : step.state(1)) {
    state.push_back(graph.input("batch:state" + std::to_string(state.size()), shape, f32));
    inputs.push_back({state.back(), {first_user_base + static_cast<int>(bases_.size()), 0}});
    state_.emplace_back(bytes_of(shape));
    state_bytes_.push_back(static_cast<std::int64_t>(bytes_of(shape)));
    std::memset(state_.back().data(), 0, bytes_of(shape));
    bases_.push_back(state_.back().data());
  }
  const auto [logits, after] = step.run(Scope(context, ""), token, position, state);
  if (const std::int64_t tokens = parts_.recipe.preprocessing.text()->tokenizer.size(); logits.size() != tokens)
    fail<ModelError>("[generate] the model gives {} logits for a vocabulary of {} tokens", logits.size(), tokens);
  logits_.resize(static_cast<std::size_t>(logits.size()));
  bases_[2] = reinterpret_cast<std::byte*>(logits_.data());
  std::vector<Bound> outputs = {{logits, {first_user_base + 2, 0}}};
  for (std::size_t i = 0; i < after.size(); ++i) outputs.push_back({after[i], inputs[i + 2].place});  // in place
  for (const TracedParameter& p : context.parameters) {
    const auto found = std::ranges::find(parts_.parameters, p.name, &std::pair<std::string, Tensor>::first);
    if (found == parts_.parameters.end()) defect("the one-place form has a parameter '{}' of its own", p.name);
    inputs.push_back({p.var, {first_user_base + static_cast<int>(bases_.size()), 0}});
    bases_.push_back(parts_.bases[static_cast<std::size_t>(found - parts_.parameters.begin())]);
  }
  program_ = std::make_unique<const Program>(graph, inputs, outputs);
  arena_ = Block(program_->arena_bytes());
}

void TokenStream::take_in(std::int32_t token) {
  token_ = token;
  position_ = static_cast<std::int32_t>(seen_.size());
  program_->run(bases_, arena_.data(), alone_);
  seen_.push_back(token);
}

std::span<const float> TokenStream::feed(std::int32_t token) {
  const FlushDenormals flush;
  if (context_ > 0 && static_cast<std::int64_t>(seen_.size()) == context_) {
    const std::vector<std::int32_t> kept(seen_.end() - context_ / 2, seen_.end());
    seen_.clear();
    for (std::size_t i = 0; i < state_.size(); ++i) {
      std::memset(state_[i].data(), 0, static_cast<std::size_t>(state_bytes_[i]));
    }
    for (const std::int32_t earlier : kept) take_in(earlier);
  }
  take_in(token);
  return logits_;
}

std::int32_t draw_token(std::span<const float> logits, const GenerateOptions& options, std::int64_t place) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater{},
                           [&](std::int32_t i) { return logits[static_cast<std::size_t>(i)]; });
  if (options.temperature == 0) return order[0];
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  const auto logit = [&](std::size_t i) { return static_cast<double>(logits[static_cast<std::size_t>(order[i])]); };
  std::vector<double> up_to;  // probabilities, running sums, not yet divided by their total
  double total = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    total += std::exp((logit(i) - logit(0)) / options.temperature);
    up_to.push_back(total);
  }
  const auto enough = std::ranges::find_if(up_to, [&](double sum) { return sum >= options.top_p * total; });
  const double within = enough == up_to.end() ? total : *enough;
  const RandomKey key = RandomKey{options.seed, 0}.fold("generate");
  const double u = random_unit(key, static_cast<std::uint64_t>(place)) * within;
  const auto drawn = std::ranges::upper_bound(up_to, u) - up_to.begin();
  return order[std::min(static_cast<std::size_t>(drawn), order.size() - 1)];
}

namespace {

void check(const GenerateOptions& o) {
  if (o.tokens < 0) fail<UsageError>("[generate] tokens = {}. Wanted: >= 0", o.tokens);
  if (!(o.temperature >= 0)) fail<UsageError>("[generate] temperature = {}. Wanted: >= 0", o.temperature);
  if (o.top_k < 0) fail<UsageError>("[generate] top_k = {}. Wanted: >= 0, where 0 is all", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) fail<UsageError>("[generate] top_p = {}. Wanted: in (0, 1]", o.top_p);
}

}  // namespace

std::string Model::generate(std::string_view prompt, const GenerateOptions& options,
                            const std::function<bool(std::string_view)>& on_text) const {
  check(options);
  TokenStream stream(*this);
  const data::Tokenizer& tokenizer = parts_->recipe.preprocessing.text()->tokenizer;
  const std::vector<std::int32_t> given = tokenizer.encode(prompt.empty() ? "\n" : prompt);
  std::span<const float> logits;
  for (const std::int32_t token : given) logits = stream.feed(token);
  std::string text;
  for (std::int64_t i = 0; i < options.tokens; ++i) {
    const std::int32_t token = draw_token(logits, options, i);
    text += tokenizer.token(token);
    if (on_text && !on_text(tokenizer.token(token))) break;
    if (i + 1 < options.tokens) logits = stream.feed(token);
  }
  return text;
}

}  // namespace thalweg
