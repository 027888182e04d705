#include "system/voice_net.hpp"

#include <cmath>

#include "thalweg/ctc.hpp"
#include "thalweg/derivatives.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

namespace {

constexpr double longest_token = 200;  // steps

Var places(std::int64_t count, double first, DType dtype) {
  Tensor values({count}, dtype);
  for (std::int64_t i = 0; i < count; ++i) values.set(i, first + static_cast<double>(i));
  return constant(std::move(values));
}

/// (batch, size): 1 at the first `count` places of a row, else 0.
Var inside_of(const Var& count, std::int64_t size, DType dtype) {
  return cast(places(size, 0, i32) < expand_dims(count, 1), dtype);
}

/// Adds a pause before the first letter and after the last.
Var with_pauses(const Var& letters) { return pad(letters, {{0, 0}, {1, 1}}); }

Var mean_inside(const Var& x, const Var& inside) { return sum(x * inside, -1) / maximum(sum(inside, -1), 1); }

}  // namespace

Fields VoiceNetOptions::fields() {
  return {{"width", &width, "channels of the convolutions over letters and over steps", {.low = 1, .high = 1 << 14}},
          {"kernel", &kernel, "kernel of a convolution, in letters or in steps", {.low = 1, .high = 101}},
          {"encoder", &encoder, "convolutions over letters", {.low = 1, .high = 100}},
          {"decoder", &decoder, "convolutions over steps", {.low = 1, .high = 100}},
          {"aligner", &aligner, "width of the net that aligns the letters with the sound", {.low = 1, .high = 1 << 14}},
          {"dropout", &dropout, "dropout rate after each convolution", {.low = 0, .high = 1, .high_open = true}}};
}

Var VoiceNet::block(const Scope& s, const Var& x, const Var& inside) const {
  const Var seen = nn::conv1d(s / "convolution", x, {.filters = o_.width, .kernel = o_.kernel});
  const Var h = nn::dropout(s / "dropout", relu(nn::layer_norm(s / "norm", seen)), o_.dropout);
  return (x.dim(-1) == o_.width ? x + h : h) * inside;
}

Var VoiceNet::encoded(const Scope& s, const Var& letters, const Var& inside) const {
  Var h = nn::embedding(s / "letters", with_pauses(letters), {.count = letters_ + 1, .width = o_.width}) * inside;
  for (std::int64_t layer = 1; layer <= o_.encoder; ++layer)
    h = block(s / ("encoder" + std::to_string(layer)), h, inside);
  return h;
}

Var VoiceNet::log_durations(const Scope& s, const Var& hidden, const Var& inside) const {
  const Var h = block(s / "durations", stop_gradient(hidden), inside);
  const Var each = nn::dense(s / "durations" / "output", h, 1, {.initializer = init::lecun_normal()});
  return squeeze(each, -1) + 1;  // the initial duration is e steps
}

/// A letter's weight at a step is the part of the step that lies within the letter, whose borders are logistic curves;
/// the weights add up to 1. Further inputs are the position of a step within its letter, and the letter's duration.
Var VoiceNet::decoded(const Scope& s, const Var& hidden, const Var& durations, const Var& frames,
                      std::int64_t steps) const {
  constexpr double sharpness = 5, shortest = 0.1;
  const Var last = expand_dims(cumsum(durations, -1), 1), own = expand_dims(durations, 1);  // (batch, 1, tokens)
  const Var time = reshape(places(steps, 0.5, s.dtype()), {1, steps, 1});
  const Var since = time - (last - own), until = time - last;
  const Var weights = sigmoid(since * sharpness) - sigmoid(until * sharpness);  // (batch, steps, tokens)
  const Var into = clamp(since / maximum(own, shortest), 0, 1);
  Var h = concat({matmul(weights, hidden), sum(weights * into, -1, Keep::yes),
                  sum(weights * log(maximum(own, shortest)), -1, Keep::yes)},
                 -1);
  const Var inside = expand_dims(inside_of(frames, steps, s.dtype()), -1);
  h = h * inside;
  for (std::int64_t layer = 1; layer <= o_.decoder; ++layer)
    h = block(s / ("decoder" + std::to_string(layer)), h, inside);
  return nn::dense(s / "output", h, step_, {.initializer = init::lecun_normal()}) * inside;
}

