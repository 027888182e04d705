// The model for tables.

#include "thalweg/tabular.hpp"
#include "nn/check_options.hpp"

#include <numbers>

#include "core/error.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(TabularOptions& o) {
  return {
      {"hidden", &o.hidden, "number of units of each hidden layer, first to last", {.low = 1}},
      {"activation", &o.activation, "activation after each hidden layer", any_number, activation_names()},
      {"dropout", &o.dropout, "dropout rate after each hidden layer", {.low = 0, .high = 1, .high_open = true}},
      {"clip", &o.clip, "replace each input x by x / sqrt(1 + (x / 3)^2), a smooth limit for outliers"},
      {"scale", &o.scale,
       "a learned factor for each input, whose learning rate is six times that of the other parameters"},
      {"frequencies",
       &o.frequencies,
       "number of frequencies in the periodic embedding of each input; 0: no periodic embedding",
       {.low = 0}},
      {"frequency_deviation",
       &o.frequency_deviation,
       "standard deviation from which the frequencies are drawn; by default 3 for numbers as targets in a table "
       "of 10,000 training rows and more",
       {.low = 0}},
      {"pieces",
       &o.pieces,
       "number of pieces in the piecewise linear encoding of each input; 0: no such encoding",
       {.low = 0, .high = 1000}},
      {"knots", &o.knots,
       "ends of the pieces, pieces + 1 numbers for each embedded input; empty: for a table the quantiles of the "
       "training rows, for other data evenly from -2 to 2"},
      {"embedding", &o.embedding, "size of the embedding of an input, which is added to the input itself", {.low = 1}},
      {"most_embedded", &o.most_embedded, "if there are more inputs to embed than this, none is embedded", {.low = 0}},
      {"numbers",
       &o.numbers,
       "places of the inputs that are embedded; empty: for a table its numbers and dates, for other data all inputs",
       {.low = 0}},
      {"members", &o.members, "number of members of an ensemble that shares its weights; 1: no ensemble", {.low = 1}},
      {"member_deviation",
       &o.member_deviation,
       "standard deviation of the initial factors of the members around 1",
       {.low = 0}},
      {"limits", &o.limits,
       "lowest and highest output in evaluation; empty: none, or for a table with numbers as targets those of the "
       "training rows, in standardised units"}};
}

namespace {

Var clipped(const Var& x) { return x * rsqrt(1 + square(x / 3)); }

/// A parameter that adaptive methods move `speed` times as far: its stored value is divided by `speed`.
Var fast(Scope s, std::string_view name, const Shape& shape, double start, double speed) {
  return speed * s.parameter(name, shape, {.initializer = init::constant(start / speed), .decay = false});
}

/// The columns of x (rows, inputs) at these places, in order; all where there are none.
Var columns_at(const Var& x, const std::vector<std::int64_t>& places) {
  if (places.empty()) return x;
  std::vector<Var> runs;  // each of adjacent columns
  for (std::size_t i = 0; i < places.size();) {
    if (places[i] >= x.dim(1))
      fail<UsageError>("[tabular] numbers has the place {}, but there are {} inputs", places[i], x.dim(1));
    std::size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1 && places[end] < x.dim(1)) ++end;
    runs.push_back(slice(x, places[i], places[end - 1] + 1, 1));
    i = end;
  }
  return concat(runs, 1);
}

/// Knots for standardised inputs: evenly from -2 to 2.
std::vector<double> even_knots(std::int64_t numbers, std::int64_t pieces) {
  std::vector<double> knots;
  for (std::int64_t i = 0; i < numbers; ++i) {
    for (std::int64_t j = 0; j <= pieces; ++j)
      knots.push_back(4 * static_cast<double>(j) / static_cast<double>(pieces) - 2);
  }
  return knots;
}

/// cos(2 pi (f x + phase)) of each number x (rows, numbers, 1).
Var waves(Scope s, const Var& x, const TabularOptions& o) {
  const Shape shape{x.dim(1), o.frequencies};
  const Var frequency = s.parameter("frequency", shape, {.initializer = init::normal(o.frequency_deviation)});
  const Var phase = s.parameter("phase", shape, {.initializer = init::uniform(0.5), .decay = false});
  return cos(2 * std::numbers::pi * (x * frequency + phase));
}

/// The fraction, from 0 to 1, of each piece between two knots that lies below each number x (rows, numbers, 1). Where
/// two knots are equal: 1 if x is above them, else 0. (Gorishniy, Rubachev and Babenko 2022.)
Var pieces(const Var& x, const TabularOptions& o) {
  const Shape shape{x.dim(1), o.pieces};
  const auto count = static_cast<std::size_t>(o.pieces);
  const std::vector<double> knots = o.knots.empty() ? even_knots(x.dim(1), o.pieces) : o.knots;
  if (std::ssize(knots) != x.dim(1) * (o.pieces + 1))
    fail<UsageError>("[tabular] {} knots for {} pieces of {} numbers. Wanted: {}", knots.size(), o.pieces, x.dim(1),
                     x.dim(1) * (o.pieces + 1));
  Tensor begins(shape, x.dtype()), slopes(shape, x.dtype());
  for (std::size_t i = 0; i < knots.size() / (count + 1); ++i) {
    for (std::size_t j = 0; j < count; ++j) {
      const double* own = &knots[i * (count + 1) + j];
      const auto place = static_cast<std::int64_t>(i * count + j);
      begins.set(place, own[0]);
      slopes.set(place, 1 / std::max(own[1] - own[0], 1e-6));
    }
  }
  return clamp((x - constant(begins)) * constant(slopes), 0, 1);
}

