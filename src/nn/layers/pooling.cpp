// Layers of pooling, and its reverse: images made smaller and larger.

#include "nn/layer_row.hpp"

namespace thalweg {

Fields fields(PoolOptions& o) {
  return {{"window", &o.window, "size of a window"},
          {"stride", &o.stride, "distance from window to window; 0 is the window's size"},
          {"padding", &o.padding, "places added around the input"}};
}
Fields fields(UpsampleOptions& o) {
  return {{"scale", &o.scale, "factor of height and width"},
          {"mode", &o.mode, "how values in between are computed", any_number, {"nearest", "bilinear"}},
          {"align_corners", &o.align_corners,
           "bilinear: whether the corners of the image and of the result are the same points"}};
}

namespace nn {

std::vector<LayerRow> pooling_layers() {
  constexpr std::string_view to_channels = "(batch, ..., channels) -> (batch, channels)";
  return {layer_row(max_pool2d,
                    {.name = "max_pool2d", .summary = "the largest in each window of an image", .formula = "max x"}),
          layer_row(avg_pool2d,
                    {.name = "avg_pool2d", .summary = "the mean of each window of an image", .formula = "mean x"}),
          layer_row(max_pool1d,
                    {.name = "max_pool1d", .summary = "the largest in each window of a sequence", .formula = "max x"}),
          layer_row(avg_pool1d,
                    {.name = "avg_pool1d", .summary = "the mean of each window of a sequence", .formula = "mean x"}),
          layer_row(global_max_pool,
                    {.name = "global_max_pool", .summary = "the largest over all places", .formula = to_channels}),
          layer_row(global_avg_pool,
                    {.name = "global_avg_pool", .summary = "the mean over all places", .formula = to_channels}),
          layer_row(upsample,
                    {.name = "upsample", .summary = "an image made larger", .formula = "x[i / scale, j / scale]"})};
}

}  // namespace nn
}  // namespace thalweg
