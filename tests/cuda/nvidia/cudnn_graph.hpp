#pragma once
// The common declarations of the stand-in for libcudnn.so.9: descriptors, engines, and the functions for its two kinds
// of graphs.

#include <cudnn_graph.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <map>
#include <vector>

#include "elements.hpp"
#include "stand_in.hpp"

namespace thalweg::nvidia {

using Sizes = std::array<std::int64_t, 4>;

/// The properties of an engine.
struct Engine {
  std::int64_t number;
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::int64_t workspace;
  std::int64_t alignment;
  bool can_be_built = true;
};

/// An engine for a graph, and the workspace of its plan.
struct Proposal {
  const Engine* engine = nullptr;
  std::int64_t workspace = 0;
};

/// A descriptor with the attributes that the caller has set, and those that the library fills in.
struct Descriptor {
  struct Attribute {
    cudnnBackendAttributeType_t type;
    std::int64_t count;
    std::vector<std::byte> bytes;
  };

  explicit Descriptor(cudnnBackendDescriptorType_t its_type) : type(its_type) {}

  [[nodiscard]] bool has(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t of, std::int64_t count) const {
    const auto found = told.find(name);
    return found != told.end() && found->second.type == of && found->second.count == count;
  }
  template <class T>
  [[nodiscard]] T get(cudnnBackendAttributeName_t name) const {
    T value{};
    const auto found = told.find(name);
    if (found != told.end())
      std::memcpy(&value, found->second.bytes.data(), std::min(sizeof value, found->second.bytes.size()));
    return value;
  }
  /// Whether a plan was set from a text.
  [[nodiscard]] bool has_text() const { return told.contains(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION); }
  [[nodiscard]] const Descriptor* child(cudnnBackendAttributeName_t name) const { return get<const Descriptor*>(name); }

  cudnnBackendDescriptorType_t type;
  bool finished = false;
  std::map<cudnnBackendAttributeName_t, Attribute> told;
  Proposal proposed = {};             // if this is a proposal
  const Descriptor* graph = nullptr;  // the graph of the proposal
};

/// Returns the status, and keeps the reason for cudnnGetLastErrorString.
cudnnStatus_t refuse(cudnnStatus_t status, const char* reason);
inline cudnnStatus_t bad(const char* reason) { return refuse(CUDNN_STATUS_BAD_PARAM, reason); }

inline Type type_of(cudnnDataType_t type) {
  return type == CUDNN_DATA_DOUBLE ? Type::f64 : type == CUDNN_DATA_FLOAT ? Type::f32 : Type::bf16;
}

/// An attribute that must be set, with its type and length.
struct Wanted {
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  std::int64_t count;
};

inline bool has_all(const Descriptor& d, std::initializer_list<Wanted> wanted) {
  return std::ranges::all_of(wanted, [&](const Wanted& w) { return d.has(w.name, w.type, w.count); });
}

/// One run of a plan.
struct Run {
  cudaStream_t stream;
  const Descriptor& graph;
  const Engine& engine;
  const Descriptor& pack;
  std::byte* workspace;
  std::size_t workspace_bytes;
};

// Graphs of one convolution.
[[nodiscard]] bool is_convolution(cudnnBackendDescriptorType_t operation);
[[nodiscard]] cudnnStatus_t finish_convolution(const Descriptor& d);
[[nodiscard]] cudnnStatus_t finish_convolution_operation(const Descriptor& d);
[[nodiscard]] std::vector<Proposal> engines_of_convolution(const Descriptor& operation, cudnnBackendHeurMode_t mode);
[[nodiscard]] cudnnStatus_t run_convolution(const Run& run);

// Graphs of attention.
[[nodiscard]] cudnnStatus_t finish_attention_operation(const Descriptor& d);
[[nodiscard]] cudnnStatus_t finish_attention_graph(const std::vector<const Descriptor*>& operations);
[[nodiscard]] std::vector<Proposal> engines_of_attention(const std::vector<const Descriptor*>& operations,
                                                         cudnnBackendHeurMode_t mode);
[[nodiscard]] cudnnStatus_t run_attention(const Run& run);

/// The operations of a graph.
[[nodiscard]] std::vector<const Descriptor*> operations_of(const Descriptor& graph);

}  // namespace thalweg::nvidia
