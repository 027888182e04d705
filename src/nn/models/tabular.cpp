// The model of tables.

#include "thalweg/tabular.hpp"

#include <numbers>

#include "nn/model_row.hpp"
#include "thalweg/ops.hpp"

namespace thalweg::nn {

Fields fields(TabularOptions& o) {
  return {{"hidden", &o.hidden, "units of the hidden layers, first to last", {.low = 1}},
          {"activation", &o.activation, "after each hidden layer", any_number, activation_names()},
          {"dropout", &o.dropout, "after each hidden layer", {.low = 0, .high = 1, .high_open = true}},
          {"clip", &o.clip, "x / sqrt(1 + (x / 3)^2): far values are drawn in smoothly"},
          {"scale", &o.scale, "a factor for each input, which learns six times as fast as the rest"},
          {"frequencies", &o.frequencies, "of the periodic embedding of each input; 0: none", {.low = 0}},
          {"frequency_deviation", &o.frequency_deviation, "what the frequencies are drawn with", {.low = 0}},
          {"embedding", &o.embedding, "numbers that an input becomes, besides itself", {.low = 1}},
          {"most_embedded", &o.most_embedded, "of more inputs none is embedded", {.low = 0}},
          {"members", &o.members, "of the ensemble that shares the weights; 1: none", {.low = 1}}};
}

namespace {

Var clipped(const Var& x) { return x * rsqrt(1 + square(x / 3)); }

/// A parameter that adaptive methods move `speed` times as far: it is kept divided by that.
Var fast(Scope s, std::string_view name, const Shape& shape, double start, double speed) {
  return speed * s.parameter(name, shape, {.initializer = init::constant(start / speed), .decay = false});
}

/// (rows, inputs) -> (rows, inputs (1 + embedding)): each input, and linear maps of cos(2 pi (f x + phase)).
Var embedded(Scope s, const Var& x, const TabularOptions& o) {
  const std::int64_t rows = x.dim(0), inputs = x.dim(1), count = o.frequencies, width = o.embedding;
  const Var frequency = s.parameter("frequency", {inputs, count}, {.initializer = init::normal(o.frequency_deviation)});
  const Var phase = s.parameter("phase", {inputs, count}, {.initializer = init::uniform(0.5), .decay = false});
  const Var waves = cos(2 * std::numbers::pi * (expand_dims(x, -1) * frequency + phase));
  const double deviation = 1 / std::sqrt(static_cast<double>(count));
  const Var weight = s.parameter("weight", {inputs, count, width}, {.initializer = init::normal(deviation)});
  const Var bias = s.parameter("bias", {inputs, width}, {.decay = false});
  const Var mapped = sum(expand_dims(waves, -1) * weight, 2) + bias;
  return concat({x, reshape(mapped, {rows, inputs * width})}, 1);
}

/// What tells the members of an ensemble apart, for each row: its member in training; in evaluation the rows come once
/// for each member, one member after the other.
class Members {
 public:
  Members(Scope s, const Var& x, std::int64_t count) : scope_(s), count_(count), rows_(x.dim(0)) {
    if (count_ > 1 && s.mode() == Mode::train) {
      drawn_ = cast(floor(s.uniform("member", {rows_}) * static_cast<double>(count_)), i32);
    }
  }

  /// x times a factor of the member for each place of the last axis, which starts at random signs.
  [[nodiscard]] Var scaled(std::string_view name, const Var& x) const {
    if (count_ == 1) return x;
    const std::int64_t width = x.dim(-1);
    const Var factors = scope_.parameter(name, {count_, width}, {.initializer = init::normal(0.5), .decay = false}) + 1;
    if (drawn_.defined()) return x * gather(factors, drawn_);
    const Var all = x.rank() == 2 ? broadcast_to(expand_dims(x, 1), {rows_, count_, width}) : x;
    return all * factors;
  }

  /// The last layer, of each member its own, and the mean of what they give.
  [[nodiscard]] Var outputs(const Var& x, std::int64_t outputs) const {
    if (count_ == 1) return dense(scope_ / "output", x, outputs, {.initializer = init::lecun_normal()});
    const std::int64_t width = x.dim(-1);
    const double deviation = 1 / std::sqrt(static_cast<double>(width));
    const Var weight =
        (scope_ / "output").parameter("weight", {count_, width * outputs}, {.initializer = init::normal(deviation)});
    const Var bias = (scope_ / "output").parameter("bias", {count_, outputs}, {.decay = false});
    if (drawn_.defined()) {
      const Var own = reshape(gather(weight, drawn_), {rows_, width, outputs});
      return sum(expand_dims(x, -1) * own, 1) + gather(bias, drawn_);
    }
    const Var each = sum(expand_dims(x, -1) * reshape(weight, {count_, width, outputs}), 2) + bias;
    return mean(each, 1);
  }

 private:
  Scope scope_;
  std::int64_t count_, rows_;
  Var drawn_;
};

}  // namespace

ModelFunction tabular(std::int64_t outputs, const TabularOptions& options) {
  return [outputs, o = options, activate = activation(options.activation)](Scope s, Var x) {
    constexpr double speed = 6;
    x = flatten(x);
    if (o.clip) x = clipped(x);
    if (o.scale) x = x * fast(s, "scale", {x.dim(1)}, 1, speed);
    if (o.frequencies > 0 && x.dim(1) <= o.most_embedded) x = embedded(s / "embedding", x, o);
    const Members members(s, x, o.members);
    x = members.scaled("member_inputs", x);
    for (std::size_t i = 0; i < o.hidden.size(); ++i) {
      const Scope layer = s / ("layer" + std::to_string(i + 1));
      x = activate(dense(layer, x, o.hidden[i]));
      if (o.dropout > 0) x = dropout(layer / "dropout", x, o.dropout);
      x = members.scaled("member_units" + std::to_string(i + 1), x);
    }
    return members.outputs(x, outputs);
  };
}

std::vector<ModelRow> tabular_models() {
  return {model_row(
      "tabular", "a perceptron with the parts that won on tables: embeddings of numbers, an ensemble within", tabular)};
}

}  // namespace thalweg::nn
