#pragma once
// The one door to oneDNN. Its contract, each point of which was seen to matter: create and run at one OpenMP thread
// (results change with the count), which is set and restored here on whatever thread calls; create under a lock; give
// it scratch memory that belongs to the run.

#include <cstdint>
#include <memory>

#include "kernels/convolution.hpp"

namespace thalweg {

/// C (m, n) = op(A) op(B), row-major; op transposes where told. With `add`, C += it.
void onednn_product(bool transpose_a, bool transpose_b, std::int64_t m, std::int64_t n, std::int64_t k, const float* a,
                    std::int64_t lda, const float* b, std::int64_t ldb, float* c, std::int64_t ldc, bool add = false);

/// One of the three ops of a convolution in f32, for `batch` samples at a time. The filter is packed as the library
/// likes it best, once for all the samples that share it.
class OnednnConvolution {
 public:
  enum class Result { value, image, filter };
  /// Null where the library has no such convolution.
  static std::shared_ptr<const OnednnConvolution> make(Result result, const ConvolutionShape& shape);
  virtual ~OnednnConvolution() = default;

  [[nodiscard]] virtual std::size_t packed_bytes() const = 0;   ///< of a filter
  [[nodiscard]] virtual std::size_t scratch_bytes() const = 0;  ///< of a run; at least those of packing
  virtual void pack(const float* filter, std::byte* packed, std::byte* scratch) const = 0;
  virtual void unpack(const std::byte* packed, float* filter, std::byte* scratch) const = 0;
  /// x and y as the shape says; of the three, the result is written.
  virtual void run(float* x, std::byte* packed_filter, float* y, std::byte* scratch) const = 0;
};

}  // namespace thalweg
