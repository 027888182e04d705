// The stand-in for libcudnn.so.9: graphs of one convolution. It says of graphs what the real library says of them, and
// proposes engines of each sort: such as sum in the order of arrival, in TF32, or by large transforms, such as cannot
// be built after all or take much workspace, such as want aligned operands, and one for everything, which is asked for
// last.

#include <cudnn_graph.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "elements.hpp"
#include "stand_in.hpp"

/// A handle is its stream.
struct cudnnContext {
  cudaStream_t stream = nullptr;
  std::atomic<int> users = 0;
};

namespace {

using thalweg::nvidia::Type;
using Sizes = std::array<std::int64_t, 4>;  // batch, channels, height, width

std::atomic<int> times_asked = 0;
thread_local std::string why;

/// What an engine is.
struct Engine {
  std::int64_t number;
  std::vector<cudnnBackendNumericalNote_t> notes;
  std::int64_t workspace;
  std::int64_t alignment;
  bool can_be_built = true;
};

const std::vector<Engine>& fast_engines() {
  static const std::vector<Engine> engines{
      {20, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 0, 1},
      {67, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 131, 16},
      {48, {CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13}, 0, 1},
      {41, {}, 0, 1, false},
      {70, {}, std::int64_t{300} << 20, 1},
      {1, {}, 2304, 16},
  };
  return engines;
}

const Engine& engine_for_everything() {
  static const Engine engine{0, {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP}, 0, 1};
  return engine;
}

/// A descriptor: its attributes as they were told, until the library fills some in itself.
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
  [[nodiscard]] const Descriptor* child(cudnnBackendAttributeName_t name) const { return get<const Descriptor*>(name); }

  cudnnBackendDescriptorType_t type;
  bool finished = false;
  std::map<cudnnBackendAttributeName_t, Attribute> told;
  const Engine* engine = nullptr;     // of a proposal, its engine and its plan
  const Descriptor* graph = nullptr;  // that it was proposed for
};

Descriptor& of(cudnnBackendDescriptor_t descriptor) { return *static_cast<Descriptor*>(descriptor); }

cudnnStatus_t refuse(cudnnStatus_t status, const char* reason) {
  why = reason;
  return status;
}
cudnnStatus_t bad(const char* reason) { return refuse(CUDNN_STATUS_BAD_PARAM, reason); }

/// A use of a handle, which takes its time: two threads must not use one at once.
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

Type type_of(cudnnDataType_t type) {
  return type == CUDNN_DATA_DOUBLE ? Type::f64 : type == CUDNN_DATA_FLOAT ? Type::f32 : Type::bf16;
}

std::size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR: return 8;
    default: return 4;
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is checked when a descriptor is finished

/// Type and length of each attribute of a descriptor that must be told.
struct Wanted {
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  std::int64_t count;
};

bool has_all(const Descriptor& d, std::initializer_list<Wanted> wanted) {
  return std::ranges::all_of(wanted, [&](const Wanted& w) { return d.has(w.name, w.type, w.count); });
}

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
  const auto bytes = static_cast<std::int64_t>(
      thalweg::nvidia::bytes_of(type_of(d.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE))));
  return alignment <= 0 || alignment % bytes != 0 ? bad("_ptrAlignment") : CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finish_convolution(const Descriptor& d) {
  if (!has_all(d, {{CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1},
                   {CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1},
                   {CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1},
                   {CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2},
                   {CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2},
                   {CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2},
                   {CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2}}))
    return bad("a convolution is not described");
  const bool is_correlation =
      d.get<cudnnConvolutionMode_t>(CUDNN_ATTR_CONVOLUTION_CONV_MODE) == CUDNN_CROSS_CORRELATION;
  return is_correlation && d.get<std::int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS) == 2
             ? CUDNN_STATUS_SUCCESS
             : refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
}

/// The attributes of an operation follow each other in the order of the header.
struct Operation {
  cudnnBackendAttributeName_t alpha, beta, convolution, image, filter, value;
};

