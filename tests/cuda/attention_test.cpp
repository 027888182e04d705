// Attention by cuDNN, tested on the stand-in for cuDNN, which computes the operations of a graph one after another in
// the types that the graph states.

#include <cmath>

#include "cuda/attention_graph.hpp"
#include "cuda/dnn_functions.hpp"
#include "temporary_folder.hpp"
#include "tried.hpp"

namespace thalweg {
namespace {

using cuda::AttentionGraph;
using testing::counts_of;
using testing::Environment;
using testing::open_driver;
using testing::times_asked;
using testing::Tried;
using testing::VendorCall;

/// The largest difference, relative to the largest value. Probabilities, values and cotangents of scores are rounded to
/// bf16, whose relative precision is 2^-8.
constexpr double tolerance = 1e-2;

double error(const Tensor& a, const Tensor& b) {
  double most = 0, worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(b.at(i)));
    const double difference = std::abs(a.at(i) - b.at(i));
    if (!(difference <= worst) && !std::isnan(worst)) worst = difference;
  }
  return worst / most;
}

/// A call of attention on operands stored in bf16, or of its gradient by one of the inputs.
VendorCall attention(const std::vector<Shape>& parts, bool causal, int gradient_of = -1) {
  const Shape &first = parts.front(), value{first[0], first[1], first[-2], first[-1]};
  std::vector<Shape> inputs = parts;
  std::vector<std::int64_t> ints{causal ? 1 : 0, 0};
  if (gradient_of >= 0) {
    inputs.push_back(value);
    ints.push_back(gradient_of);
  }
  const Shape& result = gradient_of < 0 ? value : parts[static_cast<std::size_t>(gradient_of)];
  VendorCall call =
      testing::vendor_call(gradient_of < 0 ? "attention" : "attention_gradient", inputs, result, ints, f32);
  call.number = 1.5 / std::sqrt(static_cast<double>(first[-1]));
  call.stored.assign(inputs.size(), Stored::bf16);
  call.result = Stored::bf16;
  return call;
}

/// The same attention, and its gradients by all inputs.
std::vector<VendorCall> all_of(const std::vector<Shape>& parts, bool causal) {
  std::vector<VendorCall> calls;
  for (int which = -1; which < static_cast<int>(parts.size()); ++which)
    calls.push_back(attention(parts, causal, which));
  return calls;
}

/// Memory layouts of queries, keys and values: packed in one tensor, keys and values in one, and three separate
/// tensors.
std::vector<std::vector<Shape>> layouts(std::int64_t batch, std::int64_t queries, std::int64_t keys, std::int64_t heads,
                                        std::int64_t width) {
  const Shape q{batch, queries, heads, width}, k{batch, keys, heads, width};
  std::vector<std::vector<Shape>> all{{q, {batch, keys, 2, heads, width}}, {q, k, k}};
  if (queries == keys) all.push_back({{batch, queries, 3, heads, width}});
  return all;
}

/// The number of launches of the library's own kernels while f runs.
template <class F>
std::int64_t launches_of(const GpuDriver& driver, const F& f) {
  const std::int64_t before = counts_of(driver).launches;
  f();
  return counts_of(driver).launches - before;
}

void expect_by_library(GpuDriver& driver, const VendorCall& call) {
  const Tried tried(call);
  const Kernel kernel = tried.kernel(driver);
  Tensor result;
  EXPECT_EQ(launches_of(driver, [&] { result = tried.there(driver, kernel); }), 0) << call.str();
  EXPECT_LE(error(result, tried.here()), tolerance) << call.str();
}

void expect_by_own_text(GpuDriver& driver, const VendorCall& call, std::size_t offset = 0) {
  const Tried tried(call);
  const Kernel kernel = tried.kernel(driver);
  Tensor result;
  EXPECT_GT(launches_of(driver, [&] { result = tried.there(driver, kernel, offset); }), 0) << call.str();
  EXPECT_LE(error(result, tried.here()), tolerance) << call.str();
}

TEST(FusedAttention, OfEveryLayoutAgreesWithTheCpu) {
  const auto driver = open_driver();
  for (const bool causal : {false, true}) {
    for (const auto& [batch, queries, keys, heads, width] :
         {std::array<std::int64_t, 5>{2, 37, 37, 3, 16}, {1, 5, 21, 2, 8}, {3, 1, 6, 1, 8}, {1, 130, 130, 2, 64}}) {
      for (const auto& parts : layouts(batch, queries, keys, heads, width))
        for (const VendorCall& call : all_of(parts, causal)) expect_by_library(*driver, call);
    }
  }
}

TEST(FusedAttention, HasTheSameBitsEachTimeAndInAGraph) {
  const auto driver = open_driver();
  for (const VendorCall& call : all_of({{2, 19, 3, 2, 16}}, true)) {
    const Tried tried(call);
    const Kernel kernel = tried.kernel(*driver);
    const Tensor once = tried.there(*driver, kernel);
    EXPECT_TRUE(same_bits(once, tried.there(*driver, kernel)));
    EXPECT_TRUE(same_bits(once, tried.there(*driver, kernel, 16)));
    EXPECT_TRUE(same_bits(once, tried.there(*driver, kernel, 0, true)));
  }
  EXPECT_EQ(counts_of(*driver).uncaptured, 0);
}

