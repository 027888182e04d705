// Tests with NVIDIA's real libraries, if they are installed, that need no GPU: they have every function that is called,
// cuDNN has plans for the convolutions of the op table on a GPU that is described to it, and NVRTC compiles the texts
// that convert and align operands for them.

#include <cstdio>
#include <filesystem>

#include "cuda/attention_graph.hpp"
#include "cuda/blas_functions.hpp"
#include "cuda/compiler.hpp"
#include "cuda/convolution_graph.hpp"
#include "opened_gpu.hpp"
#include "vendor_calls.hpp"

namespace thalweg {
namespace {

using cuda::Descriptor;
using cuda::DnnPlan;
using cuda::Element;
using cuda::Types;
using testing::calls_of_samples;
using testing::VendorCall;

/// Expects that f returns true in a process of its own, which does not find the stand-ins.
template <class F>
void expect_in_own_process(const F& holds) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const char* const path = std::getenv("LD_LIBRARY_PATH");
  const std::string before = path == nullptr ? "" : path;
  unsetenv("LD_LIBRARY_PATH");
  EXPECT_EXIT(
      {
        try {
          std::exit(holds() ? 0 : 1);
        } catch (const std::exception& error) {
          std::fprintf(stderr, "%s\n", error.what());
          std::exit(2);
        }
      },
      ::testing::ExitedWithCode(0), "");
  if (path != nullptr) setenv("LD_LIBRARY_PATH", before.c_str(), 1);
}

/// A description of a GPU in cuDNN's format.
constexpr std::string_view h200 =
    R"({"maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"regsPerBlock":65536,
"multiProcessorCount":132,"warpSize":32,"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":232448,
"reservedSharedMemoryPerBlock":1024,"maxRegistersPerSM":65536,"maxCtasPerSM":32,"maxThreadsPerBlock":1024,
"maxThreadsPerSM":2048,"pciDeviceId":0,"isTccDriver":0,"supportCoopLaunch":1,"totalGlobalMem":150000000000,
"smClockRateKHz":1980000,"memClockRateKHz":3201000,"l2CacheSize":62914560,"cudaDeviceId":0,"deviceVer":900,
"driverVer":13000,"deviceName":"NVIDIA H200"})";

Descriptor described(const cuda::DnnFunctions& functions) {
  Descriptor gpu(functions, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
  gpu.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR, std::span<const char>(h200));
  gpu.expect_finish();
  return gpu;
}

bool is_planned(const cuda::PlanTarget& target, const VendorCall& call, const Types& types, std::int64_t alignment) {
  auto graph = cuda::convolution_graph(call.op->name, call.site());
  graph->types = types;
  graph->tf32 = types.exact_in_tf32;
  if (plan_of(target, *graph, alignment)) return true;
  std::fprintf(stderr, "no plan for %s, elements of %zu bytes at %ld\n", call.str().c_str(), bytes_of(types.inputs),
               static_cast<long>(alignment));
  return false;
}

TEST(RealCublasLt, HasEveryFunction) {
  if (std::string_view(THALWEG_CUBLASLT).empty()) GTEST_SKIP() << "cuBLASLt is not installed";
  expect_in_own_process([] {
    const cuda::BlasFunctions functions(THALWEG_CUBLASLT);
    return functions.cublasLtGetVersion() >= 130000;
  });
}

