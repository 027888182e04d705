#pragma once
// Windows that move over an image: maxima and sums, and their transposes. Resizing, which is as local.

#include "core/kernel.hpp"

namespace thalweg {

/// The attributes of the four rows of pooling.
enum PoolInts : std::size_t {
  window_height,
  window_width,
  step_height,
  step_width,
  outside_height,  ///< places before the image where the first window begins
  outside_width,
  pooled_height,  ///< spatial size of what the op gives: windows, or the image in the transposes
  pooled_width,
};

/// x, u (batch, height, width, channels) -> for each window u where x is largest: the first place, rows before columns.
[[nodiscard]] Kernel make_max_pool(const KernelSite& site);
/// x, g -> the shape of x: the transpose in u.
[[nodiscard]] Kernel make_max_unpool(const KernelSite& site);
/// x -> the sum over each window.
[[nodiscard]] Kernel make_sum_pool(const KernelSite& site);
/// g -> the image: the transpose.
[[nodiscard]] Kernel make_sum_unpool(const KernelSite& site);

/// How a place between two others is filled.
enum class Resampling : std::int64_t { nearest, linear, linear_corners };  ///< the last: corners lie on corners

/// x (batch, height, width, channels) -> (batch, ints[0], ints[1], channels), by Resampling ints[2].
[[nodiscard]] Kernel make_resize(const KernelSite& site);
/// g -> (batch, ints[0], ints[1], channels): the transpose.
[[nodiscard]] Kernel make_resize_transposed(const KernelSite& site);

/// Where an element of a resized axis comes from: two places and their weights.
struct Taps {
  std::int64_t place[2];
  double weight[2];
};
[[nodiscard]] Taps taps_of(std::int64_t i, std::int64_t from, std::int64_t to, Resampling how);

}  // namespace thalweg
