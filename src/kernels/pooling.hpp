#pragma once
// Pooling: maxima and sums over windows of an image, and their transposes. Resizing of images, which is similar.

#include "core/kernel.hpp"

namespace thalweg {

/// The integer attributes of the four pooling ops.
enum PoolInts : std::size_t {
  window_height,
  window_width,
  step_height,
  step_width,
  outside_height,  ///< positions before the image at which the first window begins
  outside_width,
  pooled_height,  ///< spatial size of the op's result: windows, or the image for the transposes
  pooled_width,
};

/// x, u (batch, height, width, channels) -> for each window, the element of u at the position of the largest x: the
/// first such position, in row-major order.
[[nodiscard]] Kernel make_max_pool(const KernelSite& site);
/// x, g -> the shape of x: the transpose with respect to u.
[[nodiscard]] Kernel make_max_unpool(const KernelSite& site);
/// x -> the sum over each window.
[[nodiscard]] Kernel make_sum_pool(const KernelSite& site);
/// g -> the image: the transpose.
[[nodiscard]] Kernel make_sum_unpool(const KernelSite& site);

/// How values between two elements are interpolated.
enum class Resampling : std::int64_t { nearest, linear, linear_corners };  ///< the last: corners lie on corners

/// x (batch, height, width, channels) -> (batch, ints[0], ints[1], channels), by Resampling ints[2].
[[nodiscard]] Kernel make_resize(const KernelSite& site);
/// g -> (batch, ints[0], ints[1], channels): the transpose.
[[nodiscard]] Kernel make_resize_transposed(const KernelSite& site);

/// The two source positions of an element of a resized axis, with their weights.
struct Taps {
  std::int64_t place[2];
  double weight[2];
};
[[nodiscard]] Taps taps_of(std::int64_t i, std::int64_t from, std::int64_t to, Resampling how);

}  // namespace thalweg
