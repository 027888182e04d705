#include "system/sequence_net.hpp"

#include <string>
#include <utility>

#include "options/error.hpp"
#include "system/reversal.hpp"
#include "thalweg/nn.hpp"
#include "thalweg/ops.hpp"
#include "thalweg/sequence.hpp"

namespace thalweg {

namespace {

/// 0, 1, ..., i32.
Var places(std::int64_t count) {
  Tensor values({count}, i32);
  for (std::int64_t i = 0; i < count; ++i) values.set(i, static_cast<double>(i));
  return constant(std::move(values));
}

std::string numbered(const char* name, std::int64_t number) { return name + std::to_string(number + 1); }

}  // namespace

SequenceNet::SequenceNet(const SequenceNetOptions& options, std::int64_t source_tokens, std::int64_t target_tokens)
    : o_(options), source_tokens_(source_tokens), target_tokens_(target_tokens) {
  if (o_.width % o_.heads != 0 || o_.width % 2 != 0)
    fail_option("width", "[sequences] width = {} and heads = {}. Wanted: width a multiple of heads, and even", o_.width,
                o_.heads);
}

SequenceNet::Memory SequenceNet::encode(const Scope& scope, const Var& input, const Var& length) const {
  const Scope s = scope / "encoder";
  const std::int64_t batch = input.dim(0), steps = input.dim(1);
  const Var place = places(steps), end = expand_dims(length, 1);
  const Var inside = expand_dims(cast(place < end, s.dtype()), -1);  // (batch, steps, 1)
  const Reversal turned(length, steps, s.dtype());

  Var x = nn::embedding(s / "tokens", input, {.count = source_tokens_, .width = o_.width});
  for (std::int64_t layer = 0; layer < o_.encoder_layers; ++layer) {
    const Scope at = s / numbered("layer", layer);
    const Var h = nn::dropout(at / "dropout", x, o_.dropout);
    const Var onward = nn::gru(at / "onward", h, {.units = o_.width / 2}).output;
    const Var back = turned(nn::gru(at / "back", turned(h), {.units = o_.width / 2}).output);
    x = nn::layer_norm(at / "norm", x + concat({onward, back}, -1)) * inside;
  }
  // the forward units have read the whole source at its last place, the backward units at its first
  const Var last = cast(equal(end - 1, place), s.dtype());
  const Var seen = concat({sum(expand_dims(last, -1) * x, 1), squeeze(slice(x, 0, 1, 1), 1)}, -1);
  Memory memory{.keys_values = {}, .length = length, .carry = {}};
  for (std::int64_t layer = 0; layer < o_.decoder_layers; ++layer) {
    const nn::DenseOptions how{.initializer = init::xavier_uniform()};
    memory.keys_values.push_back(reshape(nn::dense(s / numbered("keys", layer), x, 2 * o_.width, how),
                                         {batch, steps, 2, o_.heads, o_.width / o_.heads}));
    memory.carry.push_back(tanh(nn::dense(s / numbered("start", layer), seen, o_.width, how)));
  }
  return memory;
}

Var SequenceNet::decode(const Scope& scope, Memory& memory, const Var& tokens) const {
  const Scope s = scope.share("decoder");
  const std::int64_t batch = tokens.dim(0), steps = tokens.dim(1);
  const nn::DenseOptions how{.initializer = init::xavier_uniform()};
  Var x = nn::embedding(s / "tokens", tokens, {.count = target_tokens_, .width = o_.width});
  for (std::int64_t layer = 0; layer < o_.decoder_layers; ++layer) {
    const Scope at = s / numbered("layer", layer);
    const auto own = static_cast<std::size_t>(layer);
    const Var h = nn::dropout(at / "dropout", x, o_.dropout);
    const nn::Recurrent step = nn::gru(at / "gru", h, {.units = o_.width}, {memory.carry[own]});
    memory.carry[own] = step.carry[0];
    x = nn::layer_norm(at / "norm1", x + step.output);
    const Var queries =
        reshape(nn::dense(at / "queries", x, o_.width, how), {batch, steps, o_.heads, o_.width / o_.heads});
    const Var seen = cross_attention(queries, memory.keys_values[own], {}, memory.length);
    x = nn::layer_norm(at / "norm2",
                       x + nn::dense(at / "seen", reshape(seen, {batch, steps, o_.width}), o_.width, how));
  }
  return nn::dense(s / "output", nn::dropout(s / "dropout", x, o_.dropout), target_tokens_,
                   {.initializer = init::lecun_normal()});
}

Var SequenceNet::write(const Scope& s, Memory memory, std::int64_t steps, const Choose& choose) const {
  const std::int64_t batch = memory.length.dim(0);
  Var token = constant(Tensor({batch, 1}, i32));
  std::vector<Var> tokens;
  for (std::int64_t step = 0; step < steps; ++step) {
    const Var next = expand_dims(choose(squeeze(decode(s, memory, token), 1), step), 1);
    token = step == 0 ? next : where(not_equal(token, 0), next, 0);
    tokens.push_back(token);
  }
  return concat(tokens, 1);
}

Var shifted(const Var& targets) {
  const std::int64_t batch = targets.dim(0), steps = targets.dim(1);
  const Var begin = constant(Tensor({batch, 1}, i32));
  return steps == 1 ? begin : concat({begin, slice(targets, 0, steps - 1, 1)}, 1);
}

Var places_that_count(const Var& tokens) {
  Tensor first({1, tokens.dim(1)}, i32);
  first.set(0, 1);
  return maximum(not_equal(shifted(tokens), 0), constant(std::move(first)));
}

Var edit_distances(const Var& written, const Var& targets) {
  const std::int64_t batch = written.dim(0), steps = written.dim(1), width = targets.dim(1);
  constexpr double never = 1e6;
  // insertions after place k: up to place j they cost j - k
  Tensor onward({width + 1, width + 1}), start({1, width + 1});
  for (std::int64_t j = 0; j <= width; ++j) {
    start.set(j, static_cast<double>(j));
    for (std::int64_t k = 0; k <= width; ++k)
      onward.set(j * (width + 1) + k, k <= j ? static_cast<double>(j - k) : never);
  }
  const Var insertions = constant(std::move(onward));
  Var row = broadcast_to(constant(std::move(start)), {batch, width + 1});  // from the output so far, to each place
  for (std::int64_t step = 0; step < steps; ++step) {
    const Var token = slice(written, step, step + 1, 1), counts = not_equal(token, 0);  // (batch, 1)
    const Var other = cast(not_equal(token, targets), f32);
    const Var kept = minimum(slice(row, 1, width + 1, 1) + 1, slice(row, 0, width, 1) + other);
    const Var all = concat({slice(row, 0, 1, 1) + 1, kept}, 1);  // (batch, width + 1)
    row = where(counts, min(expand_dims(all, 1) + insertions, -1), row);
  }
  const Var length = sum(not_equal(targets, 0), -1);
  return pick(row, length);
}

}  // namespace thalweg
