// Winograd's method against plain sums in f64: tiles that extend beyond the image, padding on each side, blocks of
// tiles that are not full, and channels of several panels.

#include "kernels/winograd.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "thalweg/thalweg.hpp"

namespace thalweg {
namespace {

using Result = ConvolutionResult;
constexpr Result results[] = {Result::value, Result::image, Result::filter};

struct Case {
  std::int64_t batch, height, width, in, out;
  std::int64_t above = 1, left = 1, below = 1, right = 1;  // zeros around the image
};

ConvolutionShape shape_of(const Case& c) {
  const auto axis = [](std::int64_t size, std::int64_t before, std::int64_t after) {
    return ConvolutionShape::Axis{size, 3, size + before + after - 2, 1, 1, before};
  };
  return {c.batch, axis(c.height, c.above, c.below), axis(c.width, c.left, c.right), c.in, c.out, 1};
}

class WinogradConvolutions : public testing::TestWithParam<Case> {
 protected:
  const ConvolutionShape s = shape_of(GetParam());
  const Shape x{s.batch, s.height.in, s.width.in, s.in}, f{3, 3, s.in, s.out},
      y{s.batch, s.height.out, s.width.out, s.out};

  [[nodiscard]] const Shape& shape(Result result) const {
    return result == Result::value ? y : result == Result::image ? x : f;
  }
  [[nodiscard]] std::vector<Tensor> operands(Result result, DType dtype) const {
    const Tensor first = random_normal(result == Result::image ? y : x, 1),
                 second = random_normal(result == Result::filter ? y : f, 2);
    return {first.to(dtype), second.to(dtype)};
  }

  /// Runs a kernel, and checks that it writes nothing beyond its result.
  static Tensor run(const Kernel& kernel, const std::vector<Tensor>& from, const Shape& made, int threads) {
    constexpr std::int64_t beyond = 64;
    Tensor to = full({made.size() + beyond}, 1234, from[0].dtype());
    Tensor scratch = full({static_cast<std::int64_t>(kernel.scratch / sizeof(float)) + 1}, std::nan(""));
    const std::byte* const in[] = {from[0].raw(), from[1].raw()};
    std::byte* const out[] = {to.mutable_raw()};
    Workers workers(threads);
    kernel.run({out, in, scratch.mutable_raw(), workers});
    for (std::int64_t i = made.size(); i < to.size(); ++i) EXPECT_EQ(to.at(i), 1234) << i - made.size();
    return to;
  }

  [[nodiscard]] Tensor computed(Result result, int threads) const {
    return run(winograd_kernel(result, s), operands(result, f32), shape(result), threads);
  }
  [[nodiscard]] Tensor by_plain_sums(Result result) const {
    const std::vector<Tensor> from = operands(result, f64);
    const Signature in[] = {{from[0].shape(), f64}, {from[1].shape(), f64}};
    const std::int64_t ints[] = {1, 1, 1, 1, s.height.before, s.width.before, 1, 0, 0};
    const KernelSite site{.inputs = in, .output = {shape(result), f64}, .ints = ints};
    const auto make = result == Result::value   ? make_convolution
                      : result == Result::image ? make_convolution_image
                                                : make_convolution_filter;
    return run(make(site), from, shape(result), 2);
  }
};

/// The bound of winograd.hpp: a part of the results' root mean square.
TEST_P(WinogradConvolutions, AgreeWithPlainSumsInF64) {
  for (const Result result : results) {
    const Tensor got = computed(result, 2), wanted = by_plain_sums(result);
    const std::int64_t size = shape(result).size();
    double squares = 0, largest = 0;
    for (std::int64_t i = 0; i < size; ++i) {
      const double error = std::abs(got.at(i) - wanted.at(i));
      ASSERT_FALSE(std::isnan(error)) << i;
      squares += wanted.at(i) * wanted.at(i);
      largest = std::max(largest, error);
    }
    EXPECT_LE(largest, 1.5e-5 * std::sqrt(squares / static_cast<double>(size))) << static_cast<int>(result);
  }
}

TEST_P(WinogradConvolutions, HaveTheSameBitsWithAnyNumberOfThreads) {
  for (const Result result : results) {
    const Tensor alone = computed(result, 1);
    for (const int threads : {2, 3, 8})
      EXPECT_EQ(std::memcmp(alone.raw(), computed(result, threads).raw(), alone.bytes()), 0) << threads;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WinogradConvolutions,
                         testing::Values(Case{1, 4, 4, 32, 32}, Case{3, 14, 14, 32, 64}, Case{5, 7, 7, 96, 128},
                                         Case{2, 9, 14, 64, 32, 0, 2, 2, 1}, Case{1, 30, 5, 32, 32, 2, 0, 0, 0},
                                         Case{1, 3, 3, 32, 32, 0, 0, 0, 0}, Case{2, 13, 10, 32, 96, 1, 1, 2, 0},
                                         Case{16, 14, 14, 64, 32}, Case{3, 14, 14, 16, 16}, Case{3, 13, 15, 48, 80}),
                         [](const auto& one) {
                           const Case& c = one.param;
                           return std::to_string(c.batch) + "of" + std::to_string(c.height) + "x" +
                                  std::to_string(c.width) + "from" + std::to_string(c.in) + "to" +
                                  std::to_string(c.out);
                         });

TEST(Winograd, IsChosenByTheShapeAlone) {
  struct Row {
    Case shape;
    bool pays;
  };
  const Row rows[] = {
      {{16, 14, 14, 32, 64}, true},
      {{1, 28, 28, 32, 32}, true},
      {{1, 14, 14, 64, 64}, false},               // few tiles
      {{64, 28, 28, 1, 32}, false},               // few channels
      {{64, 14, 14, 40, 64}, false},              // a part of a vector
      {{64, 5, 5, 64, 64}, false},                // tiles that are mostly outside
      {{64, 14, 14, 512, 512}, false},            // large transformed filters
      {{16, 14, 14, 64, 64, 3, 1, 1, 1}, false},  // padding beyond the filter
  };
  for (const Row& row : rows) {
    for (const Result result : results)
      EXPECT_EQ(winograd_pays(result, shape_of(row.shape)), row.pays) << row.shape.height << ", " << row.shape.in;
  }
  ConvolutionShape s = shape_of({16, 14, 14, 64, 64});
  s.height.stride = 2;
  EXPECT_FALSE(winograd_pays(Result::value, s));
  s = shape_of({16, 14, 14, 64, 64});
  s.groups = 2;
  EXPECT_FALSE(winograd_pays(Result::value, s));
}

}  // namespace
}  // namespace thalweg
