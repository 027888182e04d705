#pragma once
// A convolution as a graph of cuDNN, and the plan by which it is run.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cuda/dnn_functions.hpp"
#include "cuda/operands.hpp"

namespace thalweg::cuda {

/// A descriptor: what is told of it is its attributes, and when all are told it is finished.
class Descriptor {
 public:
  Descriptor(const DnnFunctions& functions, cudnnBackendDescriptorType_t type);

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return made_.get(); }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::span<const T> values) const {
    THALWEG_DNN(*functions_, cudnnBackendSetAttribute, get(), name, type, static_cast<std::int64_t>(values.size()),
                values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, const T& value) const {
    set(name, type, std::span<const T>(&value, 1));
  }
  void set(cudnnBackendAttributeName_t name, std::span<const std::int64_t> values) const {
    set(name, CUDNN_TYPE_INT64, values);
  }
  void set(cudnnBackendAttributeName_t name, const Descriptor& other) const {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, other.get());
  }
  /// Of the values of an attribute as many as there is room for; returns how many there are.
  template <class T>
  std::int64_t read(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::span<T> into) const {
    std::int64_t count = 0;
    THALWEG_DNN(*functions_, cudnnBackendGetAttribute, get(), name, type, static_cast<std::int64_t>(into.size()),
                &count, into.data());
    return count;
  }
  /// Whether the library takes it as it is described.
  [[nodiscard]] bool finish() const { return functions_->cudnnBackendFinalize(get()) == CUDNN_STATUS_SUCCESS; }
  /// The same, of what the library has no choice but to take.
  void expect_finish() const { THALWEG_DNN(*functions_, cudnnBackendFinalize, get()); }

 private:
  const DnnFunctions* functions_;
  std::unique_ptr<void, cudnnStatus_t (*)(void*)> made_;
};

/// The GPU that a plan is for: one that is here, or, without a handle, one that is described by a descriptor.
struct PlanTarget {
  const DnnFunctions& functions;
  cudnnHandle_t handle = nullptr;
  cudnnBackendDescriptor_t described = nullptr;
};

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

/// What a convolution is run by.
class ConvolutionPlan {
 public:
  /// The first of the library's proposals that gives the same bits each time, rounds no more than it may, and takes no
  /// more workspace than it may; nothing where there is none. Operands are at multiples of `alignment` bytes, or of
  /// their element's.
  [[nodiscard]] static std::optional<ConvolutionPlan> make(const PlanTarget& target, const ConvolutionGraph& graph,
                                                           std::int64_t alignment);

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return parts_.back().get(); }
  [[nodiscard]] std::size_t workspace() const { return workspace_; }
  /// The addresses of one run, by which it is executed.
  [[nodiscard]] Descriptor pack(const DnnFunctions& functions, const std::byte* image, const std::byte* filter,
                                const std::byte* value, std::byte* workspace) const;

 private:
  explicit ConvolutionPlan(std::vector<Descriptor> parts) : parts_(std::move(parts)) {}
  [[nodiscard]] bool choose(const PlanTarget& target, const ConvolutionGraph& graph, cudnnBackendHeurMode_t mode);
  [[nodiscard]] bool adopt(const PlanTarget& target, Descriptor proposal);

  std::vector<Descriptor> parts_;  ///< all that the plan is made of, and last itself
  std::size_t workspace_ = 0;
};

}  // namespace thalweg::cuda
