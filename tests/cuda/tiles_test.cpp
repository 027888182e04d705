// Programs whose tiles and copies run as texts on the (simulated) GPU, and whose other ops run on the host. Arithmetic
// gives the bits of this CPU; functions such as exp come from another library and may differ slightly.

#include <fmt/format.h>

#include "evaluate.hpp"
#include "opened_gpu.hpp"
#include "ops/table.hpp"
#include "random_graph.hpp"
#include "sample_inputs.hpp"
#include "temporary_folder.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

using testing::counts_of;
using testing::open_driver;

/// A GPU with kernels only for tiles and copies: all other ops run on the host.
class GpuOfTexts final : public Device {
 public:
  explicit GpuOfTexts(GpuDriver& driver) : driver_(driver) {}

  [[nodiscard]] bool is_here() const override { return false; }
  [[nodiscard]] std::size_t alignment() const override { return 256; }
  [[nodiscard]] std::byte* allocate(std::size_t bytes, std::string_view) override { return driver_.allocate(bytes); }
  void release(std::byte* there) override { driver_.release(there); }
  void write(std::byte* there, const std::byte* here, std::size_t bytes) override { driver_.write(there, here, bytes); }
  void copy_there(std::byte* to, const std::byte* from, std::size_t bytes) override {
    driver_.copy_there(to, from, bytes);
  }
  [[nodiscard]] Mark read(std::byte* here, const std::byte* there, std::size_t bytes) override {
    return driver_.read(here, there, bytes);
  }
  void wait(Mark mark) override { driver_.wait(mark); }
  [[nodiscard]] Kernel tiles(const TileProgram& program) override { return driver_.tiles(program); }
  [[nodiscard]] Kernel copy(const View& view, DType dtype) override { return driver_.copy(view, dtype); }
  [[nodiscard]] Kernel op(const OpKernel& op, const KernelSite& site) override {
    std::vector<std::size_t> inputs;
    for (const Signature& input : site.inputs) inputs.push_back(input.bytes());
    ++host_kernels;
    return driver_.here(Device::op(op, site), inputs, site.output.bytes());
  }
  [[nodiscard]] std::function<void()> record(std::vector<std::function<void()>> calls) override {
    return driver_.record(std::move(calls));
  }

  int host_kernels = 0;

 private:
  GpuDriver& driver_;
};

/// A traced function, planned for this CPU and for the GPU.
class Pair {
 public:
  Pair(std::string name, const Traced& f, std::vector<Tensor> inputs, GpuOfTexts& gpu)
      : name_(std::move(name)),
        inputs_(std::move(inputs)),
        trace_(f, inputs_),
        there_(trace_.graph, trace_.inputs, trace_.outputs, {}, gpu) {}

  /// Runs it on the CPU, on the GPU call by call, and twice on the GPU as a recorded graph.
  void expect_same(double f32_tolerance) {
    const FlushDenormals flush;  // as in training; the texts are compiled in this way
    const std::vector<Tensor> wanted = trace_.run(inputs_);
    std::vector<Block> there;
    std::vector<std::byte*> bases;
    Device& device = *there_.far();
    const auto add = [&](const Tensor& x) { bases.push_back(there.emplace_back(x.bytes() + 1, &device).data()); };
    for (const Tensor& x : inputs_) {
      add(x);
      if (x.bytes() > 0) device.write(bases.back(), x.raw(), x.bytes());
    }
    for (const Tensor& y : wanted) add(y);
    const Block arena(there_.arena_bytes() + 1, &device);
    Workers alone(1);
    Program::Calls calls;
    for (int run = 0; run < 3; ++run) {
      SCOPED_TRACE(fmt::format("{}, run {}", name_, run));
      there_.run(bases, arena.data(), alone, calls);
      for (std::size_t i = 0; i < wanted.size(); ++i)
        compare(device, wanted[i], bases[inputs_.size() + i], f32_tolerance);
    }
  }

  /// Whether the graph contains an op that is not arithmetic.
  [[nodiscard]] bool has_functions() const {
    for (int i = 0; i < trace_.graph.size(); ++i) {
      const OpKernel* kernel = trace_.graph.node(i).op->kernel;
      const MicroOp* micro = kernel == nullptr ? nullptr : find_micro_op(kernel->micro);
      if (micro != nullptr && !micro->is_arithmetic()) return true;
    }
    return false;
  }

