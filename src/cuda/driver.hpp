#pragma once
// The CUDA side of device/gpu.hpp: one context, one stream, one error word.

#include <cuda.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "device/gpu.hpp"
#include "emit/emit.hpp"

namespace thalweg::cuda {

struct DriverFunctions;  // driver_functions.hpp: those of libcuda.so.1
class Blas;              // blas_functions.hpp: cuBLASLt on one GPU
class Dnn;               // dnn_functions.hpp: cuDNN on one GPU

/// The part of the driver that kernels of a library need; driver.cpp has the class behind it.
class Stream {
 public:
  virtual ~Stream() = default;
  /// The stream for work at this moment; to be called at each run, on the running thread. Makes the context current.
  [[nodiscard]] virtual CUstream stream() const = 0;
  [[nodiscard]] virtual const DriverFunctions& functions() const = 0;
  [[nodiscard]] virtual const GpuOptions& options() const = 0;
  [[nodiscard]] virtual const GpuFacts& facts() const = 0;
  /// Makes its context the one that the calling thread works in.
  virtual void enter() const = 0;
  /// A text as a kernel. It is compiled, with all others that wait for it, when one of them is run for the first time;
  /// equal texts are compiled once. Texts call their kernel text_name.
  [[nodiscard]] virtual Kernel text(EmittedKernel kernel) = 0;

  // Made with the first kernel that needs them. The owner of the context must release both before it.
  std::shared_ptr<Blas> blas;
  std::shared_ptr<Dnn> dnn;
};

/// "cuBLASLt 13.1.1, cuDNN 9.19.0", for the manifest. Throws UsageError, with what to install, where one is missing.
[[nodiscard]] std::string versions_of_libraries();

/// Texts of our own kernels by the names of the op table (texts/). Their launches are given the addresses of the
/// inputs, the outputs, the scratch and last the error word: an int that is 0, into which a kernel that finds a wrong
/// index writes one of the numbers below. Nothing where there is no text for this op at this site.
[[nodiscard]] std::optional<EmittedKernel> text_of_op(std::string_view op, const KernelSite& site);

/// Rows of a table of bytes, whose `count` row numbers are in i64: the inputs are table and numbers.
[[nodiscard]] EmittedKernel text_of_rows(std::size_t row_bytes, std::int64_t count);

/// The values of an error word.
enum class Wrong : int { nothing = 0, index = 1 };

/// "matmul", by cuBLASLt. Algorithms are chosen when the kernel is made; without `run` where cuBLASLt has none.
[[nodiscard]] Kernel make_product(Stream& stream, const KernelSite& site);
/// "convolution", "convolution_image", "convolution_filter", by cuDNN, with deterministic algorithms only; without
/// `run` where cuDNN has none.
[[nodiscard]] Kernel make_convolution(Stream& stream, std::string_view op, const KernelSite& site);
/// "attention" and "attention_gradient" of bf16, by cuDNN, where it has a plan that is deterministic; without `run`
/// where it has none. `own` makes our kernel of the site, for operands that lie where the library cannot read them, and
/// needs scratch of so many bytes.
[[nodiscard]] Kernel make_attention(Stream& stream, std::string_view op, const KernelSite& site,
                                    std::function<Kernel()> own, std::size_t own_scratch);

}  // namespace thalweg::cuda
