// Graphs of one convolution, computed by plain loops. The stand-in proposes all kinds of engines that the library must
// be able to reject: nondeterministic ones, TF32, large transforms, some that cannot be built, some that need much
// workspace or aligned operands. The last one works for everything.

#include "cudnn_graph.hpp"

namespace thalweg::nvidia {

namespace {

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

/// The names of the attributes of a convolution operation.
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

/// Whether the number of windows along each axis follows the library's formula.
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

/// Whether all operands have the same type; for mixed types the library proposes nothing.
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

struct Tensor {
  Type type;
  Sizes sizes, strides;
  std::byte* at;  // address on the device

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

/// Computes one of image, filter and value from the other two: all three convolutions sum the same products of two. S
/// is the type of the sum. Its order depends on the sizes, because the real library chooses its engine by them.
template <class S>
void convolve_in(const Work& work) {
  const bool opens_value = work.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR;
  const bool opens_image = work.type == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR;
  const Tensor &x = work.image, &f = work.filter, &y = work.value;
  const Tensor& open = opens_value ? y : opens_image ? x : f;
  std::byte *at_x = near(x.at), *at_f = near(f.at), *at_y = near(y.at);
  const auto read = [&](const std::byte* from, Type type, std::int64_t place) {
    const double value = nvidia::read(from, type, place);
    return work.tf32 && type == Type::f32 ? to_tf32(value) : value;
  };
  std::vector<S> sums(static_cast<std::size_t>(open.elements()));
  const auto add = [&sums](std::int64_t place, double term) {
    sums[static_cast<std::size_t>(place)] += static_cast<S>(term);
  };
  const bool from_the_end = (x.sizes[0] + x.sizes[1] + y.sizes[1] + y.sizes[2]) % 2 != 0;
  const std::int64_t in = f.sizes[1], out = f.sizes[0] / (x.sizes[1] / in);
  for (std::int64_t nth = 0; nth < y.sizes[0]; ++nth) {
    const std::int64_t n = from_the_end ? y.sizes[0] - 1 - nth : nth;
    for (std::int64_t o = 0; o < y.sizes[1]; ++o) {
      for (std::int64_t i = 0; i < y.sizes[2]; ++i) {
        for (std::int64_t j = 0; j < y.sizes[3]; ++j) {
          for (std::int64_t u = 0; u < f.sizes[2]; ++u) {
            for (std::int64_t v = 0; v < f.sizes[3]; ++v) {
              const std::int64_t row = i * work.stride[0] - work.before[0] + u * work.dilation[0],
                                 column = j * work.stride[1] - work.before[1] + v * work.dilation[1];
              if (row < 0 || row >= x.sizes[2] || column < 0 || column >= x.sizes[3]) continue;
              for (std::int64_t cth = 0; cth < in; ++cth) {
                const std::int64_t c = from_the_end ? in - 1 - cth : cth;
                const std::int64_t in_x = x.place(n, o / out * in + c, row, column), in_f = f.place(o, c, u, v),
                                   in_y = y.place(n, o, i, j);
                if (opens_value) {
                  add(in_y, read(at_x, x.type, in_x) * read(at_f, f.type, in_f));
                } else if (opens_image) {
                  add(in_x, read(at_y, y.type, in_y) * read(at_f, f.type, in_f));
                } else {
                  add(in_f, read(at_x, x.type, in_x) * read(at_y, y.type, in_y));
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
    nvidia::write(to, open.type, static_cast<std::int64_t>(i), static_cast<double>(sums[i]));
}

void convolve(const Work& work) {
  if (work.image.type == Type::f64) {
    convolve_in<double>(work);
  } else {
    convolve_in<float>(work);
  }
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

}  // namespace

bool is_convolution(cudnnBackendDescriptorType_t operation) {
  return operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR ||
         operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR ||
         operation == CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR;
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

cudnnStatus_t finish_convolution_operation(const Descriptor& d) {
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

std::vector<Proposal> engines_of_convolution(const Descriptor& operation, cudnnBackendHeurMode_t mode) {
  if (!is_of_one_type(operation)) return {};
  if (mode == CUDNN_HEUR_MODE_FALLBACK) return {{&engine_for_everything(), 0}};
  std::vector<Proposal> engines;
  for (const Engine& engine : fast_engines())
    if (engine.alignment <= least_alignment(operation)) engines.push_back({&engine, engine.workspace});
  return engines;
}

cudnnStatus_t run_convolution(const Run& run) {
  const Engine& engine = run.engine;
  const Descriptor& operation = *operations_of(run.graph)[0];
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
                  tensor_of(*operation.child(names.image), run.pack),
                  tensor_of(*operation.child(names.filter), run.pack),
                  tensor_of(*operation.child(names.value), run.pack)};
  if (!is_aligned(work.image, *operation.child(names.image)) ||
      !is_aligned(work.filter, *operation.child(names.filter)) ||
      !is_aligned(work.value, *operation.child(names.value)))
    return refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "an address is not aligned");
  enqueue(run.stream, [work, workspace = run.workspace, bytes = run.workspace_bytes] {
    if (bytes > 0) std::memset(near(workspace), 0xff, bytes);  // the engine may overwrite its workspace
    convolve(work);
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace thalweg::nvidia
