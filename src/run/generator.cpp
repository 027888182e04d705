#include "run/generator.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "core/error.hpp"
#include "core/index.hpp"
#include "graph/tracing.hpp"
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
  const Tracing tracing(graph);
  TraceContext context{graph, Mode::evaluate, f32};
  std::vector<Var> inputs = {graph.input("batch:token", {1, 1}, i32), graph.input("batch:position", {1}, i32)};
  inputs_ = {reinterpret_cast<const std::byte*>(&token_), reinterpret_cast<const std::byte*>(&position_)};
  for (const Shape& shape : step.state(1)) {
    inputs.push_back(graph.input("batch:state" + std::to_string(state_.size()), shape, f32));
    state_.emplace_back(bytes_of(shape));
    inputs_.push_back(state_.back().data());
  }
  empty_caches();
  const std::vector<Var> state(inputs.begin() + 2, inputs.end());
  const auto [logits, after] = step.run(Scope(context, ""), inputs[0], inputs[1], state);
  if (const std::int64_t tokens = parts_.recipe.preprocessing.text()->tokenizer.size(); logits.size() != tokens)
    fail<ModelError>("[generate] the model gives {} logits for a vocabulary of {} tokens", logits.size(), tokens);
  logits_.resize(static_cast<std::size_t>(logits.size()));
  std::vector<ForwardProgram::Output> outputs = {{logits}};
  for (const Var next : after) outputs.push_back({next, static_cast<int>(outputs.size()) + 1});  // in place
  program_.emplace(graph, inputs, context.parameters, *parts_.state.layout, outputs);
  arena_ = Block(program_->memory_bytes());
}

void TokenStream::empty_caches() {
  for (const Block& block : state_) std::memset(block.data(), 0, block.size());
}

void TokenStream::take_in(std::int32_t token) {
  token_ = token;
  position_ = static_cast<std::int32_t>(seen_.size());
  std::byte* const outputs[] = {reinterpret_cast<std::byte*>(logits_.data())};
  program_->run(inputs_, parts_.state.parameters, outputs, arena_.data(), alone_);
  seen_.push_back(token);
}

std::span<const float> TokenStream::feed(std::int32_t token) {
  const FlushDenormals flush;
  if (context_ > 0 && static_cast<std::int64_t>(seen_.size()) == context_) {
    const std::vector<std::int32_t> kept(seen_.end() - context_ / 2, seen_.end());
    seen_.clear();
    empty_caches();
    for (const std::int32_t earlier : kept) take_in(earlier);
  }
  take_in(token);
  return logits_;
}

std::int32_t draw_token(std::span<const float> logits, const GenerateOptions& options, std::int64_t place) {
  std::vector<std::int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::int32_t i) { return at(logits, i); });
  if (options.temperature == 0) return order[0];
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  const auto logit = [&](std::size_t i) { return static_cast<double>(at(logits, order[i])); };
  std::vector<double> up_to;  // cumulative sums of unnormalised probabilities
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
