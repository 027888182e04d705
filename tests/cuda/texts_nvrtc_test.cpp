// NVIDIA's real compiler must compile the texts of ops, for common GPUs. Skipped if it is not installed.

#include <gtest/gtest.h>
#include <nvrtc.h>

#include <memory>
#include <set>

#include "../device/compiled_text.hpp"
#include "cases.hpp"
#include "cuda/library.hpp"

namespace thalweg {
namespace {

using testing::Case;

#define FUNCTIONS(each)                                                                                 \
  each(nvrtcCreateProgram) each(nvrtcCompileProgram) each(nvrtcDestroyProgram) each(nvrtcGetProgramLog) \
      each(nvrtcGetProgramLogSize) each(nvrtcGetCUBINSize)
class Nvrtc {
 public:
  Nvrtc(){FUNCTIONS(THALWEG_FIND)} FUNCTIONS(THALWEG_MEMBER)

      private : cuda::Library library{
                    "NVRTC",
                    "the CUDA toolkit",
                    {"/usr/local/cuda/lib64/libnvrtc.so.13", "/usr/local/cuda/lib/libnvrtc.so.13", "libnvrtc.so.13"}};
};
#undef FUNCTIONS

/// The compiler, or null if it is not installed.
std::unique_ptr<const Nvrtc> nvrtc() {
  try {
    return std::make_unique<const Nvrtc>();
  } catch (const UsageError&) {
    return nullptr;
  }
}

/// Expects that the compiler accepts all texts as one module without a warning.
void expect_compiles(const Nvrtc& nvrtc, const CompiledText& texts, const std::string& gpu) {
  nvrtcProgram program = nullptr;
  ASSERT_EQ(nvrtc.nvrtcCreateProgram(&program, texts.text().c_str(), "texts.cu", 0, nullptr, nullptr), NVRTC_SUCCESS);
  const std::string architecture = "--gpu-architecture=" + gpu;
  // 177 is about unused functions: a module contains all functions of the prelude, and no text uses all of them
  const char* options[] = {architecture.c_str(), "--std=c++17", "--fmad=false", "--diag-suppress=177"};
  EXPECT_EQ(nvrtc.nvrtcCompileProgram(program, 4, options), NVRTC_SUCCESS);
  std::size_t size = 0;
  EXPECT_EQ(nvrtc.nvrtcGetProgramLogSize(program, &size), NVRTC_SUCCESS);
  std::string log(size, '\0');
  EXPECT_EQ(nvrtc.nvrtcGetProgramLog(program, log.data()), NVRTC_SUCCESS);
  EXPECT_EQ(std::string(log.c_str()), "") << gpu;
  EXPECT_EQ(nvrtc.nvrtcGetCUBINSize(program, &size), NVRTC_SUCCESS);
  EXPECT_GT(size, 0U);
  EXPECT_EQ(nvrtc.nvrtcDestroyProgram(&program), NVRTC_SUCCESS);
}

/// Collects the first case of each op, or of the ops named; f32 cases also with values stored in bf16.
void collect_one_of_each_op(CompiledText& texts, DType dtype, const std::set<std::string>& ops = {}) {
  std::set<std::string> seen;
  for (Case c : testing::all_cases(dtype)) {
    const auto text = c.text();
    if (!ops.empty() && !ops.contains(c.op)) continue;
    if (!text || text->launches.empty() || !seen.insert(c.op).second) continue;
    (void)texts.kernel_of(*text);
    if (dtype != f32 || c.op == "uniform") continue;
    for (const Tensor& x : c.inputs) c.stored.push_back(x.dtype() == f32 ? Stored::bf16 : Stored::plain);
    if (c.output.dtype == f32) c.result = Stored::bf16;
    (void)texts.kernel_of(*c.text());
  }
}

TEST(NvrtcTexts, OneOfEachOpCompiles) {
  const auto compiler = nvrtc();
  if (!compiler) GTEST_SKIP() << "NVRTC is not installed";
  CompiledText texts;
  collect_one_of_each_op(texts, f32);
  (void)texts.kernel_of(cuda::text_of_rows(784, 64));
  expect_compiles(*compiler, texts, "sm_90");
  CompiledText some;
  collect_one_of_each_op(some, f32, {"attention", "logsumexp", "scatter_add", "standardise"});
  for (const std::string gpu : {"sm_80", "sm_100"}) expect_compiles(*compiler, some, gpu);
}

TEST(SlowNvrtcTexts, AllCompileForThreeGenerations) {
  const auto compiler = nvrtc();
  if (!compiler) GTEST_SKIP() << "NVRTC is not installed";
  CompiledText texts;
  for (const DType dtype : {f32, f64}) {
    collect_one_of_each_op(texts, dtype);
    for (const Case& c : testing::all_cases(dtype)) (void)texts.kernel_of(*c.text());
  }
  for (const std::size_t bytes : {1, 2, 4, 8, 16}) (void)texts.kernel_of(cuda::text_of_rows(bytes, 100));
  for (const std::string gpu : {"sm_80", "sm_90", "sm_100"}) expect_compiles(*compiler, texts, gpu);
}

}  // namespace
}  // namespace thalweg
