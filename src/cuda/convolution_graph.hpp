#pragma once
// A convolution as a graph of cuDNN.

#include "cuda/dnn_graph.hpp"

namespace thalweg::cuda {

/// A convolution of images (batch, height, width, channels) by a filter (outputs, height, width, channels of a group).
struct ConvolutionGraph {
  enum class Open { value, image, filter };  ///< which of the three is computed of the other two
  Open open = Open::value;
  // (batch, channels, height, width), as the library counts them whatever their order in memory
  std::array<std::int64_t, 4> image{}, filter{}, value{};
  std::array<std::int64_t, 2> stride{}, dilation{}, before{}, after{};
  Types types{};
  bool tf32 = false;  ///< whether what is multiplied in f32 may be rounded to TF32

  [[nodiscard]] Element element_of(Open operand) const { return operand == open ? types.output : types.inputs; }
};

/// The graph of an op at a site, but for its types. Nothing where the library has no such convolution: padding that
/// leaves out what lies before the first element, or whole steps after the last one.
[[nodiscard]] std::optional<ConvolutionGraph> convolution_graph(std::string_view op, const KernelSite& site);

/// Its plan, for operands at multiples of `alignment` bytes, or of their element's. It is run with the addresses of
/// image, filter and value.
[[nodiscard]] std::optional<DnnPlan> plan_of(const PlanTarget& target, const ConvolutionGraph& graph,
                                             std::int64_t alignment);

}  // namespace thalweg::cuda