TEST(RealCublasLt, AcceptsTheAttributesOfAProduct) {
  if (std::string_view(THALWEG_CUBLASLT).empty()) GTEST_SKIP() << "cuBLASLt is not installed";
  expect_in_own_process([] {
    const cuda::BlasFunctions f(THALWEG_CUBLASLT);
    const auto number = [](auto value) { return std::pair(value, sizeof value); };
    cublasLtMatmulDesc_t operation = nullptr;
    cublasLtMatrixLayout_t matrix = nullptr;
    cublasLtMatmulPreference_t wishes = nullptr;
    THALWEG_BLAS(f, cublasLtMatmulDescCreate, &operation, CUBLAS_COMPUTE_32F_FAST_TF32, CUDA_R_32F);
    THALWEG_BLAS(f, cublasLtMatrixLayoutCreate, &matrix, CUDA_R_16BF, 5, 7, 5);
    THALWEG_BLAS(f, cublasLtMatmulPreferenceCreate, &wishes);
    const auto [transposed, transposed_bytes] = number(std::int32_t{CUBLAS_OP_T});
    for (const auto attribute : {CUBLASLT_MATMUL_DESC_TRANSA, CUBLASLT_MATMUL_DESC_TRANSB})
      THALWEG_BLAS(f, cublasLtMatmulDescSetAttribute, operation, attribute, &transposed, transposed_bytes);
    const auto [batch, batch_bytes] = number(std::int32_t{3});
    const auto [stride, stride_bytes] = number(std::int64_t{35});
    THALWEG_BLAS(f, cublasLtMatrixLayoutSetAttribute, matrix, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch, batch_bytes);
    THALWEG_BLAS(f, cublasLtMatrixLayoutSetAttribute, matrix, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride,
                 stride_bytes);
    const auto [bytes, bytes_bytes] = number(std::uint64_t{1} << 20);
    THALWEG_BLAS(f, cublasLtMatmulPreferenceSetAttribute, wishes, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes,
                 bytes_bytes);
    const auto [small, small_bytes] = number(std::uint32_t{2});
    for (const auto attribute : {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
                                 CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
                                 CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      THALWEG_BLAS(f, cublasLtMatmulPreferenceSetAttribute, wishes, attribute, &small, small_bytes);
    f.cublasLtMatmulDescDestroy(operation);
    f.cublasLtMatrixLayoutDestroy(matrix);
    f.cublasLtMatmulPreferenceDestroy(wishes);
    return true;
  });
}

TEST(RealNvrtc, CompilesTheTextsThatPrepareOperands) {
  if (std::string_view(THALWEG_NVRTC).empty()) GTEST_SKIP() << "NVRTC is not installed";
  expect_in_own_process([] {
    if (dlopen(THALWEG_NVRTC, RTLD_NOW | RTLD_LOCAL) == nullptr) return false;
    std::string all = emitted_prelude();
    int count = 0;
    const auto add = [&](const EmittedKernel& kernel) {
      const std::string number = std::to_string(count++);
      std::string text = kernel.text;
      for (std::size_t at = 0; (at = text.find(text_name)) != std::string::npos;)
        text.replace(at, std::string_view(text_name).size(), "k" + number);
      all += text;
    };
    const cuda::Operand ways[] = {{.lies = Element::f32, .wanted = Element::bf16},
                                  {.lies = Element::bf16, .wanted = Element::f32},
                                  {.lies = Element::f32, .wanted = Element::f32, .rounded = true},
                                  {.lies = Element::f64, .wanted = Element::f64}};
    for (cuda::Operand operand : ways) {
      operand.rows = 70, operand.columns = 33;
      for (const bool turned : {false, true}) {
        operand.turned = turned;
        for (const bool back : {false, true}) add(cuda::text_of_passage(operand, back));
      }
    }
    for (const Element element : {Element::f32, Element::f64, Element::bf16}) add(cuda::text_of_zeros(element, 1000));
    const std::string code = cuda::Compiler(9, 0).compile(all);
    return code.find("k" + std::to_string(count - 1)) != std::string::npos;
  });
}

TEST(RealCudnn, DoesNotThrowForSizesThatAreTooLarge) {
  if (std::string_view(THALWEG_CUDNN).empty()) GTEST_SKIP() << "cuDNN is not installed";
  expect_in_own_process([] {
    const cuda::DnnFunctions functions(THALWEG_CUDNN);
    const Descriptor gpu = described(functions);
    VendorCall call = calls_of_samples("convolution", f32)[0];
    call.inputs[0].shape.set(0, std::int64_t{1} << 33);
    call.output.shape.set(0, std::int64_t{1} << 33);
    is_planned({functions, nullptr, gpu.get()}, call, {Element::f32, Element::f32}, 16);
    return true;  // the call did not throw
  });
}

TEST(RealCudnn, HasAPlanForEverySampleOfTheOpTable) {
  if (std::string_view(THALWEG_CUDNN).empty()) GTEST_SKIP() << "cuDNN is not installed";
  expect_in_own_process([] {
    const cuda::DnnFunctions functions(THALWEG_CUDNN);
    const Descriptor gpu = described(functions);
    const cuda::PlanTarget target{functions, nullptr, gpu.get()};
    int missing = 0, planned = 0;
    for (const char* op : {"convolution", "convolution_image", "convolution_filter"}) {
      for (const VendorCall& call : calls_of_samples(op, f32)) {
        for (const Types& types : {Types{Element::f32, Element::f32}, Types{Element::f32, Element::f32, true},
                                   Types{Element::f64, Element::f64}, Types{Element::bf16, Element::bf16}}) {
          for (const std::int64_t alignment : {1, 16}) {
            ++planned;
            missing += is_planned(target, call, types, alignment) ? 0 : 1;
          }
        }
      }
    }
    return missing == 0 && planned > 100;
  });
}

/// Attention of a packed (batch, time, 3, heads, width), or of separate tensors if queries and keys differ in length.
cuda::AttentionGraph attention(std::int64_t batch, std::int64_t queries, std::int64_t keys, std::int64_t heads,
                               std::int64_t width, bool causal) {
  const std::int64_t row = heads * width, parts = queries == keys ? 3 : 1;
  const auto steps = [&](std::int64_t time) { return cuda::AttentionGraph::Steps{parts * row, time * parts * row}; };
  return {.causal = causal,
          .batch = batch,
          .heads = heads,
          .queries = queries,
          .keys = keys,
          .width = width,
          .q = steps(queries),
          .k = steps(keys),
          .v = steps(keys),
          .value = {row, queries * row}};
}

/// Whether cuDNN has plans for all graphs. It compiles their kernels, for which it needs a driver (no_gpu.cpp).
bool are_planned(const std::vector<cuda::AttentionGraph>& graphs) {
  if (dlopen(THALWEG_STAND_INS "/no_gpu/libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) return false;
  const cuda::DnnFunctions functions(THALWEG_CUDNN);
  const Descriptor gpu = described(functions);
  const cuda::PlanTarget target{functions, nullptr, gpu.get()};
  bool all = !DnnPlan::restored(target, {}, "{}");
  for (const cuda::AttentionGraph& whole : graphs) {
    for (const cuda::AttentionGraph& graph : {whole, whole.part_of_gradient()}) {
      const auto plan = plan_of(target, graph);
      all = all && plan && DnnPlan::restored(target, plan->ids(), plan->text());
      std::fprintf(stderr, "%s: %s\n", graph.str().c_str(),
                   plan ? fmt::format("a plan with {} bytes of workspace", plan->workspace()).c_str() : "no plan");
    }
  }
  return all;
}

TEST(RealCudnn, HasPlansForTheAttentionOfGpt2) {
  if (std::string_view(THALWEG_CUDNN).empty()) GTEST_SKIP() << "cuDNN is not installed";
  expect_in_own_process([] { return are_planned({attention(32, 1024, 1024, 12, 64, true)}); });
}

TEST(SlowRealCudnn, HasPlansForAttentionOfOddLengthsAndOtherWidths) {
  if (std::string_view(THALWEG_CUDNN).empty()) GTEST_SKIP() << "cuDNN is not installed";
  expect_in_own_process([] {
    return are_planned({attention(3, 77, 77, 5, 64, true), attention(2, 33, 100, 3, 32, false),
                        attention(2, 77, 130, 3, 64, true), attention(2, 1, 40, 3, 16, true),
                        attention(2, 40, 40, 3, 8, false), attention(2, 200, 200, 2, 128, true),
                        attention(2, 4096, 4096, 12, 64, true)});
  });
}

TEST(RealCudnn, HasNoPlanForAttentionThatTheStandInRefuses) {
  if (std::string_view(THALWEG_CUDNN).empty()) GTEST_SKIP() << "cuDNN is not installed";
  expect_in_own_process([] {
    return are_planned({attention(2, 40, 40, 3, 16, false)}) && !are_planned({attention(2, 40, 40, 3, 12, false)});
  });
}

}  // namespace
}  // namespace thalweg
