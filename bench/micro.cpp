// Kernels compared with what limits them: the matrix product with a direct call of oneDNN, fused elementwise work and a
// reduction with hand-written loops. All use one thread.

#include <benchmark/benchmark.h>
#include <dnnl.h>
#include <fmt/core.h>
#include <omp.h>

#include <cmath>

#include "plan/program.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

float* data_of(tw::Tensor& t) { return reinterpret_cast<float*>(t.mutable_raw()); }

/// Times a function of Vars, planned as one Program and run on the same tensors each time.
void run(benchmark::State& bench, const std::vector<tw::Shape>& shapes,
         const std::function<tw::Var(const std::vector<tw::Var>&)>& f) {
  tw::Graph graph;
  std::vector<tw::Var> vars;
  std::vector<tw::Bound> inputs;
  std::vector<tw::Tensor> tensors;
  int base = tw::first_user_base;
  for (const tw::Shape& shape : shapes) {
    vars.push_back(graph.input(fmt::format("x{}", vars.size()), shape, tw::f32));
    inputs.push_back({vars.back(), {base++, 0}});
    tensors.push_back(tw::random_normal(shape, 1));
  }
  const tw::Var y = f(vars);
  tensors.emplace_back(y.shape(), tw::f32);
  const tw::Program program(graph, inputs, {{y, {base, 0}}});
  std::vector<std::byte*> bases;
  for (tw::Tensor& tensor : tensors) bases.push_back(tensor.mutable_raw());
  const tw::Block arena(program.arena_bytes());
  tw::Workers alone(1);
  program.run(bases, arena.data(), alone);  // the first product of a process makes oneDNN's code
  for (auto _ : bench) program.run(bases, arena.data(), alone);
  bench.counters["operations"] = static_cast<double>(program.operations());
  bench.counters["bytes"] = static_cast<double>(program.bytes_moved());
}

void product(benchmark::State& bench) {
  run(bench, {{bench.range(0), bench.range(1)}, {bench.range(1), bench.range(2)}},
      [](const std::vector<tw::Var>& x) { return tw::matmul(x[0], x[1]); });
}

void product_alone(benchmark::State& bench) {
  const std::int64_t m = bench.range(0), k = bench.range(1), n = bench.range(2);
  omp_set_num_threads(1);
  tw::Tensor a = tw::random_normal({m, k}, 1), b = tw::random_normal({k, n}, 2), c({m, n});
  for (auto _ : bench) dnnl_sgemm('N', 'N', m, n, k, 1, data_of(a), k, data_of(b), n, 0, data_of(c), n);
}

/// The gradient of a layer's weights: its transposed inputs times the gradients of its outputs.
void weights(benchmark::State& bench) {
  run(bench, {{bench.range(1), bench.range(0)}, {bench.range(1), bench.range(2)}},
      [](const std::vector<tw::Var>& x) { return tw::matmul(x[0], x[1], true, false); });
}

void weights_alone(benchmark::State& bench) {
  const std::int64_t m = bench.range(0), k = bench.range(1), n = bench.range(2);
  omp_set_num_threads(1);
  tw::Tensor a = tw::random_normal({k, m}, 1), b = tw::random_normal({k, n}, 2), c({m, n});
  for (auto _ : bench) dnnl_sgemm('T', 'N', m, n, k, 1, data_of(a), m, data_of(b), n, 0, data_of(c), n);
}

void residual(benchmark::State& bench) {
  run(bench, {{bench.range(0)}, {bench.range(0)}, {bench.range(0)}},
      [](const std::vector<tw::Var>& x) { return tw::relu(x[0] * x[1] + x[2]) - 0.5 * x[0]; });
}

void residual_loop(benchmark::State& bench) {
  const std::int64_t n = bench.range(0);
  tw::Tensor a = tw::random_normal({n}, 1), b = tw::random_normal({n}, 2), c = tw::random_normal({n}, 3), d({n});
  const float *x = data_of(a), *y = data_of(b), *z = data_of(c);
  float* out = data_of(d);
  for (auto _ : bench) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      const float s = x[i] * y[i] + z[i];
      out[i] = (s > 0 ? s : 0) - 0.5F * x[i];
    }
    benchmark::ClobberMemory();
  }
}

void sum_of_squares(benchmark::State& bench) {
  run(bench, {{bench.range(0)}}, [](const std::vector<tw::Var>& x) { return tw::sum(tw::square(x[0])); });
}

void sum_of_squares_loop(benchmark::State& bench) {
  const std::int64_t n = bench.range(0);
  tw::Tensor a = tw::random_normal({n}, 1);
  const float* x = data_of(a);
  for (auto _ : bench) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < n; ++i) total += x[i] * x[i];
    benchmark::DoNotOptimize(total);
  }
}

const bool registered = [] {
  const auto shapes = [](benchmark::internal::Benchmark* b) {
    b->Args({64, 784, 256})->Args({64, 256, 128})->Args({64, 128, 10})->Args({1024, 256, 1024})->Args({8, 16, 8});
    b->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  const auto layers = [](benchmark::internal::Benchmark* b) {
    b->Args({256, 1024, 1024})->Args({784, 64, 256})->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  const auto sizes = [](benchmark::internal::Benchmark* b) {
    b->Arg(16'384)->Arg(10'000'000)->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  shapes(benchmark::RegisterBenchmark("micro/product/thalweg", product));
  shapes(benchmark::RegisterBenchmark("micro/product/loop", product_alone));
  layers(benchmark::RegisterBenchmark("micro/product_of_weights/thalweg", weights));
  layers(benchmark::RegisterBenchmark("micro/product_of_weights/loop", weights_alone));
  sizes(benchmark::RegisterBenchmark("micro/elementwise/thalweg", residual));
  sizes(benchmark::RegisterBenchmark("micro/elementwise/loop", residual_loop));
  sizes(benchmark::RegisterBenchmark("micro/sum_of_squares/thalweg", sum_of_squares));
  sizes(benchmark::RegisterBenchmark("micro/sum_of_squares/loop", sum_of_squares_loop));
  return true;
}();

}  // namespace
