// Update rules compared with hand-written loops of the same arithmetic, fused by hand and compiled for this CPU. Each
// is timed on ten million parameters, where the bandwidth of the memory is the limit, and on sixteen thousand, which
// stay in the cache. Times are of one update; the second argument is the number of threads.

#include <benchmark/benchmark.h>

#include <cmath>

#include "optim/update.hpp"
#include "thalweg/thalweg.hpp"

namespace tw = thalweg;

namespace {

/// The operands of a hand-written loop: parameters, gradient, slots, and the step's scalars.
struct Arrays {
  float *x, *g, *a, *b, *c;
  std::int64_t n;
  int threads;
  float t = 100;
};

template <class F>
void each(const Arrays& v, F f) {
#pragma omp parallel for simd num_threads(v.threads) schedule(static)
  for (std::int64_t i = 0; i < v.n; ++i) f(i);
}

constexpr float lr = 1e-3F, b1 = 0.9F, b2 = 0.999F, eps = 1e-8F, share = 1.0F / 64;  // the gradient is a sum over 64

void sgd(const Arrays& v) {
  each(v, [&](std::int64_t i) { v.x[i] -= lr * (share * v.g[i]); });
}
void momentum(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    v.a[i] = b1 * v.a[i] + share * v.g[i];
    v.x[i] -= lr * v.a[i];
  });
}
void adam(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.x[i] -= lr * (v.a[i] * c1) / (std::sqrt(v.b[i]) * c2 + eps);
  });
}
void adamw(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t)), keep = 1 - lr * 1e-2F;
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.x[i] = keep * v.x[i] - lr * (v.a[i] * c1) / (std::sqrt(v.b[i]) * c2 + eps);
  });
}
void amsgrad(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.c[i] = v.b[i] > v.c[i] ? v.b[i] : v.c[i];
    v.x[i] -= lr * (v.a[i] * c1) / (std::sqrt(v.c[i]) * c2 + eps);
  });
}
void rmsprop(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = 0.99F * v.a[i] + 0.01F * g * g;
    v.x[i] -= lr * g / (std::sqrt(v.a[i]) + eps);
  });
}
void adagrad(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] += g * g;
    v.x[i] -= lr * g / (std::sqrt(v.a[i]) + 1e-10F);
  });
}
void adadelta(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = 0.9F * v.a[i] + 0.1F * g * g;
    const float d = std::sqrt(v.b[i] + 1e-6F) / std::sqrt(v.a[i] + 1e-6F) * g;
    v.b[i] = 0.9F * v.b[i] + 0.1F * d * d;
    v.x[i] -= d;
  });
}
void adamax(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i], decayed = b2 * v.b[i], size = std::abs(g) + eps;
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = decayed > size ? decayed : size;
    v.x[i] -= lr * c1 * v.a[i] / v.b[i];
  });
}
void nadam(const Arrays& v) {
  const float now = b1 * (1 - 0.5F * std::pow(0.96F, v.t * 0.004F)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  const float of_gradient = (1 - now) / (1 - 0.9F), of_average = now / (1 - 0.8F);
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.x[i] -= lr * (of_gradient * g + of_average * v.a[i]) / (std::sqrt(v.b[i]) * c2 + eps);
  });
}
void radam(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = std::sqrt(1 - std::pow(b2, v.t)), rectified = 0.3F;
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.x[i] -= lr * (v.a[i] * c1) * rectified * c2 / (std::sqrt(v.b[i]) + eps);
  });
}
void adabelief(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    const float surprise = g - v.a[i];
    v.b[i] = b2 * v.b[i] + (1 - b2) * surprise * surprise + 1e-16F;
    v.x[i] -= lr * (v.a[i] * c1) / (std::sqrt(v.b[i]) * c2 + 1e-16F);
  });
}
void yogi(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i], square = g * g, above = v.b[i] - square;
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.b[i] -= (1 - b2) * (above > 0 ? 1.0F : above < 0 ? -1.0F : 0.0F) * square;
    v.x[i] -= lr * (v.a[i] * c1) / (std::sqrt(v.b[i]) * c2 + 1e-3F);
  });
}
void lion(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i], d = b1 * v.a[i] + (1 - b1) * g;
    v.a[i] = 0.99F * v.a[i] + 0.01F * g;
    v.x[i] -= lr * (d > 0 ? 1.0F : d < 0 ? -1.0F : 0.0F);
  });
}
void signum(const Arrays& v) {
  each(v, [=](std::int64_t i) {
    v.a[i] = b1 * v.a[i] + (1 - b1) * (share * v.g[i]);
    v.x[i] -= lr * (v.a[i] > 0 ? 1.0F : v.a[i] < 0 ? -1.0F : 0.0F);
  });
}
void adopt(const Arrays& v) {
  const float limit = std::pow(v.t, 0.25F);
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i], root = std::sqrt(v.b[i]);
    float d = g / (root > 1e-6F ? root : 1e-6F);
    d = d < -limit ? -limit : d > limit ? limit : d;
    v.a[i] = b1 * v.a[i] + (1 - b1) * d;
    v.b[i] = 0.9999F * v.b[i] + 1e-4F * g * g;
    v.x[i] -= lr * v.a[i];
  });
}
void ademamix(const Arrays& v) {
  const float c1 = 1 / (1 - std::pow(b1, v.t)), c2 = 1 / std::sqrt(1 - std::pow(b2, v.t));
  each(v, [=](std::int64_t i) {
    const float g = share * v.g[i];
    v.a[i] = b1 * v.a[i] + (1 - b1) * g;
    v.c[i] = 0.9999F * v.c[i] + 1e-4F * g;
    v.b[i] = b2 * v.b[i] + (1 - b2) * g * g;
    v.x[i] -= lr * (v.a[i] * c1 + 5 * v.c[i]) / (std::sqrt(v.b[i]) * c2 + eps);
  });
}

