#pragma once
// Opens thalweg_cuda as the main library does, with the stand-ins for NVIDIA's libraries, and puts values on its GPU.

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/workers.hpp"
#include "cuda/counts.hpp"
#include "cuda/driver.hpp"
#include "device/gpu.hpp"

namespace thalweg::testing {

template <class F>
F from_cuda_library(const char* name) {
  static void* const library = dlopen(THALWEG_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(dlerror());
  return reinterpret_cast<F>(dlsym(library, name));
}

/// Sets an environment variable during its lifetime.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Environment() { unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
};

inline std::unique_ptr<GpuDriver> open_driver(const std::filesystem::path& cache = {}, int index = 0,
                                              bool tf32 = false) {
  std::unique_ptr<GpuDriver> driver;
  const GpuOptions options{index, tf32, micro_ops(), cache};
  from_cuda_library<OpenGpu>(open_gpu_name)(options, driver);
  return driver;
}

/// A text as a kernel of a driver.
inline Kernel text_on(GpuDriver& driver, EmittedKernel kernel) {
  return dynamic_cast<cuda::Stream&>(driver).text(std::move(kernel));
}

inline cuda::Counts counts_of(const GpuDriver& driver) {
  cuda::Counts counts;
  from_cuda_library<cuda::GetCounts>(cuda::counts_name)(driver, counts);
  return counts;
}

/// An array on a driver's GPU.
template <class T>
class There {
 public:
  There(GpuDriver& driver, std::size_t count) : driver_(driver), count_(count), there_(driver.allocate(bytes())) {
    if (there_ == nullptr) throw std::bad_alloc();
  }
  There(GpuDriver& driver, const std::vector<T>& values) : There(driver, values.size()) { write(values); }
  ~There() { driver_.release(there_); }
  There(const There&) = delete;
  There& operator=(const There&) = delete;

  [[nodiscard]] std::byte* data() const { return there_; }
  [[nodiscard]] std::size_t bytes() const { return count_ * sizeof(T); }
  void write(const std::vector<T>& values) {
    driver_.write(there_, reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(T));
  }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> values(count_);
    driver_.wait(driver_.read(reinterpret_cast<std::byte*>(values.data()), there_, bytes()));
    return values;
  }

 private:
  GpuDriver& driver_;
  std::size_t count_;
  std::byte* there_;
};

/// The arguments of a kernel call: addresses on the GPU, and scratch.
struct CallThere {
  CallThere(GpuDriver& driver, const Kernel& kernel, std::vector<const std::byte*> in, std::vector<std::byte*> out)
      : inputs(std::move(in)), outputs(std::move(out)), scratch(driver, kernel.scratch + 1) {}
  [[nodiscard]] KernelCall call() { return {outputs.data(), inputs.data(), scratch.data(), workers}; }

  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  There<std::byte> scratch;
  Workers workers{1};
};

}  // namespace thalweg::testing
