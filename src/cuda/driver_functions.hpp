#pragma once
// The functions of NVIDIA's driver, and what is made of their errors.

#include <cuda.h>

#include "cuda/library.hpp"
#include "device/gpu.hpp"

namespace thalweg::cuda {

// clang-format off
#define THALWEG_DRIVER_FUNCTIONS(F) \
  F(cuInit) F(cuDriverGetVersion) F(cuGetErrorName) F(cuGetErrorString) F(cuDeviceGetCount) F(cuDeviceGet) \
  F(cuDeviceGetName) F(cuDeviceGetAttribute) F(cuDeviceTotalMem) F(cuDevicePrimaryCtxRetain) \
  F(cuDevicePrimaryCtxRelease) F(cuCtxSetCurrent) F(cuMemGetInfo) F(cuMemAlloc) F(cuMemFree) \
  F(cuMemHostAlloc) F(cuMemFreeHost) F(cuMemcpyHtoDAsync) F(cuMemcpyDtoHAsync) F(cuMemcpyDtoDAsync) \
  F(cuMemsetD32Async) F(cuStreamCreate) F(cuStreamDestroy) F(cuStreamSynchronize) F(cuEventCreate) \
  F(cuEventDestroy) F(cuEventRecord) F(cuEventSynchronize) F(cuModuleLoadData) F(cuModuleUnload) \
  F(cuModuleGetFunction) F(cuLaunchKernel) F(cuLaunchHostFunc) F(cuStreamBeginCapture) F(cuStreamEndCapture) \
  F(cuGraphInstantiateWithFlags) F(cuGraphLaunch) F(cuGraphDestroy) F(cuGraphExecDestroy)
// clang-format on

/// Of libcuda.so.1, which comes with the driver and not with the CUDA toolkit.
struct DriverFunctions {
  THALWEG_DRIVER_FUNCTIONS(THALWEG_MEMBER)

  /// Throws UsageError where there is no driver.
  DriverFunctions() {
    const Library library("NVIDIA's driver", "NVIDIA's package of the driver (Debian: libcuda1)", {"libcuda.so.1"});
    THALWEG_DRIVER_FUNCTIONS(THALWEG_FIND)
  }

  /// "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered"
  [[nodiscard]] std::string words(CUresult result) const {
    const char *name = nullptr, *text = nullptr;
    cuGetErrorName(result, &name);
    cuGetErrorString(result, &text);
    if (name == nullptr) return fmt::format("error {}, which it has no name for", static_cast<int>(result));
    return text == nullptr ? std::string(name) : fmt::format("{}: {}", name, text);
  }

  /// Throws where a call failed: MemoryError for want of memory, else DeviceError.
  void check(CUresult result, const char* call) const {
    if (result == CUDA_SUCCESS) return;
    if (result == CUDA_ERROR_OUT_OF_MEMORY)
      fail<MemoryError>("[device] {} found no memory on the GPU. Hint: a smaller batch_size.", call);
    fail<DeviceError>(
        "[device] {} failed, {}. What it had not finished is lost; the last checkpoint is whole. Hint: run again with "
        "--resume; where it comes again, dmesg and nvidia-smi say more.",
        call, words(result));
  }
};

/// Found when they are first asked for.
[[nodiscard]] const DriverFunctions& driver_functions();

}  // namespace thalweg::cuda