Operation names_of(cudnnBackendDescriptorType_t type) {
  if (type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
    return {CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
            CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y};
  if (type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
    return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
            CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY};
  return {CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
          CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,        CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY};
}

/// How many windows there are along an axis, by the library's rule.
bool windows_fit(const Descriptor& convolution, const Sizes& x, const Sizes& f, const Sizes& y) {
  using Pair = std::array<std::int64_t, 2>;
  const auto stride = convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
             dilation = convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_DILATIONS),
             before = convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
             after = convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS);
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t reach = (f[2 + axis] - 1) * dilation[axis] + 1;
    if (stride[axis] < 1 || dilation[axis] < 1 || before[axis] < 0 || after[axis] < 0) return false;
    if ((x[2 + axis] + before[axis] + after[axis] - reach) / stride[axis] + 1 != y[2 + axis]) return false;
  }
  return x[0] == y[0] && f[0] == y[1] && x[1] % f[1] == 0 && f[0] % (x[1] / f[1]) == 0;
}

cudnnStatus_t finish_operation(const Descriptor& d) {
  const Operation names = names_of(d.type);
  for (const auto name : {names.convolution, names.image, names.filter, names.value})
    if (!d.has(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1) || !d.child(name)->finished)
      return bad("(!xDesc.isFinalized())");
  const auto sizes = [&](cudnnBackendAttributeName_t name) {
    return d.child(name)->get<Sizes>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  };
  const Descriptor& convolution = *d.child(names.convolution);
  const bool is_f64 = convolution.get<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) == CUDNN_DATA_DOUBLE;
  const auto scale = is_f64 ? CUDNN_TYPE_DOUBLE : CUDNN_TYPE_FLOAT;
  if (!d.has(names.alpha, scale, 1) || !d.has(names.beta, scale, 1)) return bad("alpha and beta");
  return windows_fit(convolution, sizes(names.image), sizes(names.filter), sizes(names.value))
             ? CUDNN_STATUS_SUCCESS
             : bad("the sizes do not fit");
}

/// All operands of the operation of a graph have one type: for others the library proposes nothing.
bool is_of_one_type(const Descriptor& operation) {
  const Operation names = names_of(operation.type);
  const auto type = [&](cudnnBackendAttributeName_t name) {
    return operation.child(name)->get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE);
  };
  const bool computes_f64 =
      operation.child(names.convolution)->get<cudnnDataType_t>(CUDNN_ATTR_CONVOLUTION_COMP_TYPE) == CUDNN_DATA_DOUBLE;
  return type(names.image) == type(names.filter) && type(names.image) == type(names.value) &&
         computes_f64 == (type(names.image) == CUDNN_DATA_DOUBLE);
}

std::int64_t least_alignment(const Descriptor& operation) {
  const Operation names = names_of(operation.type);
  const auto alignment = [&](cudnnBackendAttributeName_t name) {
    return operation.child(name)->get<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  };
  return std::min({alignment(names.image), alignment(names.filter), alignment(names.value)});
}

std::vector<const Engine*> engines_for(const Descriptor& heuristics) {
  const Descriptor& operation =
      *heuristics.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->child(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  if (!is_of_one_type(operation)) return {};
  if (heuristics.get<cudnnBackendHeurMode_t>(CUDNN_ATTR_ENGINEHEUR_MODE) == CUDNN_HEUR_MODE_FALLBACK)
    return {&engine_for_everything()};
  std::vector<const Engine*> engines;
  for (const Engine& engine : fast_engines())
    if (engine.alignment <= least_alignment(operation)) engines.push_back(&engine);
  return engines;
}

cudnnStatus_t finish(const Descriptor& d) {
  switch (d.type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR: return finish_tensor(d);
    case CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR: return finish_convolution(d);
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: return finish_operation(d);
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR: {
      const Use use(d.get<cudnnHandle_t>(CUDNN_ATTR_OPERATIONGRAPH_HANDLE));
      return d.has(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1) &&
                     d.has(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, 1) &&
                     d.child(CUDNN_ATTR_OPERATIONGRAPH_OPS)->finished
                 ? CUDNN_STATUS_SUCCESS
                 : bad("a graph without an operation");
    }
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
      ++times_asked;
      return d.has(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1) &&
                     d.has(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1) &&
                     d.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)->finished
                 ? CUDNN_STATUS_SUCCESS
                 : bad("nothing to propose engines for");
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR: {
      if (!d.has(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1)) return bad("no engine");
      return d.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine->can_be_built
                 ? CUDNN_STATUS_SUCCESS
                 : refuse(CUDNN_STATUS_NOT_SUPPORTED, "this engine cannot be built");
    }
    case CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR:
      return has_all(d, {{CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3},
                         {CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3},
                         {CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1}})
                 ? CUDNN_STATUS_SUCCESS
                 : bad("addresses are missing");
    default: return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
  }
}

