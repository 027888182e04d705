// The limits of this machine, measured by programs that do nothing else. The other benchmarks are compared with them.

#include <benchmark/benchmark.h>
#include <dnnl.h>
#include <omp.h>

#include <thread>
#include <vector>

#include "thalweg/tensor.hpp"

namespace tw = thalweg;

namespace {

float* data_of(tw::Tensor& t) { return reinterpret_cast<float*>(t.mutable_raw()); }

/// Each thread computes its own product: in this way oneDNN is fastest.
void sgemm(benchmark::State& bench) {
  const std::int64_t m = bench.range(0), k = bench.range(1), n = bench.range(2);
  omp_set_num_threads(1);
  tw::Tensor a = tw::random_normal({m, k}, 1), b = tw::random_normal({k, n}, 2), c({m, n});
  for (auto _ : bench) dnnl_sgemm('N', 'N', m, n, k, 1, data_of(a), k, data_of(b), n, 0, data_of(c), n);
  // the library sums the counters over the threads
  const double operations = 2e-9 * static_cast<double>(m * n * k);
  bench.counters["GFLOPs"] = benchmark::Counter(
      operations,
      benchmark::Counter::Flags(benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kAvgThreads));
}

/// a = b + s c over arrays larger than any cache: 16 bytes per element, since a line of `a` is read before it is
/// written.
void triad(benchmark::State& bench) {
  constexpr std::int64_t n = 16'000'000;
  const int threads = static_cast<int>(bench.range(0));
  tw::Tensor a({n}), b = tw::full({n}, 1), c = tw::full({n}, 2);
  float *x = data_of(a), *y = data_of(b), *z = data_of(c);
  for (auto _ : bench) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < n; ++i) x[i] = y[i] + 3 * z[i];
    benchmark::ClobberMemory();
  }
  bench.counters["GBs"] = benchmark::Counter(16e-9 * n, benchmark::Counter::kIsIterationInvariantRate);
}

/// a = a + s b, as in an update of parameters: 12 bytes per element, since the read of `a` is of use here.
void in_place(benchmark::State& bench) {
  constexpr std::int64_t n = 16'000'000;
  const int threads = static_cast<int>(bench.range(0));
  tw::Tensor a({n}), b = tw::full({n}, 1);
  float *x = data_of(a), *y = data_of(b);
  for (auto _ : bench) {
#pragma omp parallel for simd num_threads(threads) schedule(static)
    for (std::int64_t i = 0; i < n; ++i) x[i] += 3 * y[i];
    benchmark::ClobberMemory();
  }
  bench.counters["GBs"] = benchmark::Counter(12e-9 * n, benchmark::Counter::kIsIterationInvariantRate);
}

BENCHMARK(sgemm)->Name("limit/sgemm")->Args({1024, 1024, 1024})->ThreadRange(1, 2)->UseRealTime();
BENCHMARK(triad)->Name("limit/triad")->Arg(1)->Arg(2)->UseRealTime();
BENCHMARK(in_place)->Name("limit/in_place")->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
