#pragma once
// Convolution and its derivatives with respect to image and filter.

#include <cstdint>

#include "core/kernel.hpp"

namespace thalweg {

/// y[b, i, j, o] = sum over u, v, c of x[b, i stride - before + u dilation, ..., c] f[u, v, c, o], with zeros around x;
/// each group of output channels sees its own group of input channels.
struct ConvolutionShape {
  /// One spatial axis.
  struct Axis {
    std::int64_t in, kernel, out;  ///< sizes of image, filter and result
    std::int64_t stride, dilation;
    std::int64_t before;  ///< zeros before the first element
    /// Zeros after the last element; negative if elements at the end are not used.
    [[nodiscard]] std::int64_t after() const { return (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before; }
  };
  std::int64_t batch;
  Axis height, width;
  std::int64_t in, out;  ///< channels
  std::int64_t groups;

  [[nodiscard]] std::int64_t image_size() const { return height.in * width.in * in; }      ///< one sample of x
  [[nodiscard]] std::int64_t result_size() const { return height.out * width.out * out; }  ///< one sample of y
  [[nodiscard]] std::int64_t filter_size() const { return height.kernel * width.kernel * in / groups * out; }
  /// Multiplications for one sample.
  [[nodiscard]] std::int64_t work() const { return height.out * width.out * filter_size(); }
};

/// Which of the three is computed from the other two: y, x or f.
enum class ConvolutionResult : std::uint8_t { value, image, filter };

/// The integer attributes of the three ops.
enum ConvolutionInts : std::size_t {
  stride_height,
  stride_width,
  dilation_height,
  dilation_width,
  before_height,
  before_width,
  groups,
  result_height,  ///< spatial size of the op's result: image, filter or result
  result_width,
};

/// x (batch, height, width, in), f (height, width, in / groups, out) -> y (batch, height, width, out).
[[nodiscard]] Kernel make_convolution(const KernelSite& site);
/// y, f -> x: the transpose with respect to x.
[[nodiscard]] Kernel make_convolution_image(const KernelSite& site);
/// x, y -> f: the transpose with respect to f.
[[nodiscard]] Kernel make_convolution_filter(const KernelSite& site);

}  // namespace thalweg
