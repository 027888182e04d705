#pragma once
// The functions of cuDNN for building and running graphs of ops.

#include <cuda.h>
#include <cudnn_graph.h>

#include <array>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cuda/library.hpp"
#include "device/gpu.hpp"

namespace thalweg::cuda {

// clang-format off
#define THALWEG_DNN_FUNCTIONS(F) \
  F(cudnnCreate) F(cudnnDestroy) F(cudnnSetStream) F(cudnnGetVersion) F(cudnnGetErrorString) \
  F(cudnnGetLastErrorString) F(cudnnBackendCreateDescriptor) F(cudnnBackendDestroyDescriptor) \
  F(cudnnBackendFinalize) F(cudnnBackendSetAttribute) F(cudnnBackendGetAttribute) F(cudnnBackendExecute)
// clang-format on

struct DnnFunctions {
  THALWEG_DNN_FUNCTIONS(THALWEG_MEMBER)

  /// Throws UsageError where it is not there.
  explicit DnnFunctions(const char* file = "libcudnn.so.9") {
    const Library library("cuDNN 9", "NVIDIA's package cudnn9-cuda-13", {file});
    THALWEG_DNN_FUNCTIONS(THALWEG_FIND)
  }

  void check(cudnnStatus_t status, const char* call) const {
    if (status == CUDNN_STATUS_SUCCESS) return;
    std::array<char, 1024> why{};
    cudnnGetLastErrorString(why.data(), why.size());
    fail<DeviceError>("[device] {} failed: {}. {}", call, cudnnGetErrorString(status), why.data());
  }
};

// One call, checked.
#define THALWEG_DNN(functions, call, ...) (functions).check((functions).call(__VA_ARGS__), THALWEG_NAME_OF(call))

class DnnPlan;  // dnn_graph.hpp

/// cuDNN on the GPU whose context is entered.
class Dnn {
 public:
  Dnn() { THALWEG_DNN(functions, cudnnCreate, &handle_); }
  ~Dnn() { functions.cudnnDestroy(handle_); }
  Dnn(const Dnn&) = delete;
  Dnn& operator=(const Dnn&) = delete;

  [[nodiscard]] cudnnHandle_t handle() const { return handle_; }
  /// While the lock is held, no other thread uses the handle: the library requires this.
  [[nodiscard]] std::unique_lock<std::mutex> held() const { return std::unique_lock(mutex_); }
  void execute(CUstream stream, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) const {
    const auto own = held();
    THALWEG_DNN(functions, cudnnSetStream, handle_, stream);
    THALWEG_DNN(functions, cudnnBackendExecute, handle_, plan, pack);
  }

  const DnnFunctions functions;
  /// Plans by what they are of, and nothing where there is none: the library takes a second to compile one, and layers
  /// of a model are equal. Used while it is held.
  std::map<std::string, std::shared_ptr<const DnnPlan>, std::less<>> plans;

 private:
  mutable std::mutex mutex_;
  cudnnHandle_t handle_ = nullptr;
};

}  // namespace thalweg::cuda
