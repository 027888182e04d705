// How costs grow with the size of a function. The time includes everything from the first op to the result, because a
// function that is called once pays for all of it. Each function is made and measured a second time, as the peer's is:
// then the process has its memory. Sizes are n, 2 n and 4 n. Each result is compared with that of plain loops; if it
// differs, the row ends with an error.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

using Numbers = std::vector<double>;

struct Result {
  double seconds = 0;
  double error = 0;  // relative
};

/// Sets `seconds` to the duration of the call, and returns what the call returns.
template <class F>
auto timed(double& seconds, F call) {
  const auto begin = std::chrono::steady_clock::now();
  auto value = call();
  seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return value;
}

/// The largest absolute difference, relative to the largest wanted value.
double error_of(const tw::Tensor& got, const Numbers& wanted) {
  double distance = 0, largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    distance = std::max(distance, std::abs(got.at(static_cast<std::int64_t>(i)) - wanted[i]));
    largest = std::max(largest, std::abs(wanted[i]));
  }
  return distance / std::max(largest, 1e-300);
}

// A chain of n ops on 1,000 doubles: sine and multiplication in turn. Each multiplication has another constant.

double factor(int i) { return 1.2 + 0.3 * std::cos(i); }

Result chain(int n) {
  const tw::Tensor x = tw::random_uniform({1000}, -1, 1, 1, tw::f64);
  const tw::Function f([n](tw::Var v) {
    for (int i = 0; i < n; ++i) v = i % 2 ? v * factor(i) : tw::sin(v);
    return tw::sum(v);
  });
  Result result;
  const tw::Tensor gradient = timed(result.seconds, [&] { return tw::grad(f)(x); });
  Numbers wanted;
  for (std::int64_t k = 0; k < x.size(); ++k) {
    double value = x.at(k), slope = 1;
    for (int i = 0; i < n; ++i) {
      slope *= i % 2 ? factor(i) : std::cos(value);
      value = i % 2 ? value * factor(i) : std::sin(value);
    }
    wanted.push_back(slope);
  }
  result.error = error_of(gradient, wanted);
  return result;
}

// An LSTM cell written from ops, unrolled over n steps: the gradient of the sum of its last state by its weights.

constexpr std::int64_t batch = 8, width = 16;
constexpr std::int64_t rows = 2 * width + 1,
                       columns = 4 * width;  // rows: of input, state, bias; columns: of four gates

tw::Var lstm(tw::Var weights, tw::Var inputs) {
  const tw::Var w = tw::slice(weights, 0, width), u = tw::slice(weights, width, 2 * width);
  const tw::Var bias = tw::slice(weights, 2 * width, rows);
  tw::Var h, c;
  for (std::int64_t t = 0; t < inputs.dim(0); ++t) {
    const tw::Var x = tw::reshape(tw::slice(inputs, t, t + 1), {batch, width});
    tw::Var gates = tw::matmul(x, w) + bias;
    if (t > 0) gates = gates + tw::matmul(h, u);
    const auto gate = [&](std::int64_t i) { return tw::slice(gates, i * width, (i + 1) * width, 1); };
    const tw::Var candidate = tw::sigmoid(gate(0)) * tw::tanh(gate(2));
    c = t > 0 ? tw::sigmoid(gate(1)) * c + candidate : candidate;
    h = tw::sigmoid(gate(3)) * tw::tanh(c);
  }
  return tw::sum(h);
}

/// A number and its derivative along a direction.
struct Dual {
  double value = 0, slope = 0;
  friend Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
  friend Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.slope * b.value + a.value * b.slope}; }
};
Dual tanh_of(Dual x) {
  const double y = std::tanh(x.value);
  return {y, (1 - y * y) * x.slope};
}
Dual sigmoid_of(Dual x) {
  const double y = 1 / (1 + std::exp(-x.value));
  return {y, y * (1 - y) * x.slope};
}

/// The derivative of `lstm` along a direction, by plain loops.
double lstm_slope(const tw::Tensor& weights, const tw::Tensor& direction, const tw::Tensor& inputs) {
  const auto weight = [&](std::int64_t i, std::int64_t j) {
    return Dual{weights.at(i * columns + j), direction.at(i * columns + j)};
  };
  double total = 0;
  for (std::int64_t b = 0; b < batch; ++b) {
    std::vector<Dual> h(width), c(width), gates(columns);
    for (std::int64_t t = 0; t < inputs.shape()[0]; ++t) {
      for (std::int64_t j = 0; j < columns; ++j) {
        Dual& gate = gates[static_cast<std::size_t>(j)] = weight(2 * width, j);
        for (std::int64_t i = 0; i < width; ++i) {
          gate = gate + weight(i, j) * Dual{inputs.at((t * batch + b) * width + i)};
          gate = gate + weight(width + i, j) * h[static_cast<std::size_t>(i)];
        }
      }
      for (std::size_t k = 0; k < width; ++k) {
        c[k] = sigmoid_of(gates[width + k]) * c[k] + sigmoid_of(gates[k]) * tanh_of(gates[2 * width + k]);
        h[k] = sigmoid_of(gates[3 * width + k]) * tanh_of(c[k]);
      }
    }
    for (const Dual& state : h) total += state.slope;
  }
  return total;
}

