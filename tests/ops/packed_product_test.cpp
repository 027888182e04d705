// Products of large matrices against sums in f64, for sizes at and beyond the edges of panels, tiles and packed blocks.

#include "kernels/packed_product.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <vector>

#include "evaluate.hpp"
#include "kernels/matmul.hpp"
#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

struct Case {
  std::int64_t m, n, k;
  bool transpose_a, transpose_b;
};

std::vector<float> numbers(std::int64_t count, std::uint64_t seed) {
  const Tensor drawn = random_normal({count}, seed);
  const auto* first = reinterpret_cast<const float*>(drawn.raw());
  return {first, first + count};
}

class PackedProducts : public testing::TestWithParam<Case> {
 protected:
  const Case size = GetParam();
  const std::vector<float> a = numbers(size.m * size.k, 1), b = numbers(size.k * size.n, 2);

  /// Computes C, and checks that nothing is written beyond its end.
  [[nodiscard]] std::vector<float> product(int threads) const {
    constexpr float beyond = 1234;
    std::vector<float> c(static_cast<std::size_t>(size.m * size.n) + 64, beyond);
    const PackedProduct p = {.m = size.m,
                             .n = size.n,
                             .k = size.k,
                             .a = a.data(),
                             .a_row = size.transpose_a ? 1 : size.k,
                             .a_depth = size.transpose_a ? size.m : 1,
                             .b = b.data(),
                             .b_depth = size.transpose_b ? 1 : size.n,
                             .b_column = size.transpose_b ? size.k : 1,
                             .c = c.data()};
    Tensor panels({static_cast<std::int64_t>(panel_bytes(size.m, size.n, size.k) / sizeof(float))});
    Workers workers(threads);
    packed_product(p, reinterpret_cast<float*>(panels.mutable_raw()), workers);
    EXPECT_TRUE(std::all_of(c.end() - 64, c.end(), [](float x) { return x == beyond; }));
    c.resize(c.size() - 64);
    return c;
  }
};

TEST_P(PackedProducts, AgreeWithPlainSumsInF64) {
  const std::vector<float> c = product(2);
  const auto [m, n, k, ta, tb] = size;
  const std::int64_t step =
      std::max<std::int64_t>(1, m * n / 5000) | 1;  // of a large product only some elements are checked
  for (std::int64_t place = 0; place < m * n; place += step) {
    const std::int64_t i = place / n, j = place % n;
    double sum = 0, scale = 0;
    for (std::int64_t q = 0; q < k; ++q) {
      const double term = static_cast<double>(a[static_cast<std::size_t>(ta ? q * m + i : i * k + q)]) *
                          static_cast<double>(b[static_cast<std::size_t>(tb ? j * k + q : q * n + j)]);
      sum += term, scale += std::abs(term);
    }
    ASSERT_NEAR(c[static_cast<std::size_t>(place)], sum, 1e-6 * scale + 1e-12) << i << ", " << j;
  }
}

TEST_P(PackedProducts, HaveTheSameBitsWithAnyNumberOfThreads) {
  const std::vector<float> alone = product(1);
  for (const int threads : {2, 3, 8}) EXPECT_EQ(alone, product(threads)) << threads;
}

INSTANTIATE_TEST_SUITE_P(Sizes, PackedProducts,
                         testing::Values(Case{1, 1, 1, false, false}, Case{5, 17, 3, false, true},
                                         Case{6, 16, 256, true, false}, Case{14, 32, 257, true, true},
                                         Case{83, 255, 511, false, false}, Case{85, 257, 513, true, false},
                                         Case{337, 64, 100, false, true}, Case{300, 300, 300, true, true},
                                         Case{2017, 33, 40, false, false}, Case{40, 2081, 300, false, true},
                                         Case{2100, 2100, 20, true, false}),
                         [](const auto& one) {
                           const Case& c = one.param;
                           return std::to_string(c.m) + "x" + std::to_string(c.n) + "x" + std::to_string(c.k) +
                                  (c.transpose_a ? "T" : "N") + (c.transpose_b ? "T" : "N");
                         });

/// Tests the op matmul, which passes the row strides. The expected f64 product is computed by another library.
TEST(LargeMatmul, AgreesWithF64) {
  for (const bool transpose_a : {false, true}) {
    for (const bool transpose_b : {false, true}) {
      for (const std::int64_t batch : {1, 2}) {
        const std::int64_t m = 512, n = 512, k = 100;
        const Tensor a = random_normal(transpose_a ? Shape{batch, k, m} : Shape{batch, m, k}, 1),
                     b = random_normal(transpose_b ? Shape{batch, n, k} : Shape{batch, k, n}, 2);
        const Traced product = [&](const std::vector<Var>& x) {
          return std::vector<Var>{matmul(x[0], x[1], transpose_a, transpose_b)};
        };
        const Tensor got = evaluate(product, {a, b})[0], wanted = evaluate(product, {a.to(f64), b.to(f64)})[0];
        for (std::int64_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got.at(i), wanted.at(i), 1e-4) << i;
      }
    }
  }
}

/// A few rows times the rows of a large matrix, which are not copied.
TEST(FewRows, AgreeWithF64AndHaveTheSameBitsWithAnyNumberOfThreads) {
  for (const auto& [m, n, k] : {std::tuple{12, 1100, 129}, std::tuple{17, 2051, 64}, std::tuple{64, 300, 1000}}) {
    const Tensor a = random_normal({m, k}, 1), b = random_normal({n, k}, 2);
    const Traced product = [](const std::vector<Var>& x) { return std::vector<Var>{matmul(x[0], x[1], false, true)}; };
    const Tensor wanted = evaluate(product, {a.to(f64), b.to(f64)})[0];
    const Signature in[] = {{a.shape(), f32}, {b.shape(), f32}};
    const std::int64_t transposed[] = {0, 1};
    const Kernel kernel = make_matmul({.inputs = in, .output = {{m, n}, f32}, .ints = transposed});
    const auto computed = [&](int threads) {
      Tensor c({m, n}, f32), scratch({static_cast<std::int64_t>(kernel.scratch / sizeof(float)) + 1}, f32);
      const std::byte* const from[] = {a.raw(), b.raw()};
      std::byte* const to[] = {c.mutable_raw()};
      Workers workers(threads);
      kernel.run({to, from, scratch.mutable_raw(), workers});
      return c;
    };
    const Tensor alone = computed(1);
    for (std::int64_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(alone.at(i), wanted.at(i), 3e-4) << i;
    for (const int threads : {2, 3})
      EXPECT_EQ(std::memcmp(alone.raw(), computed(threads).raw(), alone.bytes()), 0) << threads;
  }
}

}  // namespace
}  // namespace thalweg
