#pragma once
// Graphs of operations of cuDNN, and the plans that run them.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cuda/dnn_functions.hpp"
#include "cuda/operands.hpp"

namespace thalweg::cuda {

/// A descriptor: first its attributes are set, then it is finalised.
class Descriptor {
 public:
  Descriptor(const DnnFunctions& functions, cudnnBackendDescriptorType_t type);

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return made_.get(); }
  [[nodiscard]] const DnnFunctions& functions() const { return *functions_; }
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
  /// Gets as many values of an attribute as there is room for; returns how many the attribute has.
  template <class T>
  std::int64_t read(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::span<T> into) const {
    std::int64_t count = 0;
    THALWEG_DNN(*functions_, cudnnBackendGetAttribute, get(), name, type, static_cast<std::int64_t>(into.size()),
                &count, into.data());
    return count;
  }
  /// Finalises the descriptor; returns whether the library accepts it.
  [[nodiscard]] bool finish() const { return functions_->cudnnBackendFinalize(get()) == CUDNN_STATUS_SUCCESS; }
  /// The same for a descriptor that the library must accept.
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

/// Largest workspace of a plan. It is fixed, so that the choice of a plan depends on the shape alone.
inline constexpr std::int64_t most_workspace = 256 << 20;

[[nodiscard]] cudnnDataType_t type_of(Element element);

/// The values of an attribute that names several descriptors.
using Handles = std::vector<cudnnBackendDescriptor_t>;

/// What a graph is run by.
class DnnPlan {
 public:
  /// A graph while it is described.
  struct Described {
    std::vector<Descriptor> parts = {};  ///< all that the operations are made of, and they
    Handles operations = {};             ///< in an order in which they can be carried out
    std::vector<std::int64_t> ids = {};  ///< of the operands that each run is told the addresses of
    bool keeps_f32 = false;              ///< whether what is multiplied in f32 may not be rounded to TF32
  };

  /// The first of the library's proposals that gives the same bits each time, rounds no more than it may, and takes no
  /// more workspace than it may; nothing where there is none.
  [[nodiscard]] static std::optional<DnnPlan> make(const PlanTarget& target, Described graph);
  /// A plan as it was written, with the machine code of its kernels; nothing where the library does not take it.
  [[nodiscard]] static std::optional<DnnPlan> restored(const PlanTarget& target, std::vector<std::int64_t> ids,
                                                       std::string_view text);
  /// Empty where the library cannot write it.
  [[nodiscard]] std::string text() const;

  [[nodiscard]] cudnnBackendDescriptor_t get() const { return parts_.back().get(); }
  [[nodiscard]] std::size_t workspace() const { return workspace_; }
  [[nodiscard]] const std::vector<std::int64_t>& ids() const { return ids_; }
  /// The addresses of one run, in the order of ids(): of the host where an operand is a number.
  [[nodiscard]] Descriptor pack(const DnnFunctions& functions, std::span<const void* const> addresses,
                                std::byte* workspace) const;

 private:
  explicit DnnPlan(Described graph) : parts_(std::move(graph.parts)), ids_(std::move(graph.ids)) {}
  [[nodiscard]] bool choose(const PlanTarget& target, bool keeps_f32, cudnnBackendHeurMode_t mode);
  [[nodiscard]] bool adopt(const PlanTarget& target, Descriptor proposal);
  [[nodiscard]] bool take(Descriptor plan);

  std::vector<Descriptor> parts_;  ///< all that the plan is made of, and last itself
  std::vector<std::int64_t> ids_;
  std::size_t workspace_ = 0;
};

}  // namespace thalweg::cuda
