#pragma once
// The functions of cuBLASLt.

#include <cublasLt.h>

#include <memory>

#include "cuda/library.hpp"
#include "device/gpu.hpp"

namespace thalweg::cuda {

// clang-format off
#define THALWEG_BLAS_FUNCTIONS(F) \
  F(cublasLtCreate) F(cublasLtDestroy) F(cublasLtGetVersion) F(cublasLtGetStatusString) \
  F(cublasLtMatmulDescCreate) F(cublasLtMatmulDescDestroy) F(cublasLtMatmulDescSetAttribute) \
  F(cublasLtMatrixLayoutCreate) F(cublasLtMatrixLayoutDestroy) F(cublasLtMatrixLayoutSetAttribute) \
  F(cublasLtMatmulPreferenceCreate) F(cublasLtMatmulPreferenceDestroy) \
  F(cublasLtMatmulPreferenceSetAttribute) F(cublasLtMatmulAlgoGetHeuristic) F(cublasLtMatmul)
// clang-format on

struct BlasFunctions {
  THALWEG_BLAS_FUNCTIONS(THALWEG_MEMBER)

  /// Throws UsageError where it is not there.
  explicit BlasFunctions(const char* file = "libcublasLt.so.13") {
    const Library library("cuBLASLt 13", "the CUDA toolkit 13 (libcublas)", {file});
    THALWEG_BLAS_FUNCTIONS(THALWEG_FIND)
  }

  void check(cublasStatus_t status, const char* call) const {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    fail<DeviceError>("[device] {} failed: {} ({}).", call, cublasLtGetStatusString(status), static_cast<int>(status));
  }
};

// One call, checked.
#define THALWEG_BLAS(functions, call, ...) (functions).check((functions).call(__VA_ARGS__), THALWEG_NAME_OF(call))

/// cuBLASLt on the GPU whose context is entered.
class Blas {
 public:
  Blas() { THALWEG_BLAS(functions, cublasLtCreate, &handle_); }
  ~Blas() { functions.cublasLtDestroy(handle_); }
  Blas(const Blas&) = delete;
  Blas& operator=(const Blas&) = delete;

  [[nodiscard]] cublasLtHandle_t handle() const { return handle_; }

  const BlasFunctions functions;

 private:
  cublasLtHandle_t handle_ = nullptr;
};

}  // namespace thalweg::cuda
