#include "cuda/dnn_graph.hpp"

#include <algorithm>

namespace thalweg::cuda {

namespace {

using Open = ConvolutionGraph::Open;

/// The most that a plan may take. It is fixed, so that the choice depends on the shape alone.
constexpr std::int64_t most_workspace = 256 << 20;

/// The operands' numbers in a graph.
constexpr std::array<std::int64_t, 3> operand_ids{1, 2, 3};  // image, filter, value

cudnnDataType_t type_of(Element element) {
  return element == Element::f64 ? CUDNN_DATA_DOUBLE : element == Element::f32 ? CUDNN_DATA_FLOAT : CUDNN_DATA_BFLOAT16;
}

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

/// Whether what an engine says of its arithmetic is allowed. Sums whose order depends on who comes first are not, nor
/// are inputs or sums of less than their type, nor transforms of tiles so large that they lose digits.
bool is_allowed(const Descriptor& engine, const ConvolutionGraph& graph) {
  std::array<cudnnBackendNumericalNote_t, CUDNN_NUMERICAL_NOTE_TYPE_COUNT> notes{};
  const std::int64_t count = engine.read(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
                                         std::span<cudnnBackendNumericalNote_t>(notes));
  const bool keeps_f32 = graph.types.inputs == Element::f32 && !graph.tf32;
  return std::ranges::none_of(std::span(notes).first(static_cast<std::size_t>(count)), [&](auto note) {
    return note == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC || note == CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS ||
           note == CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION || note == CUDNN_NUMERICAL_NOTE_FFT ||
           note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6 || note == CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13 ||
           (keeps_f32 && note == CUDNN_NUMERICAL_NOTE_TENSOR_CORE);
  });
}

/// The library's proposals for a graph, the fastest first.
std::vector<Descriptor> proposals(const PlanTarget& target, const Descriptor& graph, cudnnBackendHeurMode_t mode) {
  const Descriptor asked(target.functions, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  asked.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  asked.set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, mode);
  if (target.described != nullptr)
    asked.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, target.described);
  if (!asked.finish()) return {};
  const std::int64_t count =
      asked.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::span<cudnnBackendDescriptor_t>());
  std::vector<Descriptor> made;
  std::vector<cudnnBackendDescriptor_t> into;
  for (std::int64_t i = 0; i < count; ++i) {
    made.emplace_back(target.functions, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    into.push_back(made.back().get());
  }
  const std::int64_t given = asked.read(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::span(into));
  made.erase(made.begin() + std::min(given, count), made.end());
  return made;
}

}  // namespace

Descriptor::Descriptor(const DnnFunctions& functions, cudnnBackendDescriptorType_t type)
    : functions_(&functions), made_(nullptr, functions.cudnnBackendDestroyDescriptor) {
  cudnnBackendDescriptor_t made = nullptr;
  THALWEG_DNN(functions, cudnnBackendCreateDescriptor, type, &made);
  made_.reset(made);
}

std::optional<ConvolutionPlan> ConvolutionPlan::make(const PlanTarget& target, const ConvolutionGraph& graph,
                                                     std::int64_t alignment) {
  const DnnFunctions& f = target.functions;
  std::vector<Descriptor> parts;
  parts.push_back(tensor(f, operand_ids[0], graph.element_of(Open::image), graph.image, alignment));
  parts.push_back(tensor(f, operand_ids[1], graph.element_of(Open::filter), graph.filter, alignment));
  parts.push_back(tensor(f, operand_ids[2], graph.element_of(Open::value), graph.value, alignment));
  parts.push_back(convolution(f, graph));
  for (const Descriptor& part : parts) part.expect_finish();
  parts.push_back(operation(f, graph, parts));
  parts.back().expect_finish();
  const cudnnBackendDescriptor_t whole = parts.back().get();
  parts.emplace_back(f, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  if (target.handle != nullptr) parts.back().set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  parts.back().set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, whole);
  if (!parts.back().finish()) return std::nullopt;
  ConvolutionPlan plan(std::move(parts));
  for (const cudnnBackendHeurMode_t mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    if (plan.choose(target, graph, mode)) return plan;
  return std::nullopt;
}

bool ConvolutionPlan::choose(const PlanTarget& target, const ConvolutionGraph& graph, cudnnBackendHeurMode_t mode) {
  for (Descriptor& proposal : proposals(target, parts_.back(), mode)) {
    const Descriptor engine(target.functions, CUDNN_BACKEND_ENGINE_DESCRIPTOR);
    cudnnBackendDescriptor_t into = engine.get();
    proposal.read(CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR,
                  std::span<cudnnBackendDescriptor_t>(&into, 1));
    if (is_allowed(engine, graph) && adopt(target, std::move(proposal))) return true;
  }
  return false;
}

bool ConvolutionPlan::adopt(const PlanTarget& target, Descriptor proposal) {
  Descriptor plan(target.functions, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
  if (target.handle != nullptr) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, target.handle);
  if (target.described != nullptr)
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, target.described);
  plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, proposal);
  if (!plan.finish()) return false;
  std::int64_t bytes = 0;
  plan.read(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, std::span<std::int64_t>(&bytes, 1));
  if (bytes > most_workspace) return false;
  workspace_ = static_cast<std::size_t>(bytes);
  parts_.push_back(std::move(proposal));
  parts_.push_back(std::move(plan));
  return true;
}

Descriptor ConvolutionPlan::pack(const DnnFunctions& functions, const std::byte* image, const std::byte* filter,
                                 const std::byte* value, std::byte* workspace) const {
  const std::array<const void*, 3> addresses{image, filter, value};
  Descriptor made(functions, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  made.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, std::span<const void* const>(addresses));
  made.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, operand_ids);
  made.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, workspace);
  made.expect_finish();
  return made;
}

}  // namespace thalweg::cuda