// ---------------------------------------------------------------------------------------------------------------------
// A convolution by plain loops

struct Tensor {
  Type type;
  Sizes sizes, strides;
  std::byte* at;  // the device's

  [[nodiscard]] std::int64_t elements() const { return sizes[0] * sizes[1] * sizes[2] * sizes[3]; }
  [[nodiscard]] std::int64_t place(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) const {
    return a * strides[0] + b * strides[1] + c * strides[2] + d * strides[3];
  }
};

struct Work {
  cudnnBackendDescriptorType_t type;
  bool tf32;
  std::array<std::int64_t, 2> stride, dilation, before;
  Tensor image, filter, value;
};

/// Each term of the sum that the three have in common is added to that one of them which is open.
void convolve(const Work& work) {
  const bool opens_value = work.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  const bool opens_image = work.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
  const Tensor &x = work.image, &f = work.filter, &y = work.value;
  const Tensor& open = opens_value ? y : opens_image ? x : f;
  std::byte *at_x = thalweg::nvidia::near(x.at), *at_f = thalweg::nvidia::near(f.at),
            *at_y = thalweg::nvidia::near(y.at);
  const auto read = [&](const std::byte* from, Type type, std::int64_t place) {
    const double value = thalweg::nvidia::read(from, type, place);
    return work.tf32 && type == Type::f32 ? thalweg::nvidia::to_tf32(value) : value;
  };
  std::vector<double> sums(static_cast<std::size_t>(open.elements()));
  const std::int64_t in = f.sizes[1], out = f.sizes[0] / (x.sizes[1] / in);
  for (std::int64_t n = 0; n < y.sizes[0]; ++n) {
    for (std::int64_t o = 0; o < y.sizes[1]; ++o) {
      for (std::int64_t i = 0; i < y.sizes[2]; ++i) {
        for (std::int64_t j = 0; j < y.sizes[3]; ++j) {
          for (std::int64_t u = 0; u < f.sizes[2]; ++u) {
            for (std::int64_t v = 0; v < f.sizes[3]; ++v) {
              const std::int64_t row = i * work.stride[0] - work.before[0] + u * work.dilation[0],
                                 column = j * work.stride[1] - work.before[1] + v * work.dilation[1];
              if (row < 0 || row >= x.sizes[2] || column < 0 || column >= x.sizes[3]) continue;
              for (std::int64_t c = 0; c < in; ++c) {
                const std::int64_t in_x = x.place(n, o / out * in + c, row, column), in_f = f.place(o, c, u, v),
                                   in_y = y.place(n, o, i, j);
                if (opens_value) {
                  sums[static_cast<std::size_t>(in_y)] += read(at_x, x.type, in_x) * read(at_f, f.type, in_f);
                } else if (opens_image) {
                  sums[static_cast<std::size_t>(in_x)] += read(at_y, y.type, in_y) * read(at_f, f.type, in_f);
                } else {
                  sums[static_cast<std::size_t>(in_f)] += read(at_x, x.type, in_x) * read(at_y, y.type, in_y);
                }
              }
            }
          }
        }
      }
    }
  }
  std::byte* to = opens_value ? at_y : opens_image ? at_x : at_f;
  for (std::size_t i = 0; i < sums.size(); ++i)
    thalweg::nvidia::write(to, open.type, static_cast<std::int64_t>(i), sums[i]);
}

Tensor tensor_of(const Descriptor& d, const Descriptor& pack) {
  const auto ids = pack.get<std::array<std::int64_t, 3>>(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS);
  const auto addresses = pack.get<std::array<std::byte*, 3>>(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS);
  const auto k = std::ranges::find(ids, d.get<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)) - ids.begin();
  return {type_of(d.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)), d.get<Sizes>(CUDNN_ATTR_TENSOR_DIMENSIONS),
          d.get<Sizes>(CUDNN_ATTR_TENSOR_STRIDES), k < 3 ? addresses[static_cast<std::size_t>(k)] : nullptr};
}

