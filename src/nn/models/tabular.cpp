// The model of tables.

#include "thalweg/tabular.hpp"

#include <numbers>

#include "core/error.hpp"
#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(TabularOptions& o) {
  return {
      {"hidden", &o.hidden, "units of the hidden layers, first to last", {.low = 1}},
      {"activation", &o.activation, "after each hidden layer", any_number, activation_names()},
      {"dropout", &o.dropout, "after each hidden layer", {.low = 0, .high = 1, .high_open = true}},
      {"clip", &o.clip, "x / sqrt(1 + (x / 3)^2): far values are drawn in smoothly"},
      {"scale", &o.scale, "a factor for each input, which learns six times as fast as the rest"},
      {"frequencies", &o.frequencies, "of the periodic embedding of each input; 0: none", {.low = 0}},
      {"frequency_deviation", &o.frequency_deviation, "what the frequencies are drawn with", {.low = 0}},
      {"pieces", &o.pieces, "of the piecewise linear encoding of each input; 0: none", {.low = 0, .high = 1000}},
      {"knots", &o.knots,
       "where its pieces meet, pieces + 1 for each number; none: quantiles of a table's training rows, of other data "
       "evenly from -2 to 2"},
      {"embedding", &o.embedding, "numbers that an input becomes, besides itself", {.low = 1}},
      {"most_embedded", &o.most_embedded, "of more numbers none is embedded", {.low = 0}},
      {"numbers",
       &o.numbers,
       "places of the inputs that are embedded; none: those of a table's numbers and dates, of other data all",
       {.low = 0}},
      {"members", &o.members, "of the ensemble that shares the weights; 1: none", {.low = 1}},
      {"member_deviation", &o.member_deviation, "of the factors of the members, which start about 1", {.low = 0}}};
}

namespace {

Var clipped(const Var& x) { return x * rsqrt(1 + square(x / 3)); }

/// A parameter that adaptive methods move `speed` times as far: it is kept divided by that.
Var fast(Scope s, std::string_view name, const Shape& shape, double start, double speed) {
  return speed * s.parameter(name, shape, {.initializer = init::constant(start / speed), .decay = false});
}

/// The columns of x (rows, inputs) at these places, in order; all where there are none.
Var columns_at(const Var& x, const std::vector<std::int64_t>& places) {
  if (places.empty()) return x;
  std::vector<Var> runs;  // of neighbours
  for (std::size_t i = 0; i < places.size();) {
    if (places[i] >= x.dim(1)) fail<UsageError>("[tabular] numbers: place {} of {} inputs", places[i], x.dim(1));
    std::size_t end = i + 1;
    while (end < places.size() && places[end] == places[end - 1] + 1 && places[end] < x.dim(1)) ++end;
    runs.push_back(slice(x, places[i], places[end - 1] + 1, 1));
    i = end;
  }
  return concat(runs, 1);
}

/// For inputs that are standardised: evenly from -2 to 2.
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

/// The part of each piece between two knots that lies below each number x (rows, numbers, 1), from 0 to 1; of two knots
/// in one place: whether x is above. (Gorishniy, Rubachev and Babenko 2022.)
Var pieces(const Var& x, const TabularOptions& o) {
  const Shape shape{x.dim(1), o.pieces};
  const auto count = static_cast<std::size_t>(o.pieces);
  const std::vector<double> knots = o.knots.empty() ? even_knots(x.dim(1), o.pieces) : o.knots;
  if (std::ssize(knots) != x.dim(1) * (o.pieces + 1))
    fail<UsageError>("[tabular] knots: {} of them, where {} pieces of {} numbers want {}", knots.size(), o.pieces,
                     x.dim(1), x.dim(1) * (o.pieces + 1));
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

/// (rows, inputs) -> (rows, inputs + numbers * embedding): the inputs, and of those that are numbers linear maps of
/// their waves and pieces.
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

/// An ensemble that shares its matrices: (rows, members, units), of which each member has factors and outputs of its
/// own.
class Members {
 public:
  Members(Scope s, std::int64_t count) : scope_(s), count_(count) {}

  /// x times a factor of the member for each place of the last axis (Wen, Tran and Ba 2020).
  [[nodiscard]] Var scaled(std::string_view name, const Var& x, const Initializer& start) const {
    if (count_ == 1) return x;
    const Var factors = scope_.parameter(name, {count_, x.dim(-1)}, {.initializer = start, .decay = false}) + 1;
    return (x.rank() == 2 ? broadcast_to(expand_dims(x, 1), {x.dim(0), count_, x.dim(1)}) : x) * factors;
  }

  /// The last layer, of each member its own: (rows, members, outputs) in training, where each member has its loss, and
  /// the mean over the members in evaluation.
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

}  // namespace

ModelFunction tabular(std::int64_t outputs, const TabularOptions& options) {
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
    return members.outputs(x, outputs);
  };
}

std::vector<ModelRow> tabular_models() {
  return {model_row(
      "tabular", "a perceptron with the parts that won on tables: embeddings of numbers, an ensemble within", tabular)};
}

}  // namespace thalweg::nn
