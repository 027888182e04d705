#pragma once
// Models of images (batch, height, width, channels).

#include "thalweg/nn.hpp"

namespace thalweg::nn {

struct ConvnetOptions {
  std::vector<std::int64_t> filters = {32, 64};  ///< filters of the convolutions, first to last
  std::int64_t kernel = 3;
  std::int64_t pool = 2;  ///< the window of the pooling after each convolution; 1 is no pooling
  bool batch_norm = true;
  std::vector<std::int64_t> hidden = {128};  ///< units of the dense layers after the convolutions
  std::string activation = "relu";
  double dropout = 0;  ///< dropout rate before each dense layer
};
/// For each of `filters` a convolution, batch normalisation, activation and pooling; then dense layers.
[[nodiscard]] ModelFunction convnet(std::int64_t outputs, const ConvnetOptions& options = {});

struct ResnetOptions {
  std::vector<std::int64_t> blocks = {3, 3, 3};  ///< in each stage; the stages after the first halve the image
  std::int64_t width = 16;                       ///< channels of the first stage; each stage after doubles them
  std::string block =
      "basic";                 ///< two 3 x 3 convolutions, or "bottleneck": 1 x 1, 3 x 3, 1 x 1 to four times the width
  std::string stem = "small";  ///< a 3 x 3 convolution, or "large": 7 x 7 and pooling, which quarter the image
  std::int64_t stem_stride = 1;  ///< kernel of the convolution in the small stem
  bool zero_init = false;  ///< the last normalisation of each block starts at 0, so that the block is the identity
  double dropout = 0;      ///< dropout rate before the output
};
/// Residual blocks, then the mean over all places and a dense layer (He, Zhang, Ren and Sun 2016). The small stem with
/// three stages of n basic blocks is their ResNet of depth 6 n + 2 for CIFAR-10; blocks of {2, 2, 2, 2} at width 64
/// with the large stem are ResNet-18, bottlenecks of {3, 4, 6, 3} ResNet-50.
[[nodiscard]] ModelFunction resnet(std::int64_t outputs, const ResnetOptions& options = {});

struct UnetOptions {
  std::int64_t levels = 2;     ///< how many times the image is halved, and doubled again
  std::int64_t width = 16;     ///< channels of the first level; each level below doubles them
  std::string norm = "batch";  ///< or "group", "none"
  std::string activation = "relu";
};
/// An image from an image (Ronneberger, Fischer and Brox 2015): levels of two convolutions each, down and up again.
/// Each level on the way up also reads the result of the same level on the way down. `outputs` counts the numbers of an
/// image: height * width * channels.
[[nodiscard]] ModelFunction unet(std::int64_t outputs, const UnetOptions& options = {});

}  // namespace thalweg::nn