/// (rows, inputs) -> (rows, inputs + numbers * embedding): the inputs, and for each number a linear map of its periodic
/// and piecewise linear encodings.
Var embedded(Scope s, const Var& x, const Var& numbers, const TabularOptions& o) {
  const std::int64_t rows = x.dim(0), inputs = numbers.dim(1), count = o.frequencies + o.pieces, width = o.embedding;
  std::vector<Var> features;
  if (o.frequencies > 0) features.push_back(waves(s, expand_dims(numbers, -1), o));
  if (o.pieces > 0) features.push_back(pieces(expand_dims(numbers, -1), o));
  const double deviation = 1 / std::sqrt(static_cast<double>(count));
  const Var weight = s.parameter("weight", {inputs, count, width}, {.initializer = init::normal(deviation)});
  const Var bias = s.parameter("bias", {inputs, width}, {.decay = false});
  const Var mapped = sum(expand_dims(concat(features, 2), -1) * weight, 2) + bias;
  return concat({x, reshape(mapped, {rows, inputs * width})}, 1);
}

/// An ensemble that shares its matrices, (rows, members, units). Each member has its own factors and its own last
/// layer.
class Members {
 public:
  Members(Scope s, std::int64_t count) : scope_(s), count_(count) {}

  /// x times the member's factor for each element of the last axis (Wen, Tran and Ba 2020).
  [[nodiscard]] Var scaled(std::string_view name, const Var& x, const Initializer& start) const {
    if (count_ == 1) return x;
    const Var factors = scope_.parameter(name, {count_, x.dim(-1)}, {.initializer = start, .decay = false}) + 1;
    return (x.rank() == 2 ? broadcast_to(expand_dims(x, 1), {x.dim(0), count_, x.dim(1)}) : x) * factors;
  }

  /// Each member's own last layer: (rows, members, outputs) in training, where each member has its own loss, and the
  /// mean over the members in evaluation.
  [[nodiscard]] Var outputs(const Var& x, std::int64_t outputs) const {
    if (count_ == 1) return dense(scope_ / "output", x, outputs, {.initializer = init::lecun_normal()});
    const std::int64_t width = x.dim(-1);
    const double deviation = 1 / std::sqrt(static_cast<double>(width));
    const Scope layer = scope_ / "output";
    const Var weight = layer.parameter("weight", {count_, width * outputs}, {.initializer = init::normal(deviation)});
    const Var bias = layer.parameter("bias", {count_, outputs}, {.decay = false});
    const Var each = sum(expand_dims(x, -1) * reshape(weight, {count_, width, outputs}), 2) + bias;
    return scope_.mode() == Mode::train ? each : mean(each, 1);
  }

 private:
  Scope scope_;
  std::int64_t count_;
};

/// x between the limits, with the derivatives of x: what a look measures is the curvature of what is trained, which has
/// no limits.
Var within(const Var& x, const std::vector<double>& limits) {
  return stop_gradient(clamp(x, limits[0], limits[1])) + (x - stop_gradient(x));
}

void check_limits(const std::vector<double>& limits) {
  if (limits.empty() || (limits.size() == 2 && limits[0] <= limits[1])) return;
  fail<UsageError>("[tabular] limits = {}. Wanted: the lowest and the highest output, or none",
                   OptionValue{OptionList(limits.begin(), limits.end())}.str());
}

}  // namespace

ModelFunction tabular(std::int64_t outputs, const TabularOptions& options) {
  check_options(options, "tabular");
  check_limits(options.limits);
  return [outputs, o = options, activate = activation(options.activation)](Scope s, Var x) {
    constexpr double speed = 6;
    x = flatten(x);
    if (o.clip) x = clipped(x);
    if (o.scale) x = x * fast(s, "scale", {x.dim(1)}, 1, speed);
    const std::int64_t numbers = o.numbers.empty() ? x.dim(1) : std::ssize(o.numbers);
    if (o.frequencies + o.pieces > 0 && numbers <= o.most_embedded)
      x = embedded(s / "embedding", x, columns_at(x, o.numbers), o);
    const Members members(s, o.members);
    x = members.scaled("member_inputs", x, init::normal(o.member_deviation));
    for (std::size_t i = 0; i < o.hidden.size(); ++i) {
      const Scope layer = s / ("layer" + std::to_string(i + 1));
      x = activate(dense(layer, x, o.hidden[i]));
      if (o.dropout > 0) x = dropout(layer / "dropout", x, o.dropout);
      x = members.scaled("member_units" + std::to_string(i + 1), x, init::normal(o.member_deviation));
    }
    x = members.outputs(x, outputs);
    return o.limits.empty() || s.mode() == Mode::train ? x : within(x, o.limits);
  };
}

std::vector<ModelRow> tabular_models() {
  return {model_row(
      "tabular",
      "a multilayer perceptron for tables, with embeddings of numbers and an ensemble that shares its weights",
      tabular)};
}

}  // namespace thalweg::nn
