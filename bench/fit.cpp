// Fits of NIST's problems of nonlinear regression from both of their starting points (compare bench/peers/fit.py), and
// of a logistic regression on 100,000 rows of 57 numbers (compare bench/peers/sklearn_fit.py).

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "thalweg/fit.hpp"
#include "thalweg/thalweg.hpp"
#include "thalweg/whole_fit.hpp"

namespace thalweg {
namespace {

struct Case {
  std::string model;
  std::map<std::string, Tensor> columns;
  FormulaFitOptions options;
};

/// Reads the file that THALWEG_NIST names, by default that of the tests; its path is relative to the root of the tree.
std::vector<Case> cases() {
  const char* path = std::getenv("THALWEG_NIST");
  std::ifstream file(path ? path : "tests/reference/nist.json");
  std::vector<Case> all;
  for (const auto& problem : nlohmann::json::parse(file)) {
    for (const auto& start : problem["starts"]) {
      Case& one = all.emplace_back(Case{.model = problem["model"], .columns = {}, .options = {}});
      for (const auto& [name, values] : problem["columns"].items()) {
        const auto numbers = values.get<std::vector<double>>();
        one.columns[name] = Tensor::from(numbers, {static_cast<std::int64_t>(numbers.size())});
      }
      for (std::size_t i = 0; i < start.size(); ++i)
        one.options.x0[std::string(1, 'b').append(std::to_string(i + 1))] = start[i];
    }
  }
  return all;
}

/// All 54 fits, with parsing and planning.
void fit_nist(benchmark::State& state) {
  const std::vector<Case> all = cases();
  for (auto _ : state) {
    for (const Case& one : all) benchmark::DoNotOptimize(fit_formula(one.model, one.columns, one.options));
  }
}
BENCHMARK(fit_nist)->Unit(benchmark::kMillisecond);

/// Numbers from a formula that the peer computes too: x[i][j] = cos(1 + i (j + 1) / 7).
Dataset logistic_rows(std::int64_t rows, std::int64_t columns) {
  Tensor x({rows, columns}), y({rows, 1});
  const auto number = [](std::int64_t i, int j) { return std::cos(1 + static_cast<double>(i * (j + 1)) / 7); };
  for (std::int64_t i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; ++j) x.set(i * columns + j, number(i, j));
    const double ripple = std::sin(3 * static_cast<double>(i));
    y.set(i, 2 * number(i, 0) - number(i, 1) + number(i, 2) / 2 + ripple > 0.3 ? 1 : 0);
  }
  Dataset data;
  data.set("input", x);
  data.set("target", y);
  return data;
}

/// Tracing and fitting, as in a user's program, with a penalty of 1e-3 / 2 |w|^2. The argument is the number of
/// threads.
void fit_logistic(benchmark::State& state) {
  const Dataset data = logistic_rows(100'000, 57);
  const WholeFitOptions options{.l2 = 1e-3, .gradient_norm = 1e-5, .threads = static_cast<int>(state.range(0))};
  for (auto _ : state) {
    const WholeFit fit = fit_whole(nn::linear(1), loss::binary_cross_entropy, data, optim::lbfgs(), options);
    state.counters["loss"] = fit.result.value;
    state.counters["evaluations"] = static_cast<double>(fit.result.evaluations);
  }
}
BENCHMARK(fit_logistic)->Arg(1)->Arg(2)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace thalweg
