#include "system/text_policy.hpp"

#include <algorithm>
#include <cmath>

#include "core/index.hpp"
#include "data/preferences.hpp"
#include "options/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr std::int64_t portion = 64;  // number of texts that are read or written at once

Var without_last(const Var& logits) { return slice(logits, 0, logits.dim(1) - 1, 1); }

/// If the positions of a gpt are not parameters, its caches need only as many places as a text has.
nn::GptOptions with_context(nn::GptOptions options, std::int64_t length) {
  if (options.positions != "learned") options.context = length;
  return options;
}

/// A token by its probability softmax(logits); `unit` is uniform in [0, 1).
std::int32_t drawn(std::span<const float> logits, double unit) {
  const double most = *std::ranges::max_element(logits);
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit) - most);
  double left = unit * total;
  std::int32_t last = 0;
  for (std::size_t token = 0; token < logits.size(); ++token) {
    last = static_cast<std::int32_t>(token);
    left -= std::exp(static_cast<double>(logits[token]) - most);
    if (left < 0) break;
  }
  return last;
}

NamedTensors rows_between(const TextRows& rows, std::int64_t begin, std::int64_t end) {
  return {{"tokens", rows.tokens.rows(begin, end)},
          {"prompt", rows.prompt.rows(begin, end)},
          {"count", rows.count.rows(begin, end)}};
}

}  // namespace

Var log_probabilities(const Var& logits, const Var& tokens) {
  return -cross_entropy_with_labels(without_last(logits), slice(tokens, 1, tokens.dim(1), 1));
}

Var places_written(const Var& prompt, const Var& count, std::int64_t length, DType dtype) {
  Tensor places({1, length - 1}, i32);
  for (std::int64_t i = 0; i + 1 < length; ++i) places.set(i, static_cast<double>(i + 1));  // of the present token
  const Var of_token = constant(std::move(places));
  return cast((of_token >= expand_dims(prompt, 1)) * (of_token < expand_dims(count, 1)), dtype);
}

Var divergence(const Var& log_p, const Var& log_q) { return sum(exp(log_p) * (log_p - log_q), -1); }

TextPolicy::TextPolicy(data::TextPreprocessing text, const nn::GptOptions& options, std::int64_t length, int threads)
    : text_(std::move(text)),
      o_(options),
      length_(length),
      end_(data::end_of_line(text_.tokenizer)),
      step_(nn::gpt_step(text_.tokenizer.size(), with_context(options, length))),
      next_(
          [step = step_](Scope s, const Batch& b) {
            std::vector<Var> state;
            for (std::size_t i = 0; b.has("state" + std::to_string(i)); ++i)
              state.push_back(b["state" + std::to_string(i)]);
            auto [logits, after] = step.run(s, b["token"], b["position"], state);
            NamedVars all = {{"logits", squeeze(logits, 1)}};
            for (std::size_t i = 0; i < after.size(); ++i) all.emplace_back("state" + std::to_string(i), after[i]);
            return all;
          },
          threads),
      reference_(
          [tokens = vocabulary(), options](Scope s, const Batch& b) {
            return log_softmax(without_last(nn::gpt_read(s, b["tokens"], tokens, options).logits));
          },
          threads),
      says_(
          [tokens = vocabulary(), options](Scope s, const Batch& b) -> NamedVars {
            const Var log_p = log_softmax(without_last(nn::gpt_read(s, b["tokens"], tokens, options).logits));
            const Var &log_q = b["reference"], there = slice(b["tokens"], 1, b["tokens"].dim(1), 1);
            const Var written = places_written(b["prompt"], b["count"], b["tokens"].dim(1), s.dtype());
            return {{"log_probability", pick(log_p, there) * written},
                    {"reference", pick(log_q, there) * written},
                    {"divergence", divergence(log_p, log_q) * written},
                    {"entropy", -sum(exp(log_p) * log_p, -1) * written}};
          },
          threads) {
  text_.sequence_length = length;  // the row alone limits a prompt, not the length of training texts
  if (o_.positions == "learned" && length > o_.context)
    fail_option("length", "length = {}. Wanted: at most {}, the positions that the gpt has", length, o_.context);
}

NamedTensors TextPolicy::begin(std::int64_t rows) const {
  NamedTensors inputs = {{"token", Tensor({rows, 1}, i32)}, {"position", Tensor({1}, i32)}};
  for (const Shape& shape : step_.state(rows))
    inputs.emplace_back("state" + std::to_string(inputs.size() - 2), Tensor(shape));
  return inputs;
}