TEST(FusedAttention, OfEqualShapesIsPlannedOnce) {
  const auto driver = open_driver();
  const std::vector<Shape> packed{{2, 7, 3, 2, 8}}, longer{{2, 8, 3, 2, 8}};
  const auto asked_for = [&](const VendorCall& call) {
    const int before = times_asked();
    EXPECT_TRUE(driver->op(call.op->name, call.site()).run);
    return times_asked() - before;
  };
  EXPECT_EQ(asked_for(attention(packed, true)), 1);
  EXPECT_EQ(asked_for(attention(packed, true, 0)), 1);  // the forward pass of the gradient is planned
  for (const int which : {-1, 0}) EXPECT_EQ(asked_for(attention(packed, true, which)), 0);
  EXPECT_EQ(asked_for(attention(packed, false)), 1);
  EXPECT_EQ(asked_for(attention(longer, true)), 1);
  VendorCall scaled = attention(packed, true);
  scaled.number *= 2;  // the scale is an argument of each run, not part of the plan
  EXPECT_EQ(asked_for(scaled), 0);
  expect_by_library(*driver, scaled);
}

TEST(FusedAttention, IsRestoredFromAFile) {
  const testing::TemporaryFolder folder;
  const std::vector<VendorCall> calls = all_of({{2, 7, 3, 2, 8}}, true);
  const auto asked_for = [&](const auto& use) {
    const auto driver = open_driver(folder / "plans");
    const int before = times_asked();
    for (const VendorCall& call : calls) use(*driver, call);
    return times_asked() - before;
  };
  EXPECT_EQ(asked_for(expect_by_library), 2);
  EXPECT_EQ(asked_for(expect_by_library), 0);
  for (const auto& file : std::filesystem::directory_iterator(folder / "plans"))
    std::filesystem::resize_file(file, std::filesystem::file_size(file) - 1);
  EXPECT_EQ(asked_for(expect_by_library), 2);
}

TEST(FusedAttention, WithoutAPlanIsComputedByTheLibrarysOwnKernel) {
  const auto driver = open_driver();
  VendorCall plain = attention({{2, 9, 3, 2, 8}}, true), mixed = attention({{2, 9, 2, 8}, {2, 9, 2, 2, 8}}, true, 1);
  plain.stored.clear(), plain.result = Stored::plain;
  mixed.stored[0] = Stored::rounded;
  expect_by_own_text(*driver, plain);
  expect_by_own_text(*driver, mixed);
  for (const int which : {-1, 0}) {
    expect_by_own_text(*driver, attention({{2, 9, 3, 2, 12}}, true, which));  // unsupported width
    expect_by_own_text(*driver,
                       attention({{1, 9, 2, 8}, {1, 5, 2, 8}, {1, 5, 2, 8}}, true, which));  // some queries see no key
  }
  expect_by_own_text(*driver, attention({{3, 1, 3, 2, 8}}, false, 0));
  expect_by_library(*driver, attention({{3, 1, 3, 2, 8}}, false));
}

TEST(FusedAttention, OfUnalignedOperandsIsComputedByTheLibrarysOwnKernel) {
  const auto driver = open_driver();
  for (const VendorCall& call : all_of({{2, 9, 3, 2, 8}}, true)) {
    expect_by_own_text(*driver, call, 2);
    expect_by_library(*driver, call);
  }
}

TEST(FusedAttention, IsNotComputedByAVersionOfCudnnThatHasABug) {
  const Environment environment("THALWEG_STAND_IN_CUDNN", "91501");
  const auto driver = open_driver();
  for (const VendorCall& call : all_of({{2, 9, 3, 2, 8}}, true)) expect_by_own_text(*driver, call);
}

TEST(FusedAttention, DoesNotUseCudnnsGradientWhereItIsNotDeterministic) {
  const Environment environment("THALWEG_STAND_IN_MAJOR", "10");
  const auto driver = open_driver();
  expect_by_library(*driver, attention({{2, 9, 3, 2, 8}}, true));
  expect_by_own_text(*driver, attention({{2, 9, 3, 2, 8}}, true, 0));
}

TEST(FusedAttention, GradientIsComputedInPartsThatNeedLittleMemory) {
  const auto part_of = [](std::vector<Shape> parts) {
    const VendorCall call = attention(parts, true, 0);
    const AttentionGraph part = cuda::attention_graph(call.op->name, call.site())->part_of_gradient();
    return std::pair(part.batch, part.heads);
  };
  EXPECT_EQ(part_of({{32, 1024, 3, 12, 64}}), (std::pair<std::int64_t, std::int64_t>(8, 12)));
  EXPECT_EQ(part_of({{2, 4096, 3, 12, 64}}), (std::pair<std::int64_t, std::int64_t>(1, 6)));
  EXPECT_EQ(part_of({{7, 128, 3, 12, 64}}), (std::pair<std::int64_t, std::int64_t>(7, 12)));
  const auto driver = open_driver();
  // the second part of the last one begins at a row whose number is no multiple of 4
  for (const auto& parts :
       {std::vector<Shape>{{9000, 2, 3, 1, 8}}, {{2, 2, 9000, 8}, {2, 3, 2, 9000, 8}}, {{8193, 2, 3, 1, 8}}}) {
    for (const VendorCall& call : all_of(parts, true)) expect_by_library(*driver, call);
  }
}

}  // namespace
}  // namespace thalweg
