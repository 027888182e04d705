#pragma once
// The only interface to oneDNN. Its rules, each of which proved necessary: create and run primitives with one OpenMP
// thread (results change with the count), which is set and restored here on whichever thread calls; create them under a
// lock; give them scratch memory that belongs to the run.

#include <cstdint>
#include <memory>

#include "kernels/convolution.hpp"

namespace thalweg {

/// C (m, n) = op(A) op(B), row-major; op transposes if requested. With `add`, C += op(A) op(B).
void onednn_product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                    std::int64_t lda, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool add = false);

/// One of the three ops of a convolution in f32, for `batch` samples at a time. The filter is packed once into the
/// layout that oneDNN prefers, for all the samples that share it.
class OnednnConvolution {
 public:
  /// Null if oneDNN has no such convolution.
  static std::shared_ptr<const OnednnConvolution> make(ConvolutionResult result, const ConvolutionShape& shape);
  virtual ~OnednnConvolution() = default;

  [[nodiscard]] virtual std::size_t packed_bytes() const = 0;   ///< for the packed filter
  [[nodiscard]] virtual std::size_t scratch_bytes() const = 0;  ///< for a run; at least what packing needs
  virtual void pack(const float* filter, std::byte* packed, std::byte* scratch) const = 0;
  virtual void unpack(const std::byte* packed, float* filter, std::byte* scratch) const = 0;
  /// x and y have the layout of the shape; the one of the three that is the op's result is written.
  virtual void run(float* x, std::byte* packed_filter, float* y, std::byte* scratch) const = 0;
};

}  // namespace thalweg
