#include "cuda/convolution_graph.hpp"

#include <algorithm>

namespace thalweg::cuda {

namespace {

using Open = ConvolutionGraph::Open;

/// One operation and the names of what is told of it.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, convolution, image, filter, value;
};

Names names_of(Open open) {
  switch (open) {
    case Open::value:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
    case Open::image:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
    default:
      return {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
  }
}

/// An operand whose channels lie next to each other.
Descriptor tensor(const DnnFunctions& functions, std::int64_t id, Element element,
                  const std::array<std::int64_t, 4>& sizes, std::int64_t alignment) {
  const auto [n, c, h, w] = sizes;
  const std::array<std::int64_t, 4> strides{h * w * c, 1, w * c, c};
  Descriptor made(functions, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
  made.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type_of(element));
  made.set(CUDNN_ATTR_TENSOR_DIMENSIONS, sizes);
  made.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
  made.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64,
           std::max(alignment, static_cast<std::int64_t>(bytes_of(element))));
  return made;
}

Descriptor convolution(const DnnFunctions& functions, const ConvolutionGraph& graph) {
  Descriptor made(functions, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  const bool is_f64 = graph.types.inputs == Element::f64;
  made.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, std::int64_t{2});
  made.set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, is_f64 ? CUDNN_DATA_DOUBLE : CUDNN_DATA_FLOAT);
  made.set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, CUDNN_CROSS_CORRELATION);
  made.set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, graph.stride);
  made.set(CUDNN_ATTR_CONVOLUTION_DILATIONS, graph.dilation);
  made.set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, graph.before);
  made.set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, graph.after);
  return made;
}

/// Of operands and convolution, in this order.
Descriptor operation(const DnnFunctions& functions, const ConvolutionGraph& graph, std::span<const Descriptor> of) {
  const Names names = names_of(graph.open);
  Descriptor made(functions, names.type);
  if (graph.types.inputs == Element::f64) {
    made.set(names.alpha, CUDNN_TYPE_DOUBLE, 1.0);
    made.set(names.beta, CUDNN_TYPE_DOUBLE, 0.0);
  } else {
    made.set(names.alpha, CUDNN_TYPE_FLOAT, 1.0F);
    made.set(names.beta, CUDNN_TYPE_FLOAT, 0.0F);
  }
  made.set(names.image, of[0]);
  made.set(names.filter, of[1]);
  made.set(names.value, of[2]);
  made.set(names.convolution, of[3]);
  return made;
}

}  // namespace

std::optional<DnnPlan> plan_of(const PlanTarget& target, const ConvolutionGraph& graph, std::int64_t alignment) {
  const DnnFunctions& f = target.functions;
  DnnPlan::Described made{.ids = {1, 2, 3}, .keeps_f32 = graph.types.inputs == Element::f32 && !graph.tf32};
  made.parts.push_back(tensor(f, made.ids[0], graph.element_of(Open::image), graph.image, alignment));
  made.parts.push_back(tensor(f, made.ids[1], graph.element_of(Open::filter), graph.filter, alignment));
  made.parts.push_back(tensor(f, made.ids[2], graph.element_of(Open::value), graph.value, alignment));
  made.parts.push_back(convolution(f, graph));
  for (const Descriptor& part : made.parts) part.expect_finish();
  made.parts.push_back(operation(f, graph, made.parts));
  made.parts.back().expect_finish();
  made.operations = {made.parts.back().get()};
  return DnnPlan::make(target, std::move(made));
}

}  // namespace thalweg::cuda
