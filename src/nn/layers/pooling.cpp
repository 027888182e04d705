// Pooling layers, which make images smaller, and upsampling, which makes them larger.

#include "nn/layer_row.hpp"

namespace thalweg {

Fields fields(PoolOptions& o) {
  return {{"window", &o.window, "size of a window"},
          {"stride", &o.stride, "distance between two windows; 0 is the size of the window"},
          {"padding", &o.padding, "places added around the input"}};
}
Fields fields(UpsampleOptions& o) {
  return {{"scale", &o.scale, "factor of height and width"},
          {"mode", &o.mode, "interpolation of the values in between", any_number, {"nearest", "bilinear"}},
          {"align_corners", &o.align_corners, "bilinear: whether the corners of input and output are the same points"}};
}

namespace nn {

std::vector<LayerRow> pooling_layers() {
  constexpr std::string_view to_channels = "(batch, ..., channels) -> (batch, channels)";
  return {
      layer_row(max_pool2d,
                {.name = "max_pool2d", .summary = "the largest value in each window of an image", .formula = "max x"}),
      layer_row(avg_pool2d,
                {.name = "avg_pool2d", .summary = "the mean of each window of an image", .formula = "mean x"}),
      layer_row(
          max_pool1d,
          {.name = "max_pool1d", .summary = "the largest value in each window of a sequence", .formula = "max x"}),
      layer_row(avg_pool1d,
                {.name = "avg_pool1d", .summary = "the mean of each window of a sequence", .formula = "mean x"}),
      layer_row(global_max_pool,
                {.name = "global_max_pool", .summary = "the largest value over all places", .formula = to_channels}),
      layer_row(global_avg_pool,
                {.name = "global_avg_pool", .summary = "the mean over all places", .formula = to_channels}),
      layer_row(upsample,
                {.name = "upsample", .summary = "makes an image larger", .formula = "x[i / scale, j / scale]"})};
}

}  // namespace nn
}  // namespace thalweg
