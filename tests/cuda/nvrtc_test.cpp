// NVIDIA's real compiler, if the CUDA toolkit is installed, must compile the emitted texts of tiles for three
// generations of GPUs. This needs no GPU.

#include <gtest/gtest.h>

#include "cuda/compiler.hpp"
#include "device/compiled_text.hpp"
#include "evaluate.hpp"
#include "ops/table.hpp"
#include "random_graph.hpp"
#include "sample_inputs.hpp"
#include "thalweg/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {
namespace {

constexpr std::pair<int, int> generations[] = {{8, 0}, {9, 0}, {10, 0}};  // A100, H100, B200

class Nvrtc : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::string_view(THALWEG_NVRTC).empty()) GTEST_SKIP() << "NVRTC is not installed";
  }

  /// Plans a function for a device that collects the texts of its kernels.
  void add(const Traced& f, const std::vector<Tensor>& inputs) {
    const Trace trace(f, inputs);
    (void)Program(trace.graph, trace.inputs, trace.outputs, {}, texts_);
  }

  void expect_compiles() const {
    const std::string text = texts_.text();
    for (const auto& [major, minor] : generations) {
      SCOPED_TRACE(major);
      const cuda::Compiler compiler(major, minor, {THALWEG_NVRTC});
      const std::string code = compiler.compile(text);
      EXPECT_TRUE(
          code.starts_with("\x7f"
                           "ELF"));
      for (std::size_t k = 1; k <= texts_.kernels(); ++k)
        EXPECT_NE(code.find(".text.k" + std::to_string(k)), std::string::npos) << k;
    }
  }

  CompiledText texts_;
};
using SlowNvrtc = Nvrtc;

Traced value_and_gradients(const Sample& sample) {
  return [&sample](const std::vector<Var>& x) {
    const Var y = sample.call(x);
    std::vector<Var> all{y}, floats;
    for (const Var& v : x) {
      if (is_float(v.dtype())) floats.push_back(v);
    }
    if (!is_float(y.dtype())) return all;
    for (const Var& g : gradients(sum(y * y), floats)) all.push_back(g);
    return all;
  };
}

TEST_F(Nvrtc, CompilesRowsOfTheOpTable) {
  bool wide = false;
  for (const Op* op : all_ops()) {
    if (op->kind == OpKind::leaf || op->samples.empty()) continue;
    add(value_and_gradients(op->samples.front()), inputs_of(op->samples.front(), wide ? f64 : f32));
    wide = !wide;
  }
  const Traced reduce = [](const std::vector<Var>& x) { return std::vector<Var>{sum(x[0], 1), max(x[0] * 2, 1)}; };
  add(reduce, {random_uniform({3, 10000}, -1, 1, 1)});
  add(reduce, {random_uniform({3, 10000, 3}, -1, 1, 1)});
  EXPECT_GT(texts_.kernels(), 20U);
  expect_compiles();
}

TEST_F(Nvrtc, ReportsErrorsOfTheCompiler) {
  const cuda::Compiler compiler(9, 0, {THALWEG_NVRTC});
  try {
    (void)compiler.compile(emitted_prelude() + "TW_KERNEL(32) broken(TW_ADDRESSES(1) p) { nothing(); }");
    FAIL();
  } catch (const InternalError& error) {
    EXPECT_NE(std::string_view(error.what()).find("\"nothing\" is undefined"), std::string_view::npos) << error.what();
  }
  EXPECT_THROW((void)cuda::Compiler(3, 0, {THALWEG_NVRTC}), UsageError);
}

TEST_F(SlowNvrtc, CompilesEveryRowOfTheOpTable) {
  for (const Op* op : all_ops()) {
    if (op->kind == OpKind::leaf) continue;
    for (const Sample& sample : op->samples) {
      for (const DType dtype : {f32, f64}) add(value_and_gradients(sample), inputs_of(sample, dtype));
    }
  }
  EXPECT_GT(texts_.kernels(), 200U);
  expect_compiles();
}

TEST_F(SlowNvrtc, CompilesRandomGraphs) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const std::int64_t columns = seed % 10 == 0 ? 700 : 6;
    add(random_function(seed, 5 + static_cast<int>(seed % 30), seed % 3 == 0 ? Functions::arithmetic : Functions::all),
        inputs_of(seed % 2 == 0 ? f32 : f64, seed, 3 + static_cast<std::int64_t>(seed % 3), columns));
  }
  EXPECT_GT(texts_.kernels(), 500U);
  expect_compiles();
}

}  // namespace
}  // namespace thalweg
