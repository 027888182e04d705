#include "kernels/peak.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

#include "core/index.hpp"
#include "kernels/onednn.hpp"

namespace thalweg {

double peak_operations(Workers& workers) {
  using Clock = std::chrono::steady_clock;
  constexpr std::int64_t n = 512;
  constexpr int rounds = 12;
  const std::int64_t count = workers.threads();
  const std::vector<float> a(n * n, 1), b(n * n, 1);
  std::vector<std::vector<float>> c(static_cast<std::size_t>(count), std::vector<float>(n * n));
  double fastest = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto begin = Clock::now();
    workers.run(count, [&](std::int64_t i) {
      onednn_product(false, false, n, n, n, a.data(), n, b.data(), n, at(c, i).data(), n);
    });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    fastest = std::max(fastest, 2.0 * n * n * n * static_cast<double>(count) / seconds);
  }
  return fastest;
}

}  // namespace thalweg
