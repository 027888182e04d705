// Products and convolutions by (the stand-ins for) NVIDIA's libraries: every sample of the op table against this CPU's
// kernels, in all types and with operands that are stored in bf16.

#include <atomic>
#include <cmath>
#include <thread>

#include "core/error.hpp"
#include "cuda/blas_functions.hpp"
#include "cuda/dnn_functions.hpp"
#include "opened_gpu.hpp"
#include "tried.hpp"

namespace thalweg {
namespace {

using testing::calls_of_samples;
using testing::counts_of;
using testing::open_driver;
using testing::times_asked;
using testing::Tried;
using testing::VendorCall;

constexpr std::int64_t large = 100'000;  // bytes of inputs above which a call is slow here

/// Makes all kernels before it runs the first, so that their texts are compiled together.
void expect_as_here(GpuDriver& driver, const std::vector<VendorCall>& calls) {
  std::vector<std::pair<Tried, Kernel>> tried;
  for (const VendorCall& call : calls) {
    tried.emplace_back(call, Kernel{});
    tried.back().second = tried.back().first.kernel(driver);
    ASSERT_TRUE(tried.back().second.run) << call.str();
  }
  for (const auto& [each, kernel] : tried)
    EXPECT_LE(distance(each.there(driver, kernel), each.here()), each.tolerance()) << each.name();
}

/// The call with several combinations of stored types of its operands and its result.
std::vector<VendorCall> with_all_stored(const VendorCall& call) {
  constexpr Stored plain = Stored::plain, bf16 = Stored::bf16, rounded = Stored::rounded;
  std::vector<VendorCall> all{call};
  if (call.output.dtype == f64) return all;
  const std::pair<std::vector<Stored>, Stored> ways[] = {
      {{bf16, bf16}, plain},      {{bf16, bf16}, bf16},  {{rounded, bf16}, plain},  {{bf16, rounded}, bf16},
      {{rounded, rounded}, bf16}, {{plain, bf16}, bf16}, {{rounded, plain}, plain}, {{plain, plain}, bf16}};
  for (const auto& [stored, result] : ways) {
    all.push_back(call);
    all.back().stored = stored;
    all.back().result = result;
  }
  return all;
}

class Vendor : public ::testing::TestWithParam<const char*> {};

TEST_P(Vendor, EverySampleAgreesWithTheCpu) {
  const auto driver = open_driver();
  std::vector<VendorCall> calls;
  for (const DType dtype : {f32, f64}) {
    for (const VendorCall& call : calls_of_samples(GetParam(), dtype)) {
      const bool is_large = call.inputs[0].bytes() + call.inputs[1].bytes() > large;
      for (const VendorCall& way : is_large ? std::vector{call} : with_all_stored(call)) calls.push_back(way);
    }
  }
  expect_as_here(*driver, calls);
}

TEST_P(Vendor, OperandsMayBeUnaligned) {
  const auto driver = open_driver();
  for (const DType dtype : {f32, f64}) {
    const Tried call(calls_of_samples(GetParam(), dtype)[0]);
    const Kernel kernel = call.kernel(*driver);
    const Tensor at_256 = call.there(*driver, kernel), wanted = call.here();
    EXPECT_LE(distance(at_256, wanted), call.tolerance());
    EXPECT_LE(distance(call.there(*driver, kernel, size_of(dtype)), wanted), call.tolerance());
    EXPECT_LE(distance(call.there(*driver, kernel, 16), wanted), call.tolerance());
  }
  VendorCall halves = calls_of_samples(GetParam(), f32)[0];
  halves.stored = {Stored::bf16, Stored::bf16};
  halves.result = Stored::bf16;
  const Tried call(halves);
  EXPECT_LE(distance(call.there(*driver, call.kernel(*driver), 2), call.here()), call.tolerance());
}

TEST_P(Vendor, AlgorithmsAreChosenOnlyWhenAKernelIsMade) {
  const auto driver = open_driver();
  const Tried call(calls_of_samples(GetParam(), f32)[0]);
  const int before = times_asked();
  const Kernel kernel = call.kernel(*driver);
  const int made = times_asked();
  EXPECT_GT(made, before);
  const Tensor once = call.there(*driver, kernel), again = call.there(*driver, kernel);
  EXPECT_TRUE(same_bits(once, again));
  EXPECT_TRUE(same_bits(once, call.there(*driver, kernel, 0, true)));
  EXPECT_EQ(counts_of(*driver).graphs, 1);
  EXPECT_EQ(counts_of(*driver).uncaptured, 0);
  EXPECT_EQ(times_asked(), made);
}

INSTANTIATE_TEST_SUITE_P(Ops, Vendor,
                         ::testing::Values("matmul", "convolution", "convolution_image", "convolution_filter"),
                         [](const auto& each) { return std::string(each.param); });

Kernel kernel_of(GpuDriver& driver, const VendorCall& call) { return driver.op(call.op->name, call.site()); }

VendorCall product(Shape a, Shape b, Shape y, bool ta, bool tb, DType dtype = f32) {
  return testing::vendor_call("matmul", {a, b}, y, {ta, tb}, dtype);
}

TEST(VendorProducts, OfBatchesAndOddSizes) {
  const auto driver = open_driver();
  std::vector<VendorCall> calls;
  for (const DType dtype : {f32, f64}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        for (const auto& [batch, m, n, k] : {std::array<std::int64_t, 4>{3, 5, 7, 11}, {4, 1, 9, 3}, {2, 33, 1, 40}}) {
          calls.push_back(product(ta ? Shape{batch, k, m} : Shape{batch, m, k},
                                  tb ? Shape{batch, n, k} : Shape{batch, k, n}, {batch, m, n}, ta, tb, dtype));
        }
      }
    }
  }
  expect_as_here(*driver, calls);
}

