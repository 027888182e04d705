// Fits of NIST's problems of nonlinear regression, from both starts. Its peer: bench/peers/fit.py.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "thalweg/fit.hpp"

namespace thalweg {
namespace {

struct Case {
  std::string model;
  std::map<std::string, Tensor> columns;
  FormulaFitOptions options;
};

/// THALWEG_NIST names the file; without it, that of the tests, seen from the root of the tree.
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

/// All 54: parsed, planned and fitted.
void fit_nist(benchmark::State& state) {
  const std::vector<Case> all = cases();
  for (auto _ : state) {
    for (const Case& one : all) benchmark::DoNotOptimize(fit_formula(one.model, one.columns, one.options));
  }
}
BENCHMARK(fit_nist)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace thalweg
