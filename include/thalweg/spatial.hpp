#pragma once
// Ops on images (batch, height, width, channels) and sequences (batch, time, channels). All throw UsageError, with the
// line of the call, for shapes that do not fit.

#include <concepts>
#include <string>

#include "thalweg/var.hpp"

namespace thalweg {

/// One number for height and width, or one for each. Ops on sequences use the width.
struct Extent {
  std::int64_t height, width;
  Extent(std::integral auto both) : height(static_cast<std::int64_t>(both)), width(height) {}
  Extent(std::integral auto height_, std::integral auto width_)
      : height(static_cast<std::int64_t>(height_)), width(static_cast<std::int64_t>(width_)) {}
  friend bool operator==(const Extent&, const Extent&) = default;
};

/// The zeros around an image: one number for all sides, one number before and one after each axis, or a name. "valid"
/// is none; "same" keeps size / stride (rounded up): dilation * (kernel - 1) in all, the smaller half before.
class Padding {
 public:
  Padding(std::integral auto all_sides) : before_(all_sides), after_(all_sides) {}
  Padding(Extent before, Extent after) : before_(before), after_(after) {}
  Padding(const char* name);
  Padding(const std::string& name) : Padding(name.c_str()) {}

  /// The padding in numbers, for a kernel with this reach, dilation * (kernel - 1).
  [[nodiscard]] Extent before(Extent reach) const;
  [[nodiscard]] Extent after(Extent reach) const;
  [[nodiscard]] bool is_same() const { return same_; }
  /// No padding along the height, for sequences.
  [[nodiscard]] Padding along_width() const;

 private:
  bool same_ = false;
  Extent before_ = 0, after_ = 0;
};

struct ConvolutionOptions {
  Extent stride = 1;
  Padding padding = "valid";
  Extent dilation = 1;
  std::int64_t groups = 1;  ///< equal to the number of channels: depthwise
};
/// x (batch, height, width, in), filter (height, width, in / groups, out) -> (batch, height, width, out): the sum of
/// products over each window (the filter is not reversed).
Var conv2d(const Arg& x, const Arg& filter, const ConvolutionOptions& options = {});
/// x (batch, time, in), filter (width, in / groups, out) -> (batch, time, out).
Var conv1d(const Arg& x, const Arg& filter, const ConvolutionOptions& options = {});

struct TransposedOptions {
  Extent stride = 1;
  Padding padding = "valid";  ///< padding of the convolution whose transpose this is
  Extent output_padding = 0;  ///< rows and columns added at the end of the result
  Extent dilation = 1;
  std::int64_t groups = 1;
};
/// The transpose of conv2d, which makes images larger: x (batch, height, width, in), filter (height, width,
/// out / groups, in) -> (batch, (height - 1) * stride + dilation * (kernel - 1) + 1 - padding + output_padding, ...,
/// out). "same" padding gives size * stride where the kernel is as large as the stride or larger.
Var conv_transpose2d(const Arg& x, const Arg& filter, const TransposedOptions& options = {});

struct PoolOptions {
  Extent window = 2;
  Extent stride = 0;  ///< 0: the window's size
  Padding padding = "valid";
};
/// The largest value of each window; of equal values the first gets the gradient. Padding is never the largest.
Var max_pool2d(const Arg& x, const PoolOptions& options = {});
Var max_pool1d(const Arg& x, const PoolOptions& options = {});
/// The sum of each window divided by the window's size, padding included.
Var avg_pool2d(const Arg& x, const PoolOptions& options = {});
Var avg_pool1d(const Arg& x, const PoolOptions& options = {});
/// Over all places: (batch, ..., channels) -> (batch, channels).
Var global_avg_pool(const Arg& x);
Var global_max_pool(const Arg& x);

struct UpsampleOptions {
  Extent scale = 2;
  std::string mode = "nearest";  ///< or "bilinear"
  bool align_corners = false;    ///< bilinear: the corners of the image lie on those of the result
};
/// (batch, height, width, channels) with height and width multiplied.
Var upsample(const Arg& x, const UpsampleOptions& options = {});

}  // namespace thalweg