/// The attention of each step to each token, over paths that visit all tokens in order. The sum over these paths is
/// that of connectionist temporal classification with the labels 1, 2, ... and a blank that is never chosen. Its
/// gradient with respect to the logits is softmax(logits) minus the probability that a path is at that token; that
/// probability is the wanted attention.
std::pair<Var, Var> VoiceNet::aligned(const Scope& s, const Batch& b) const {
  constexpr double out_of_reach = -1e4, along_diagonal = 50;  // the deviation is a tenth of the text
  const Var &x = b["input"], &frames = b["frames"], letters = with_pauses(b["target"]), tokens = b["letters"] + 2;
  const std::int64_t batch = x.dim(0), steps = x.dim(1), most = letters.dim(1);
  const DType dtype = s.dtype();
  const Var in_text = expand_dims(inside_of(tokens, most, dtype), 1), in_sound = inside_of(frames, steps, dtype);
  const auto read = [&](const Scope& at, const Var& from) {
    const Var h = relu(nn::conv1d(at / "convolution", from, {.filters = o_.aligner, .kernel = 3}));
    return nn::dense(at / "output", h, o_.aligner, {.initializer = init::lecun_normal()});
  };
  const Var embedded = nn::embedding(s / "aligner" / "letters", letters, {.count = letters_ + 1, .width = o_.aligner});
  const Var keys = read(s / "aligner" / "text", embedded * transpose(in_text, {0, 2, 1}));
  const Var queries = read(s / "aligner" / "sound", x);
  const auto part = [&](std::int64_t size, const Var& of) {
    return places(size, 0.5, dtype) / expand_dims(cast(of, dtype), 1);
  };
  const Var off = expand_dims(part(steps, frames), -1) - expand_dims(part(most, tokens), 1);
  const Var close = matmul(queries, keys, false, true) / std::sqrt(static_cast<double>(o_.aligner));
  const Var attention = where(broadcast_to(in_text, close.shape()), close - along_diagonal * square(off), out_of_reach);
  const Var logits = pad(attention, {{0, 0}, {0, 0}, {1, 0}}, out_of_reach);
  const Var labels = broadcast_to(places(most, 1, i32), {batch, most});
  const Var surprise = ctc_loss(logits, labels, frames, tokens, {.zero_infinity = true});
  const Var there = softmax(logits) - gradients(sum(surprise), {logits}).front();
  const Var each = slice(there, 1, most + 1, 2) * expand_dims(in_sound, -1);
  return {stop_gradient(sum(each, 1)), surprise};
}

Var VoiceNet::durations(const Scope& s, const Var& letters, const Var& count) const {
  const Var in_text = inside_of(count + 2, letters.dim(1) + 2, s.dtype()), inside = expand_dims(in_text, -1);
  return exp(clamp(log_durations(s, encoded(s, letters, inside), inside), 0, std::log(longest_token))) * in_text;
}

Var VoiceNet::spoken(const Scope& s, const Var& letters, const Var& count, const Var& durations, const Var& frames,
                     std::int64_t steps) const {
  const Var inside = expand_dims(inside_of(count + 2, letters.dim(1) + 2, s.dtype()), -1);
  return decoded(s, encoded(s, letters, inside), durations, frames, steps);
}

Loss VoiceNet::loss(const Scope& s, const Batch& b) const {
  constexpr double of_durations = 0.1;
  const Var &x = b["input"], &frames = b["frames"], &letters = b["target"];
  const std::int64_t steps = x.dim(1);
  const auto [lasts, surprise] = aligned(s, b);
  const Var in_text = inside_of(b["letters"] + 2, letters.dim(1) + 2, s.dtype()), inside = expand_dims(in_text, -1);
  const Var hidden = encoded(s, letters, inside);
  const Var error =
      mean_inside(mean(abs(decoded(s, hidden, lasts, frames, steps) - x), -1), inside_of(frames, steps, s.dtype()));
  const Var off = log_durations(s, hidden, inside) - log(maximum(lasts, 1));
  const Var duration_error = mean_inside(square(off), in_text);
  const Var alignment = surprise / cast(frames, s.dtype());
  s.report("log-mel error", error);
  s.report("duration error", duration_error);
  s.report("alignment", alignment);
  return Loss::of_samples(error + of_durations * duration_error + alignment);
}

}  // namespace thalweg
