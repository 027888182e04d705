// The stand-in for libcudnn.so.9: graphs of one convolution (cudnn_convolution.cpp) or of attention
// (cudnn_attention.cpp). It accepts and refuses the same graphs as the real library.

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "cudnn_graph.hpp"

/// A handle has only a stream.
struct cudnnContext {
  cudaStream_t stream = nullptr;
  std::atomic<int> users = 0;
};

namespace thalweg::nvidia {

namespace {

std::atomic<int> times_asked = 0;
thread_local std::string why;

Descriptor& of(cudnnBackendDescriptor_t descriptor) { return *static_cast<Descriptor*>(descriptor); }

/// Marks a handle as used by a call, and aborts if two threads use it at the same time. The calls are slow on purpose.
class Use {
 public:
  explicit Use(cudnnHandle_t handle) : handle_(handle) {
    if (handle_ == nullptr) return;
    if (++handle_->users > 1) {
      std::fprintf(stderr, "[stand-in for cuDNN] two threads use a handle at once\n");
      std::abort();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  ~Use() {
    if (handle_ != nullptr) --handle_->users;
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  cudnnHandle_t handle_;
};

std::size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR: return 1;
    default: return 4;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// Checks when a descriptor is finalised

cudnnStatus_t finish_tensor(const Descriptor& d) {
  if (!has_all(d, {{CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1},
                   {CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1},
                   {CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4},
                   {CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4},
                   {CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1}}))
    return bad("a tensor is not described");
  const auto sizes = d.get<Sizes>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  if (std::ranges::any_of(sizes, [](std::int64_t size) { return size < 1; })) return bad("a size below 1");
  const auto alignment = d.get<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  const auto bytes =
      static_cast<std::int64_t>(nvidia::bytes_of(type_of(d.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE))));
  return alignment <= 0 || alignment % bytes != 0 ? bad("_ptrAlignment") : CUDNN_STATUS_SUCCESS;
}

std::vector<Proposal> engines_for(const Descriptor& heuristics) {
  const auto operations = operations_of(*heuristics.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
  const auto mode = heuristics.get<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE);
  return is_convolution(operations[0]->type) ? engines_of_convolution(*operations[0], mode)
                                             : engines_of_attention(operations, mode);
}

cudnnStatus_t finish_graph(const Descriptor& d) {
  const Use use(d.get<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE));
  const auto operations = operations_of(d);
  const bool has_finished = std::ranges::all_of(operations, [](const Descriptor* each) { return each->finished; });
  if (operations.empty() || !has_finished || !d.has(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1))
    return bad("a graph without an operation");
  if (!is_convolution(operations[0]->type)) return finish_attention_graph(operations);
  return operations.size() == 1 ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
}

cudnnStatus_t finish_pack(const Descriptor& d) {
  const auto ids = d.told.find(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const std::int64_t count = ids == d.told.end() ? 0 : ids->second.count;
  return has_all(d, {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, count},
                     {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, count},
                     {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1}})
             ? CUDNN_STATUS_SUCCESS
             : bad("addresses are missing");
}

// ---------------------------------------------------------------------------------------------------------------------
// Plans as text: the text is the number of a plan that this process has saved

/// A permanent copy of a descriptor and of all descriptors that it refers to.
const Descriptor* kept(const Descriptor& d, std::map<const Descriptor*, const Descriptor*>& known) {
  if (const auto found = known.find(&d); found != known.end()) return found->second;
  auto* copy = new Descriptor(d);
  known[&d] = copy;
  for (auto& [name, attribute] : copy->told) {
    if (attribute.type != CUDNN_TYPE_BACKEND_DESCRIPTOR) continue;
    for (std::int64_t k = 0; k < attribute.count; ++k) {
      const Descriptor* child = nullptr;
      std::byte* const at = attribute.bytes.data() + static_cast<std::size_t>(k) * sizeof child;
      std::memcpy(&child, at, sizeof child);
      child = kept(*child, known);
      std::memcpy(at, &child, sizeof child);
    }
  }
  return copy;
}

struct Written {
  Proposal proposed;
  const Descriptor* graph;
};
std::vector<Written>& written() {
  static auto& all = *new std::vector<Written>;
  return all;
}
constexpr std::string_view plan_head = "stand-in's plan ";

/// The descriptor that says how a plan runs: the proposal that it was made of, or the plan itself if it was restored.
const Descriptor& chosen_by(const Descriptor& plan) {
  return plan.has_text() ? plan : *plan.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
}

cudnnStatus_t restore(Descriptor& plan) {
  const auto& bytes = plan.told.at(CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION).bytes;
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(plan_head)) return bad("this is no plan");
  const auto number = std::strtoull(text.c_str() + plan_head.size(), nullptr, 10);
  if (number >= written().size()) return bad("a plan of another library");
  plan.proposed = written()[number].proposed;
  plan.graph = written()[number].graph;
  return CUDNN_STATUS_SUCCESS;
}

/// Writes a plan as text, as much of it as there is room for.
cudnnStatus_t write_plan(const Descriptor& plan, std::int64_t room, std::int64_t* count, char* into) {
  const Descriptor& chosen = chosen_by(plan);
  std::map<const Descriptor*, const Descriptor*> known;
  if (room > 0) written().push_back({chosen.proposed, kept(*chosen.graph, known)});
  std::array<char, 40> text_of_number{};  // always of the same length
  std::snprintf(text_of_number.data(), text_of_number.size(), "%s%08zu", plan_head.data(),
                room > 0 ? written().size() - 1 : std::size_t{0});
  const std::string text = text_of_number.data();
  *count = static_cast<std::int64_t>(text.size());
  if (room > 0) std::memcpy(into, text.data(), static_cast<std::size_t>(std::min(room, *count)));
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finish(Descriptor& d) {
  switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR: return finish_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: return finish_convolution(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: return finish_convolution_operation(d);
    case CUDNN_BACKEND_MATMUL_DESCRIPTOR:
    case CUDNN_BACKEND_REDUCTION_DESCRIPTOR:
    case CUDNN_BACKEND_POINTWISE_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR: return finish_attention_operation(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: return finish_graph(d);
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      ++times_asked;
      return d.has(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1) &&
                     d.has(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1) &&
                     d.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->finished
                 ? CUDNN_STATUS_SUCCESS
                 : bad("nothing to propose engines for");
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
      if (d.has_text()) return restore(d);
      if (!d.has(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1)) return bad("no engine");
      return d.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->proposed.engine->can_be_built
                 ? CUDNN_STATUS_SUCCESS
                 : refuse(CUDNN_STATUS_NOT_SUPPORTED, "this engine cannot be built");
    }
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR: return finish_pack(d);
    default: return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
  }
}

cudnnStatus_t execute(cudnnHandle_t handle, const Descriptor& plan, const Descriptor& pack) {
  const Descriptor& proposal = chosen_by(plan);
  const Proposal& proposed = proposal.proposed;
  auto* workspace = pack.get<std::byte*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (proposed.workspace > 0 && workspace == nullptr) return bad("no workspace");
  const Run run{handle->stream, *proposal.graph, *proposed.engine,
                pack,           workspace,       static_cast<std::size_t>(proposed.workspace)};
  return is_convolution(operations_of(*proposal.graph)[0]->type) ? run_convolution(run) : run_attention(run);
}

/// Fills in the proposals for a graph, or the engine of a proposal.
cudnnStatus_t give_descriptors(const Descriptor& d, cudnnBackendAttributeName_t name, std::int64_t room,
                               std::int64_t* count, cudnnBackendDescriptor_t* into) {
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    of(into[0]).proposed = d.proposed;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name != CUDNN_ATTR_ENGINEHEUR_RESULTS) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
  const std::vector<Proposal> engines = engines_for(d);
  *count = static_cast<std::int64_t>(engines.size());
  for (std::int64_t k = 0; k < std::min(room, *count); ++k) {
    Descriptor& proposal = of(into[k]);
    if (proposal.type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) return bad("getDescriptorType()");
    proposal.proposed = engines[static_cast<std::size_t>(k)];
    proposal.graph = d.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    proposal.finished = true;
  }
  if (room > 0) *count = std::min(room, *count);
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

cudnnStatus_t refuse(cudnnStatus_t status, const char* reason) {
  why = reason;
  return status;
}

std::vector<const Descriptor*> operations_of(const Descriptor& graph) {
  const auto found = graph.told.find(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (found == graph.told.end() || found->second.type != CUDNN_TYPE_BACKEND_DESCRIPTOR) return {};
  std::vector<const Descriptor*> operations(static_cast<std::size_t>(found->second.count));
  std::memcpy(operations.data(), found->second.bytes.data(), found->second.bytes.size());
  return operations;
}

}  // namespace thalweg::nvidia

using namespace thalweg::nvidia;

extern "C" {

/// The number of requests for engines so far.
int thalweg_stand_in_plans_asked() { return times_asked; }

/// The environment variable THALWEG_STAND_IN_CUDNN sets another version.
size_t cudnnGetVersion() {
  const char* text = std::getenv("THALWEG_STAND_IN_CUDNN");
  return text == nullptr ? 91900 : std::strtoull(text, nullptr, 10);
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  return status == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM" : "the stand-in's error";
}

void cudnnGetLastErrorString(char* message, size_t room) {
  std::strncpy(message, why.c_str(), room - 1);
  message[room - 1] = '\0';
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  *handle = new cudnnContext;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendCreateDescriptor(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t* descriptor) {
  *descriptor = new Descriptor(type);
  return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnBackendDestroyDescriptor(cudnnBackendDescriptor_t descriptor) {
  delete &of(descriptor);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendFinalize(cudnnBackendDescriptor_t descriptor) {
  Descriptor& d = of(descriptor);
  if (d.finished) return bad("it is finished already");
  const cudnnStatus_t status = finish(d);
  d.finished = status == CUDNN_STATUS_SUCCESS;
  return status;
}

cudnnStatus_t cudnnBackendSetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  Descriptor& d = of(descriptor);
  if (d.finished) return bad("it is finished already");
  if (count < 1 || values == nullptr) return bad("elementCount");
  const auto* bytes = static_cast<const std::byte*>(values);
  d.told[name] = {type, count, {bytes, bytes + static_cast<std::size_t>(count) * bytes_of(type)}};
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnBackendGetAttribute(cudnnBackendDescriptor_t descriptor, cudnnBackendAttributeName_t name,
                                       cudnnBackendAttributeType_t type, int64_t room, int64_t* count, void* into) {
  const Descriptor& d = of(descriptor);
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    if (!d.finished) return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "it is not finished");
    return give_descriptors(d, name, room, count, static_cast<cudnnBackendDescriptor_t*>(into));
  }
  if (name == CUDNN_ATTR_ENGINE_NUMERICAL_NOTE && type == CUDNN_TYPE_NUMERICAL_NOTE) {
    const auto& notes = d.proposed.engine->notes;
    *count = static_cast<std::int64_t>(notes.size());
    std::copy_n(notes.begin(), std::min(room, *count), static_cast<cudnnBackendNumericalNote_t*>(into));
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && type == CUDNN_TYPE_INT64 && d.finished) {
    *static_cast<std::int64_t*>(into) = chosen_by(d).proposed.workspace;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION && type == CUDNN_TYPE_CHAR && d.finished)
    return write_plan(d, room, count, static_cast<char*>(into));
  return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  if (!of(plan).finished || !of(pack).finished) return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "not finished");
  const Use use(handle);
  return execute(handle, of(plan), of(pack));
}
}