 private:
  void compare(Device& device, const Tensor& wanted, const std::byte* there, double f32_tolerance) const {
    Tensor got(wanted.shape(), wanted.dtype());
    device.fetch(got.mutable_raw(), there, got.bytes());
    if (!has_functions()) {
      EXPECT_TRUE(same_bits(got, wanted)) << distance(got, wanted);
    } else {
      EXPECT_LE(distance(got, wanted), wanted.dtype() == f64 ? 1e-9 * f32_tolerance : f32_tolerance);
    }
  }

  std::string name_;
  std::vector<Tensor> inputs_;
  Trace trace_;
  Program there_;
};

TEST(TilesOnTheGpu, OfEveryRowOfTheOpTableAgreeWithTheCpu) {
  const auto driver = open_driver();
  GpuOfTexts gpu(*driver);
  std::vector<std::unique_ptr<Pair>> pairs;
  for (const Op* op : all_ops()) {
    if (op->kind == OpKind::leaf) continue;
    for (const Sample& sample : op->samples) {
      const Traced call = [&sample](const std::vector<Var>& x) {
        const Var y = sample.call(x);
        std::vector<Var> all{y}, floats;
        for (const Var& v : x) {
          if (is_float(v.dtype())) floats.push_back(v);
        }
        if (!is_float(y.dtype())) return all;
        for (const Var& g : gradients(sum(y * y), floats)) all.push_back(g);
        return all;
      };
      for (const DType dtype : {f32, f64})
        pairs.push_back(std::make_unique<Pair>(std::string(op->name), call, inputs_of(sample, dtype), gpu));
    }
  }
  for (const auto& pair : pairs) pair->expect_same(2e-5);
  const cuda::Counts counts = counts_of(*driver);
  EXPECT_EQ(counts.compiled, 1);
  EXPECT_EQ(counts.graphs, static_cast<int>(pairs.size()));
  EXPECT_EQ(counts.uncaptured, 0);
  EXPECT_GT(gpu.host_kernels, 100);
}

TEST(TilesOnTheGpu, OfRandomGraphsAgreeWithTheCpu) {
  const auto driver = open_driver();
  GpuOfTexts gpu(*driver);
  std::vector<std::unique_ptr<Pair>> pairs;
  int exact = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const DType dtype = seed % 2 == 0 ? f32 : f64;
    const std::int64_t columns = seed % 10 == 0 ? 700 : 6;
    const Functions functions = seed % 3 == 0 ? Functions::arithmetic : Functions::all;
    pairs.push_back(std::make_unique<Pair>(
        "seed " + std::to_string(seed), random_function(seed, 5 + static_cast<int>(seed % 30), functions),
        inputs_of(dtype, seed, 3 + static_cast<std::int64_t>(seed % 3), columns), gpu));
    exact += pairs.back()->has_functions() ? 0 : 1;
  }
  for (const auto& pair : pairs) pair->expect_same(2e-5);
  EXPECT_GE(exact, 15);
}

/// Rows and columns of several blocks, whose sums a second launch adds.
TEST(TilesOnTheGpu, ReductionsRoundAsTheTilesDo) {
  const auto driver = open_driver();
  GpuOfTexts gpu(*driver);
  std::vector<std::unique_ptr<Pair>> pairs;
  const Traced reduce = [](const std::vector<Var>& x) {
    const Var y = x[0] * 0.5 - 0.125;
    return std::vector<Var>{sum(y, 1), sum(square(y), 1), max(y, 1), min(x[0], 1), y};
  };
  for (const DType dtype : {f32, f64}) {
    for (const std::int64_t n : {1, 17, 257, 4097, 10000}) {
      for (const std::int64_t inner : {1, 3}) {
        pairs.push_back(std::make_unique<Pair>(fmt::format("{} x {}", n, inner), reduce,
                                               std::vector{random_uniform({3, n, inner}, -1, 1, 5, f64).to(dtype)},
                                               gpu));
      }
    }
  }
  for (const auto& pair : pairs) pair->expect_same(0);
}

}  // namespace
}  // namespace thalweg