TextRows TextPolicy::write(const State& state, const std::vector<std::string>& prompts, std::int64_t rows,
                           std::int64_t first, RandomKey key) const {
  TextRows all{Tensor({rows, length_}, i32), Tensor({rows}, i32), Tensor({rows}, i32)};
  const auto tokens = all.tokens.mutable_values<std::int32_t>();
  const auto prompt = all.prompt.mutable_values<std::int32_t>(), count = all.count.mutable_values<std::int32_t>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto given = data::prompted(text_, at(prompts, (first + row) % std::ssize(prompts)), "");
    std::ranges::copy(given.tokens, tokens.begin() + row * length_);
    prompt[static_cast<std::size_t>(row)] = count[static_cast<std::size_t>(row)] =
        static_cast<std::int32_t>(given.prompt);
  }
  for (std::int64_t begin_row = 0; begin_row < rows; begin_row += portion) {
    const std::int64_t own = std::min(portion, rows - begin_row);
    NamedTensors inputs = begin(own);
    std::vector<char> over(static_cast<std::size_t>(own));
    for (std::int64_t place = 0; place + 1 < length_ && std::ranges::count(over, 0) > 0; ++place) {
      for (std::int64_t i = 0; i < own; ++i) inputs[0].second.set(i, at(tokens, (begin_row + i) * length_ + place));
      inputs[1].second.set(0, static_cast<double>(place));
      NamedTensors outputs = next_.all(state, inputs);
      const auto logits = outputs[0].second.values<float>();
      for (std::int64_t i = 0; i < own; ++i) {
        const std::int64_t row = begin_row + i;
        if (at(over, i) || place + 1 < at(prompt, row)) continue;
        const auto said =
            logits.subspan(static_cast<std::size_t>(i * vocabulary()), static_cast<std::size_t>(vocabulary()));
        const double unit = random_unit(key.fold(static_cast<std::uint64_t>(row)), static_cast<std::uint64_t>(place));
        const std::int32_t next = drawn(said, unit);
        at(tokens, row * length_ + place + 1) = next;
        at(count, row) = static_cast<std::int32_t>(place + 2);
        at(over, i) = next == end_;
      }
      for (std::size_t k = 1; k < outputs.size(); ++k) inputs[k + 1].second = std::move(outputs[k].second);
    }
  }
  return all;
}

TextSaid TextPolicy::said(const State& state, const State& reference, const TextRows& rows) const {
  const Shape shape{rows.rows(), length_ - 1};
  TextSaid all{Tensor(shape), Tensor(shape), Tensor(shape), Tensor(shape)};
  for (std::int64_t begin_row = 0; begin_row < rows.rows(); begin_row += portion) {
    NamedTensors inputs = rows_between(rows, begin_row, std::min(rows.rows(), begin_row + portion));
    inputs.emplace_back("reference", reference_(reference, {inputs.front()}));
    const NamedTensors out = says_.all(state, inputs);
    std::size_t i = 0;
    for (Tensor* into : {&all.log_probability, &all.reference, &all.divergence, &all.entropy})
      std::ranges::copy(out[i++].second.values<float>(),
                        into->mutable_values<float>().begin() + begin_row * (length_ - 1));
  }
  return all;
}

bool TextPolicy::ends(const TextRows& rows, std::int64_t row) const {
  const auto count = static_cast<std::int64_t>(rows.count.at(row));
  return count > rows.prompt.at(row) && rows.tokens.at(row * rows.tokens.shape()[1] + count - 1) == end_;
}

std::string TextPolicy::text_of(const TextRows& rows, std::int64_t row) const {
  const auto begin_token = static_cast<std::size_t>(row * rows.tokens.shape()[1]);
  const auto prompt = static_cast<std::size_t>(rows.prompt.at(row)),
             count = static_cast<std::size_t>(rows.count.at(row));
  auto own = rows.tokens.values<std::int32_t>().subspan(begin_token + prompt, count - prompt);
  if (!own.empty() && own.back() == end_) own = own.first(own.size() - 1);
  const std::string text = text_.tokenizer.decode(own);
  return text.starts_with(' ') ? text.substr(1) : text;
}

void check_prompts(std::string_view system, const std::vector<std::string>& prompts,
                   const data::TextPreprocessing& text, std::int64_t length) {
  if (prompts.empty()) fail_option("prompts", "[{}] prompts is empty. Wanted: at least one, \"\" for none", system);
  for (const std::string& prompt : prompts) {
    if (prompt.find('\n') != std::string::npos)
      fail_option("prompts", "[{}] a prompt of several lines. Wanted: texts of one line", system);
    if (prompt.starts_with(' ') || prompt.ends_with(' '))
      fail_option("prompts", "[{}] the prompt '{}'. Wanted: no blank around it; one is added automatically", system,
                  prompt);
    if (const auto own = data::prompted(text, prompt, ""); own.prompt >= length)
      fail_option("prompts", "[{}] a prompt of {} tokens. Wanted: fewer than length = {}", system, own.prompt, length);
  }
}

}  // namespace thalweg