TEST(VendorProducts, WithAnEmptySumAreZero) {
  const auto driver = open_driver();
  std::vector<VendorCall> calls{product({3, 0}, {0, 4}, {3, 4}, false, false),
                                product({2, 0, 3}, {2, 0, 4}, {2, 3, 4}, true, false, f64),
                                product({0, 3}, {3, 4}, {0, 4}, false, false)};
  for (const VendorCall& call : calls) {
    const Tried tried(call);
    const Tensor result = tried.there(*driver, tried.kernel(*driver));
    EXPECT_TRUE(same_bits(result, Tensor(call.output.shape, call.output.dtype))) << call.str();
  }
}

TEST(VendorProducts, TooLargeForTheLibraryAreRefused) {
  const auto driver = open_driver();
  const std::int64_t many = std::int64_t{1} << 32;
  EXPECT_FALSE(kernel_of(*driver, product({many, 1}, {1, 2}, {many, 2}, false, false)).run);
  EXPECT_FALSE(kernel_of(*driver, product({many, 1, 1}, {many, 1, 1}, {many, 1, 1}, false, false)).run);
  EXPECT_TRUE(kernel_of(*driver, product({many >> 2, 1}, {1, 2}, {many >> 2, 2}, false, false)).run);
}

/// A call of a convolution; `ints` are strides, dilations, padding before the image, and groups.
VendorCall convolution(Shape x, Shape f, Shape y, std::vector<std::int64_t> ints, int open, DType dtype = f32) {
  const char* const names[] = {"convolution", "convolution_image", "convolution_filter"};
  const Shape& made = open == 0 ? y : open == 1 ? x : f;
  const int height = open == 2 ? 0 : 1;
  ints.insert(ints.end(), {made[height], made[height + 1]});
  return testing::vendor_call(names[open], {open == 1 ? y : x, open == 2 ? y : f}, made, std::move(ints), dtype);
}

TEST(VendorConvolutions, OfEveryGeometry) {
  const auto driver = open_driver();
  std::vector<VendorCall> calls;
  for (int open = 0; open < 3; ++open) {
    for (const DType dtype : {f32, f64}) {
      const auto add = [&](Shape x, Shape f, Shape y, std::vector<std::int64_t> ints) {
        calls.push_back(convolution(x, f, y, std::move(ints), open, dtype));
      };
      add({2, 7, 6, 3}, {4, 2, 3, 5}, {2, 7, 6, 5}, {1, 1, 1, 1, 1, 0, 1});    // padded by one more after than before
      add({2, 7, 6, 3}, {4, 2, 3, 5}, {2, 7, 6, 5}, {1, 1, 1, 1, 2, 1, 1});    // padded by one more before than after
      add({1, 11, 9, 2}, {3, 3, 2, 4}, {1, 4, 3, 4}, {3, 4, 1, 1, 1, 1, 1});   // some elements are in no window
      add({1, 12, 9, 2}, {3, 2, 2, 4}, {1, 8, 5, 4}, {1, 2, 2, 3, 0, 2, 1});   // dilated and strided
      add({2, 5, 5, 6}, {3, 3, 1, 6}, {2, 5, 5, 6}, {1, 1, 1, 1, 1, 1, 6});    // one filter per channel
      add({2, 5, 5, 6}, {3, 3, 1, 12}, {2, 3, 3, 12}, {2, 2, 1, 1, 1, 1, 6});  // two filters per channel
      add({2, 5, 5, 6}, {2, 3, 3, 4}, {2, 4, 5, 4}, {1, 1, 1, 1, 0, 1, 2});    // two groups
      add({3, 1, 1, 5}, {1, 1, 5, 70}, {3, 1, 1, 70}, {1, 1, 1, 1, 0, 0, 1});  // a matrix product
      add({1, 8, 8, 1}, {5, 5, 1, 1}, {1, 8, 8, 1}, {1, 1, 1, 1, 2, 2, 1});    // one channel
      add({1, 40, 3, 40}, {1, 1, 40, 35}, {1, 40, 3, 35},
          {1, 1, 1, 1, 0, 0, 1});  // more filter elements than a square tile
    }
  }
  expect_as_here(*driver, calls);
}

