// The versions of NVIDIA's libraries, for the manifest.

#include "cuda/blas_functions.hpp"
#include "cuda/dnn_functions.hpp"
#include "cuda/driver.hpp"

namespace thalweg::cuda {

std::string versions_of_libraries() {
  const auto parts = [](std::size_t version, std::size_t major, std::size_t minor) {
    return fmt::format("{}.{}.{}", version / major, version % major / minor, version % minor);
  };
  return fmt::format("cuBLASLt {}, cuDNN {}", parts(BlasFunctions().cublasLtGetVersion(), 10000, 100),
                     parts(DnnFunctions().cudnnGetVersion(), 10000, 100));
}

}  // namespace thalweg::cuda