bool is_aligned(const Tensor& tensor, const Descriptor& d) {
  const auto alignment = d.get<std::uint64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  return tensor.at != nullptr && reinterpret_cast<std::uintptr_t>(tensor.at) % alignment == 0;
}

cudnnStatus_t execute(cudnnHandle_t handle, const Descriptor& plan, const Descriptor& pack) {
  const Descriptor& proposal = *plan.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
  const Engine& engine = *proposal.engine;
  const Descriptor& operation = *proposal.graph->child(CUDNN_ATTR_OPERATIONGRAPH_OPS);
  const Operation names = names_of(operation.type);
  const Descriptor& convolution = *operation.child(names.convolution);
  const bool runs = engine.number == 0 || engine.number == 1 || engine.number == 67;
  if (!runs) return refuse(CUDNN_STATUS_EXECUTION_FAILED, "an engine that was to be refused");
  using Pair = std::array<std::int64_t, 2>;
  const Work work{operation.type,
                  engine.number == 67,
                  convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES),
                  convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_DILATIONS),
                  convolution.get<Pair>(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS),
                  tensor_of(*operation.child(names.image), pack),
                  tensor_of(*operation.child(names.filter), pack),
                  tensor_of(*operation.child(names.value), pack)};
  if (!is_aligned(work.image, *operation.child(names.image)) ||
      !is_aligned(work.filter, *operation.child(names.filter)) ||
      !is_aligned(work.value, *operation.child(names.value)))
    return refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "an address is not aligned");
  auto* workspace = pack.get<std::byte*>(CUDNN_ATTR_VARIANT_PACK_WORKSPACE);
  if (engine.workspace > 0 && workspace == nullptr) return bad("no workspace");
  const auto bytes = static_cast<std::size_t>(engine.workspace);
  thalweg::nvidia::enqueue(handle->stream, [work, workspace, bytes] {
    if (bytes > 0) std::memset(thalweg::nvidia::near(workspace), 0xff, bytes);  // it is the engine's to write
    convolve(work);
  });
  return CUDNN_STATUS_SUCCESS;
}

/// Fills in proposals, or the engine of one.
cudnnStatus_t give_descriptors(const Descriptor& d, cudnnBackendAttributeName_t name, std::int64_t room,
                               std::int64_t* count, cudnnBackendDescriptor_t* into) {
  if (name == CUDNN_ATTR_ENGINECFG_ENGINE) {
    of(into[0]).engine = d.engine;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  if (name != CUDNN_ATTR_ENGINEHEUR_RESULTS) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
  const std::vector<const Engine*> engines = engines_for(d);
  *count = static_cast<std::int64_t>(engines.size());
  for (std::int64_t k = 0; k < std::min(room, *count); ++k) {
    Descriptor& proposal = of(into[k]);
    if (proposal.type != CUDNN_BACKEND_ENGINECFG_DESCRIPTOR) return bad("getDescriptorType()");
    proposal.engine = engines[static_cast<std::size_t>(k)];
    proposal.graph = d.child(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
    proposal.finished = true;
  }
  if (room > 0) *count = std::min(room, *count);
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace

extern "C" {

/// How often somebody asked for engines.
int thalweg_stand_in_convolutions_asked() { return times_asked; }

size_t cudnnGetVersion() { return 91900; }

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
    const auto& notes = d.engine->notes;
    *count = static_cast<std::int64_t>(notes.size());
    std::copy_n(notes.begin(), std::min(room, *count), static_cast<cudnnBackendNumericalNote_t*>(into));
    return CUDNN_STATUS_SUCCESS;
  }
  if (name == CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE && type == CUDNN_TYPE_INT64 && d.finished) {
    *static_cast<std::int64_t*>(into) = d.child(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)->engine->workspace;
    *count = 1;
    return CUDNN_STATUS_SUCCESS;
  }
  return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
}

cudnnStatus_t cudnnBackendExecute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
  if (!of(plan).finished || !of(pack).finished) return refuse(CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED, "not finished");
  const Use use(handle);
  return execute(handle, of(plan), of(pack));
}
}