TEST(VendorConvolutions, AreMadeByOneThreadWhileAnotherRunsSome) {
  const auto driver = open_driver();
  const Tried tried(calls_of_samples("convolution", f32)[0]);
  const Tensor wanted = tried.here();
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int k = 0; k < 3; ++k) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10; ++i)
        right += distance(tried.there(*driver, tried.kernel(*driver)), wanted) <= tried.tolerance() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 30);
}

TEST(VendorConvolutions, WithAnEmptySumAreZero) {
  const auto driver = open_driver();
  const VendorCall calls[] = {convolution({0, 5, 5, 2}, {3, 3, 2, 4}, {0, 5, 5, 4}, {1, 1, 1, 1, 1, 1, 1}, 2),
                              convolution({0, 5, 5, 2}, {3, 3, 2, 4}, {0, 5, 5, 4}, {1, 1, 1, 1, 1, 1, 1}, 0),
                              convolution({2, 5, 5, 2}, {3, 3, 2, 0}, {2, 5, 5, 0}, {1, 1, 1, 1, 1, 1, 1}, 1, f64)};
  for (const VendorCall& call : calls) {
    const Tried tried(call);
    const Tensor result = tried.there(*driver, tried.kernel(*driver));
    EXPECT_TRUE(same_bits(result, Tensor(call.output.shape, call.output.dtype))) << call.str();
  }
}

TEST(VendorConvolutions, ThatTheLibraryDoesNotSupportRunOnTheHost) {
  const auto driver = open_driver();
  // no window reaches the last two rows of the image, although the stride is two
  const VendorCall whole_step = convolution({1, 7, 7, 2}, {3, 3, 2, 3}, {1, 2, 3, 3}, {2, 2, 1, 1, 0, 0, 1}, 1);
  EXPECT_FALSE(kernel_of(*driver, whole_step).run);
  const VendorCall part_of_a_step = convolution({1, 6, 7, 2}, {3, 3, 2, 3}, {1, 2, 3, 3}, {2, 2, 1, 1, 0, 0, 1}, 1);
  EXPECT_TRUE(kernel_of(*driver, part_of_a_step).run);
  const VendorCall negative = convolution({1, 7, 7, 2}, {3, 3, 2, 3}, {1, 4, 5, 3}, {1, 1, 1, 1, -1, 0, 1}, 0);
  EXPECT_FALSE(kernel_of(*driver, negative).run);
  EXPECT_FALSE(driver->op("convolution_of_another_kind", negative.site()).run);
}

TEST(VendorPrecision, F32IsRoundedToTf32OnlyWhereThatIsAllowed) {
  const auto exact = open_driver(), coarse = open_driver({}, 0, true);
  for (const char* op : {"matmul", "convolution", "convolution_image", "convolution_filter"}) {
    VendorCall call = calls_of_samples(op, f32)[0];
    const Tried f32_call(call);
    const Tensor wanted = f32_call.here();
    EXPECT_LE(distance(f32_call.there(*exact, f32_call.kernel(*exact)), wanted), 2e-6) << op;
    EXPECT_GE(distance(f32_call.there(*coarse, f32_call.kernel(*coarse)), wanted), 5e-5) << op;
    call.stored = {Stored::bf16, Stored::rounded};  // bf16 numbers are exact in TF32
    const Tried bf16_call(call);
    EXPECT_LE(distance(bf16_call.there(*coarse, bf16_call.kernel(*coarse)), bf16_call.here()), 2e-6) << op;
    const Tried f64_call(calls_of_samples(op, f64)[0]);
    EXPECT_LE(distance(f64_call.there(*coarse, f64_call.kernel(*coarse)), f64_call.here()), 1e-12) << op;
  }
}

TEST(VendorLibraries, ThatAreMissingAreNamedWithTheirPackage) {
  const auto message = [](const auto& open) -> std::string {
    try {
      open();
    } catch (const UsageError& error) {
      return error.what();
    }
    return {};
  };
  const std::string blas = message([] { const cuda::BlasFunctions functions("libnot_there.so"); });
  EXPECT_NE(blas.find("cuBLASLt 13 is not there: libnot_there.so"), std::string::npos) << blas;
  EXPECT_NE(blas.find("CUDA toolkit 13"), std::string::npos) << blas;
  const std::string dnn = message([] { const cuda::DnnFunctions functions("libnot_there.so"); });
  EXPECT_NE(dnn.find("cudnn9-cuda-13"), std::string::npos) << dnn;
}

}  // namespace
}  // namespace thalweg