struct Row {
  const char* name;
  tw::Optimizer optimizer;
  void (*loop)(const Arrays&);
};

std::vector<Row> rows() {
  namespace o = tw::optim;
  return {{"sgd", o::sgd({.lr = lr}), sgd},
          {"momentum", o::sgd({.lr = lr, .momentum = 0.9}), momentum},
          {"adam", o::adam(), adam},
          {"adamw", o::adamw(), adamw},
          {"amsgrad", o::adam({.amsgrad = true}), amsgrad},
          {"rmsprop", o::rmsprop(), rmsprop},
          {"adagrad", o::adagrad(), adagrad},
          {"adadelta", o::adadelta(), adadelta},
          {"adamax", o::adamax(), adamax},
          {"nadam", o::nadam(), nadam},
          {"radam", o::radam(), radam},
          {"adabelief", o::adabelief(), adabelief},
          {"yogi", o::yogi(), yogi},
          {"lion", o::lion(), lion},
          {"signum", o::signum(), signum},
          {"adopt", o::adopt(), adopt},
          {"ademamix", o::ademamix(), ademamix}};
}

void by_thalweg(benchmark::State& bench, const tw::Optimizer& optimizer) {
  const std::int64_t n = bench.range(0);
  tw::Layout layout;
  layout.entries = {{"x", {n}}};
  layout.size = layout.decayed_size = layout.trained_size = n;
  const tw::UpdateProgram update = tw::make_update(optimizer, layout);
  tw::Workers workers(static_cast<int>(bench.range(1)));
  tw::Tensor x = tw::full({n}, 0.5), g = tw::full({n}, 0.25);
  std::vector<double> scalars;
  for (const auto& scalar : update.scalars) scalars.push_back(scalar.value);
  scalars[tw::scalar_step] = 100;
  scalars[tw::scalar_inverse_weight] = share;
  scalars[tw::scalar_lr] = lr;
  auto slots = tw::initial_slots(update);
  std::vector<std::byte*> bases = {x.mutable_raw(), g.mutable_raw(), reinterpret_cast<std::byte*>(scalars.data())};
  for (auto& [name, slot] : slots) bases.push_back(slot.mutable_raw());
  const tw::Block arena(update.program->arena_bytes());
  const tw::FlushDenormals flush;
  for (auto _ : bench) update.program->run(bases, arena.data(), workers);
  bench.counters["bytes"] = static_cast<double>(update.program->bytes_moved());
}

void by_hand(benchmark::State& bench, void (*loop)(const Arrays&)) {
  const std::int64_t n = bench.range(0);
  tw::Tensor arrays[] = {tw::full({n}, 0.5), tw::full({n}, 0.25), tw::full({n}, 1e-3), tw::full({n}, 1e-3),
                         tw::full({n}, 1e-3)};
  float* p[5];
  for (int i = 0; i < 5; ++i) p[i] = reinterpret_cast<float*>(arrays[i].mutable_raw());
  const tw::FlushDenormals flush;
  for (auto _ : bench) {
    loop({p[0], p[1], p[2], p[3], p[4], n, static_cast<int>(bench.range(1))});
    benchmark::ClobberMemory();
  }
}

const bool registered = [] {
  const auto sizes = [](benchmark::internal::Benchmark* b) {
    for (std::int64_t n : {10'000'000, 16'384}) {
      for (int threads : {1, 2}) {
        if (n > 1'000'000 || threads == 1) b->Args({n, threads});
      }
    }
    b->UseRealTime()->Unit(benchmark::kMicrosecond);
  };
  for (const Row& row : rows()) {
    const std::string name = std::string("update/") + row.name;
    sizes(benchmark::RegisterBenchmark((name + "/thalweg").c_str(), by_thalweg, row.optimizer));
    sizes(benchmark::RegisterBenchmark((name + "/loop").c_str(), by_hand, row.loop));
  }
  return true;
}();

}  // namespace