Result unrolled_lstm(int steps) {
  const tw::Tensor inputs = tw::random_uniform({steps, batch, width}, -1, 1, 1, tw::f64);
  const tw::Tensor weights = tw::random_uniform({rows, columns}, -0.3, 0.3, 2, tw::f64);
  const tw::Tensor direction = tw::random_uniform({rows, columns}, -1, 1, 3, tw::f64);
  Result result;
  const tw::Tensor gradient = timed(result.seconds, [&] { return tw::grad(tw::Function(lstm))(weights, inputs); });
  double slope = 0;
  for (std::int64_t i = 0; i < gradient.size(); ++i) slope += gradient.at(i) * direction.at(i);
  const double wanted = lstm_slope(weights, direction, inputs);
  result.error = std::abs(slope - wanted) / std::abs(wanted);
  return result;
}

// A sum of n squares, each of a number of its own, walked down by ten steps of gradient descent.

Result squares(int n) {
  const tw::Function f([n](tw::Var x) {
    tw::Var total = tw::square(tw::slice(x, 0, 1));
    for (int i = 1; i < n; ++i) total = total + tw::square(tw::slice(x, i, i + 1) - i);
    return tw::sum(total);
  });
  Result result;
  const tw::Tensor x = timed(result.seconds, [&] {
    return tw::minimize(f, tw::Tensor({n}, tw::f64), tw::optim::sgd({.lr = 0.1}), {.max_steps = 10}).x;
  });
  Numbers wanted(static_cast<std::size_t>(n), 0.0);
  for (int step = 0; step < 10; ++step) {
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] -= 0.1 * 2 * (wanted[i] - static_cast<double>(i));
  }
  result.error = error_of(x, wanted);
  return result;
}

// The loss of one step of a network of n hidden layers of width 8; the time includes the construction of the network.

/// The output of the network for one row, by plain loops.
double deep_output(const tw::State& state, Numbers x, int layers) {
  for (int layer = 1; layer <= layers + 1; ++layer) {
    const std::string name = layer <= layers ? "layer" + std::to_string(layer) : "output";
    const tw::Tensor weight = state.parameter(name + "/weight"), bias = state.parameter(name + "/bias");
    Numbers y;
    for (std::int64_t j = 0; j < bias.size(); ++j) {
      double sum = bias.at(j);
      for (std::size_t i = 0; i < x.size(); ++i)
        sum += x[i] * weight.at(static_cast<std::int64_t>(i) * bias.size() + j);
      y.push_back(layer <= layers ? std::tanh(sum) : sum);
    }
    x = y;
  }
  return x[0];
}

Result deep_network(int layers) {
  tw::Dataset data;
  const tw::Tensor input = tw::random_normal({4, 8}, 1);
  data.set("input", input);
  data.set("target", tw::full({4, 1}, 1));
  const tw::nn::MlpOptions options{.hidden = std::vector<std::int64_t>(static_cast<std::size_t>(layers), 8),
                                   .activation = "tanh"};
  Result result;
  tw::State start;
  const double loss = timed(result.seconds, [&] {
    auto step =
        tw::train_step(tw::objective_of(tw::nn::mlp(1, options), tw::loss::mse), tw::optim::sgd({.lr = 0.1}), 1);
    tw::State state = step.init(data, 1);
    start = state;
    return step(state, data).loss;
  });
  double wanted = 0;
  for (std::int64_t row = 0; row < 4; ++row) {
    Numbers x;
    for (std::int64_t i = 0; i < 8; ++i) x.push_back(input.at(8 * row + i));
    wanted += std::pow(deep_output(start, x, layers) - 1, 2) / 4;
  }
  result.error = std::abs(loss - wanted) / wanted;
  return result;
}

struct Row {
  const char* name;
  Result (*run)(int n);
  int smallest;
  double tolerance;
};

constexpr Row table[] = {{"chain", chain, 12'500, 1e-9},
                         {"lstm", unrolled_lstm, 250, 1e-9},
                         {"squares", squares, 200, 1e-12},
                         {"layers", deep_network, 500, 1e-3}};

void growth(benchmark::State& bench, const Row& row) {
  row.run(static_cast<int>(bench.range(0)));
  for (auto _ : bench) {
    const Result result = row.run(static_cast<int>(bench.range(0)));
    bench.SetIterationTime(result.seconds);
    if (!(result.error <= row.tolerance)) bench.SkipWithError("the result is not that of the plain loops");
  }
}

const bool registered = [] {
  for (const Row& row : table) {
    auto* bench = benchmark::RegisterBenchmark((std::string("growth/") + row.name).c_str(), growth, row);
    bench->UseManualTime()->Iterations(1)->Unit(benchmark::kMillisecond);
    for (const int times : {1, 2, 4}) bench->Arg(times * row.smallest);
  }
  return true;
}();

}  // namespace
