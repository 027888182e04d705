// Graphs of attention and its gradient: products, reductions and elementwise operations, which plain loops compute one
// after another. Like the real library, this one has engines for exactly two lists of operations.

#include <cmath>
#include <memory>
#include <set>
#include <string>

#include "cudnn_graph.hpp"

namespace thalweg::nvidia {

namespace {

// ---------------------------------------------------------------------------------------------------------------------
// Properties of operations

/// A kind of operation, and the attributes that hold its operands and its result.
struct Names {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t how, result;
  std::vector<cudnnBackendAttributeName_t> reads;  // the required operands, then the optional ones
  std::size_t needed;
};

const Names* names_of(cudnnBackendDescriptorType_t type) {
  static const std::vector<Names> all{{CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR,
                                       CUDNN_ATTR_OPERATION_MATMUL_DESC,
                                       CUDNN_ATTR_OPERATION_MATMUL_CDESC,
                                       {CUDNN_ATTR_OPERATION_MATMUL_ADESC, CUDNN_ATTR_OPERATION_MATMUL_BDESC},
                                       2},
                                      {CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR,
                                       CUDNN_ATTR_OPERATION_REDUCTION_DESC,
                                       CUDNN_ATTR_OPERATION_REDUCTION_YDESC,
                                       {CUDNN_ATTR_OPERATION_REDUCTION_XDESC},
                                       1},
                                      {CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR,
                                       CUDNN_ATTR_OPERATION_RESHAPE_XDESC,
                                       CUDNN_ATTR_OPERATION_RESHAPE_YDESC,
                                       {CUDNN_ATTR_OPERATION_RESHAPE_XDESC},
                                       1},
                                      {CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR,
                                       CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR,
                                       CUDNN_ATTR_OPERATION_POINTWISE_YDESC,
                                       {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, CUDNN_ATTR_OPERATION_POINTWISE_BDESC,
                                        CUDNN_ATTR_OPERATION_POINTWISE_TDESC},
                                       1}};
  const auto found = std::ranges::find(all, type, &Names::type);
  return found == all.end() ? nullptr : &*found;
}

/// An elementwise operation, the number of its operands, and its letter in the list of a graph's operations.
struct Mode {
  cudnnPointwiseMode_t mode;
  std::size_t reads;
  char letter;
};

const Mode* mode_of(const Descriptor& how) {
  static const std::vector<Mode> modes{
      {CUDNN_POINTWISE_ADD, 2, '+'},       {CUDNN_POINTWISE_SUB, 2, '-'},    {CUDNN_POINTWISE_MUL, 2, '*'},
      {CUDNN_POINTWISE_DIV, 2, '/'},       {CUDNN_POINTWISE_EXP, 1, 'e'},    {CUDNN_POINTWISE_LOG, 1, 'l'},
      {CUDNN_POINTWISE_GEN_INDEX, 1, 'i'}, {CUDNN_POINTWISE_CMP_GE, 2, '>'}, {CUDNN_POINTWISE_BINARY_SELECT, 3, '?'}};
  const auto found = std::ranges::find(modes, how.get<cudnnPointwiseMode_t>(CUDNN_ATTR_POINTWISE_MODE), &Mode::mode);
  return found == modes.end() ? nullptr : &*found;
}

bool has_child(const Descriptor& d, cudnnBackendAttributeName_t name) {
  return d.has(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1) && d.child(name)->finished;
}
Sizes sizes_of(const Descriptor* tensor) { return tensor->get<Sizes>(CUDNN_ATTR_TENSOR_DIMENSIONS); }
bool is(const Descriptor& tensor, cudnnBackendAttributeName_t what) { return tensor.get<bool>(what); }
std::int64_t count_of(const Sizes& sizes) { return sizes[0] * sizes[1] * sizes[2] * sizes[3]; }

std::vector<const Descriptor*> reads_of(const Descriptor& operation) {
  std::vector<const Descriptor*> reads;
  for (const auto name : names_of(operation.type)->reads)
    if (has_child(operation, name)) reads.push_back(operation.child(name));
  return reads;
}
const Descriptor* result_of(const Descriptor& operation) { return operation.child(names_of(operation.type)->result); }
const Descriptor& how_of(const Descriptor& operation) { return *operation.child(names_of(operation.type)->how); }

/// Whether the sizes of the operands lead to those of the result.
bool sizes_fit(const Descriptor& operation, const std::vector<const Descriptor*>& reads) {
  const Sizes y = sizes_of(result_of(operation)), x = sizes_of(reads[0]);
  if (operation.type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) {
    const Sizes b = sizes_of(reads[1]);
    return y == Sizes{x[0], x[1], x[2], b[3]} && b == Sizes{x[0], x[1], x[3], y[3]};
  }
  if (operation.type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR) return y == Sizes{x[0], x[1], x[2], 1};
  if (operation.type == CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR) return y == Sizes{x[0], x[1], x[3], x[2]};
  return std::ranges::all_of(reads, [&](const Descriptor* each) {
    const Sizes sizes = sizes_of(each);
    for (std::size_t axis = 0; axis < 4; ++axis)
      if (sizes[axis] != y[axis] && sizes[axis] != 1) return false;
    return true;
  });
}

/// The list of a graph's operations, one letter for each.
std::string list_of(const std::vector<const Descriptor*>& operations) {
  std::string list;
  for (const Descriptor* each : operations) {
    if (each->type == CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR) list += 'P';
    if (each->type == CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR) list += 'T';
    if (each->type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR) list += mode_of(how_of(*each))->letter;
    if (each->type == CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR) {
      const auto by = how_of(*each).get<cudnnReduceTensorOp_t>(CUDNN_ATTR_REDUCTION_OPERATOR);
      list += by == CUDNN_REDUCE_TENSOR_MAX ? 'M' : 'S';
    }
  }
  return list;
}

/// The list without the operations of a causal mask.
std::string without_mask(std::string list) {
  for (const std::string mask : {"i+-i>?", "ii>?"}) {
    if (const auto at = list.find(mask); at != std::string::npos) return list.erase(at, mask.size());
  }
  return list;
}

constexpr std::string_view forward = "P*M-eSl+/P", backward = "*S*P*-eTPP-**TPTP";

std::uintptr_t alignment_of(const Descriptor& tensor) {
  return static_cast<std::uintptr_t>(tensor.get<std::int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT));
}

/// Whether a tensor in memory begins at a multiple of 16 bytes where it is in bf16, and its heads have a width that the
/// fast copies of a GPU support.
bool is_supported(const Descriptor& tensor) {
  if (is(tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL) || is(tensor, CUDNN_ATTR_TENSOR_IS_BY_VALUE)) return true;
  const Sizes sizes = sizes_of(&tensor), strides = tensor.get<Sizes>(CUDNN_ATTR_TENSOR_STRIDES);
  const bool is_bf16 = tensor.get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE) == CUDNN_DATA_BFLOAT16;
  if (sizes[3] == 1 && !is_bf16) return alignment_of(tensor) >= sizeof(float);  // one number for each row
  if (alignment_of(tensor) < 16) return false;
  const std::int64_t width = strides[3] == 1 ? sizes[3] : sizes[2];
  return is_bf16 && std::min(strides[2], strides[3]) == 1 && width % 8 == 0 && width <= 256;
}

// ---------------------------------------------------------------------------------------------------------------------
// Computation

/// A value of a graph: its address in memory, or its elements if it is virtual.
struct Place {
  cudnnDataType_t type;
  Sizes sizes, strides;
  bool in_memory;
  std::byte* at;               // address on the device
  std::vector<double> values;  // row-major

  [[nodiscard]] std::int64_t index(const Sizes& i) const {
    return ((i[0] * sizes[1] + i[1]) * sizes[2] + i[2]) * sizes[3] + i[3];
  }
  [[nodiscard]] double& of(const Sizes& i) { return values[static_cast<std::size_t>(index(i))]; }
  /// The element of a value that is broadcast along axes of size 1.
  [[nodiscard]] double spread(Sizes i) {
    for (std::size_t axis = 0; axis < 4; ++axis) i[axis] = std::min(i[axis], sizes[axis] - 1);
    return of(i);
  }
};

template <class F>
void for_each(const Sizes& sizes, const F& f) {
  Sizes i{};
  for (i[0] = 0; i[0] < sizes[0]; ++i[0])
    for (i[1] = 0; i[1] < sizes[1]; ++i[1])
      for (i[2] = 0; i[2] < sizes[2]; ++i[2])
        for (i[3] = 0; i[3] < sizes[3]; ++i[3]) f(i);
}

std::int64_t address(const Place& place, const Sizes& i) {
  std::int64_t sum = 0;
  for (std::size_t axis = 0; axis < 4; ++axis) sum += i[axis] * place.strides[axis];
  return sum;
}

double rounded(double x, cudnnDataType_t type) {
  if (type == CUDNN_DATA_BFLOAT16) return static_cast<double>(static_cast<float>(to_bf16(static_cast<float>(x))));
  return type == CUDNN_DATA_FLOAT ? static_cast<float>(x) : x;
}

struct Step {
  char letter;  // of the operation
  std::int64_t axis;
  std::vector<Place*> reads;
  Place* result;
};

double elementwise(const Step& step, const Sizes& i) {
  const auto x = [&](std::size_t k) { return step.reads[k]->spread(i); };
  switch (step.letter) {
    case '+': return x(0) + x(1);
    case '-': return x(0) - x(1);
    case '*': return x(0) * x(1);
    case '/': return x(0) / x(1);
    case 'e': return std::exp(x(0));
    case 'l': return std::log(x(0));
    case 'i': return static_cast<double>(i[static_cast<std::size_t>(step.axis)]);
    case '>': return x(0) >= x(1) ? 1 : 0;
    default: return x(2) != 0 ? x(0) : x(1);
  }
}

double computed(const Step& step, const Sizes& i) {
  Place& x = *step.reads[0];
  switch (step.letter) {
    case 'P': {
      double sum = 0;
      for (std::int64_t k = 0; k < x.sizes[3]; ++k)
        sum += x.of({i[0], i[1], i[2], k}) * step.reads[1]->of({i[0], i[1], k, i[3]});
      return sum;
    }
    case 'T': return x.of({i[0], i[1], i[3], i[2]});
    case 'M':
    case 'S': {
      double result = step.letter == 'M' ? -std::numeric_limits<double>::infinity() : 0;
      for (std::int64_t k = 0; k < x.sizes[3]; ++k) {
        const double each = x.of({i[0], i[1], i[2], k});
        result = step.letter == 'S' ? result + each : std::max(result, each);
      }
      return result;
    }
    default: return elementwise(step, i);
  }
}

/// All data of a run; the descriptors may have been destroyed when it begins.
struct Work {
  std::map<std::int64_t, std::unique_ptr<Place>> places;  // by their numbers
  std::vector<Step> steps;

  void carry_out() {
    for (const auto& [id, place] : places) {
      if (!place->in_memory) continue;
      place->values.resize(static_cast<std::size_t>(count_of(place->sizes)));
      const Type type = type_of(place->type);
      for_each(place->sizes,
               [&](const Sizes& i) { place->of(i) = nvidia::read(near(place->at), type, address(*place, i)); });
    }
    for (const Step& step : steps) {
      Place& y = *step.result;
      std::vector<double> values;
      for_each(y.sizes, [&](const Sizes& i) { values.push_back(rounded(computed(step, i), y.type)); });
      y.values = std::move(values);
      if (y.in_memory)
        for_each(y.sizes, [&](const Sizes& i) { nvidia::write(near(y.at), type_of(y.type), address(y, i), y.of(i)); });
    }
  }
};

/// The number at an address of the host, read now.
double number_at(const std::byte* at, cudnnDataType_t type) {
  std::int32_t integer = 0;
  float real = 0;
  std::memcpy(&integer, at, sizeof integer);
  std::memcpy(&real, at, sizeof real);
  return type == CUDNN_DATA_INT32 ? integer : static_cast<double>(real);
}

}  // namespace

cudnnStatus_t finish_attention_operation(const Descriptor& d) {
  if (d.type == CUDNN_BACKEND_MATMUL_DESCRIPTOR)
    return has_all(d, {{CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1}}) ? CUDNN_STATUS_SUCCESS
                                                                                : bad("a product is not described");
  if (d.type == CUDNN_BACKEND_REDUCTION_DESCRIPTOR)
    return has_all(d, {{CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1},
                       {CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, 1}})
               ? CUDNN_STATUS_SUCCESS
               : bad("a reduction is not described");
  if (d.type == CUDNN_BACKEND_POINTWISE_DESCRIPTOR) {
    if (!has_all(d, {{CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, 1},
                     {CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, 1}}))
      return bad("an elementwise operation is not described");
    const Mode* mode = mode_of(d);
    if (mode == nullptr) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "not in the stand-in");
    const bool has_axis = d.has(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, 1);
    return has_axis == (mode->letter == 'i') ? CUDNN_STATUS_SUCCESS : bad("the axis");
  }
  const Names& names = *names_of(d.type);
  for (std::size_t k = 0; k < names.needed; ++k)
    if (!has_child(d, names.reads[k])) return bad("an operand is missing");
  if (!has_child(d, names.how) || !has_child(d, names.result)) return bad("an operation is not described");
  const auto reads = reads_of(d);
  if (d.type == CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR && reads.size() != mode_of(how_of(d))->reads)
    return bad("the number of operands");
  return sizes_fit(d, reads) ? CUDNN_STATUS_SUCCESS : bad("the sizes do not fit");
}

cudnnStatus_t finish_attention_graph(const std::vector<const Descriptor*>& operations) {
  std::set<const Descriptor*> made;
  std::map<std::int64_t, const Descriptor*> by_number;
  const auto is_known = [&](const Descriptor* tensor) {
    const auto id = tensor->get<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID);
    return by_number.try_emplace(id, tensor).first->second == tensor;
  };
  for (const Descriptor* each : operations) {
    for (const Descriptor* read : reads_of(*each)) {
      if (!is_known(read)) return bad("two values of one number");
      if (is(*read, CUDNN_ATTR_TENSOR_IS_VIRTUAL) && !made.contains(read)) return bad("a value that nothing gives");
    }
    const Descriptor* result = result_of(*each);
    if (!is_known(result)) return bad("two values of one number");
    if (!made.insert(result).second || is(*result, CUDNN_ATTR_TENSOR_IS_BY_VALUE)) return bad("a value given twice");
  }
  return CUDNN_STATUS_SUCCESS;
}

std::vector<Proposal> engines_of_attention(const std::vector<const Descriptor*>& operations,
                                           cudnnBackendHeurMode_t mode) {
  static const Engine adds_as_they_come{9, {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC}, 0, 16};
  static const Engine cannot_be_built{8, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 0, 16, false};
  static const Engine fused{6, {CUDNN_NUMERICAL_NOTE_TENSOR_CORE}, 256, 16};
  const std::string list = without_mask(list_of(operations));
  if (mode == CUDNN_HEUR_MODE_FALLBACK || (list != forward && list != backward)) return {};
  for (const Descriptor* each : operations) {
    for (const Descriptor* read : reads_of(*each))
      if (!is_supported(*read)) return {};
    if (!is_supported(*result_of(*each))) return {};
  }
  std::int64_t workspace = fused.workspace;
  if (list == backward) {  // the cotangents of all scores, in bf16
    const auto rounded = [](std::int64_t n) { return (n + 127) / 128 * 128; };
    const Sizes pairs = sizes_of(result_of(*operations[3]));
    workspace += pairs[0] * pairs[1] * rounded(pairs[2]) * rounded(pairs[3]) * 2;
  }
  return {{&adds_as_they_come, 0}, {&cannot_be_built, 0}, {&fused, workspace}};
}

cudnnStatus_t run_attention(const Run& run) {
  if (run.engine.number != 6) return refuse(CUDNN_STATUS_EXECUTION_FAILED, "an engine that was to be refused");
  const auto operations = operations_of(run.graph);
  const auto count = static_cast<std::size_t>(run.pack.told.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).count);
  std::vector<std::int64_t> ids(count);
  std::vector<std::byte*> addresses(count);
  std::memcpy(ids.data(), run.pack.told.at(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS).bytes.data(), count * 8);
  std::memcpy(addresses.data(), run.pack.told.at(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS).bytes.data(), count * 8);
  const auto work = std::make_shared<Work>();
  std::size_t told = 0;
  cudnnStatus_t status = CUDNN_STATUS_SUCCESS;
  const auto place_of = [&](const Descriptor* tensor) {
    auto& place = work->places[tensor->get<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)];
    if (place) return place.get();
    place = std::make_unique<Place>(Place{tensor->get<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE),
                                          sizes_of(tensor),
                                          tensor->get<Sizes>(CUDNN_ATTR_TENSOR_STRIDES),
                                          false,
                                          nullptr,
                                          {}});
    if (is(*tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL)) return place.get();
    const auto k = std::ranges::find(ids, tensor->get<std::int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID)) - ids.begin();
    std::byte* const at = static_cast<std::size_t>(k) < count ? addresses[static_cast<std::size_t>(k)] : nullptr;
    ++told;
    if (at == nullptr) {
      status = bad("an address is missing");
    } else if (is(*tensor, CUDNN_ATTR_TENSOR_IS_BY_VALUE)) {
      place->values = {number_at(at, place->type)};
    } else if (reinterpret_cast<std::uintptr_t>(at) % alignment_of(*tensor) != 0) {
      status = refuse(CUDNN_STATUS_BAD_PARAM_MISALIGNED_POINTER, "an address is not aligned");
    } else {
      place->at = at;
      place->in_memory = true;
    }
    return place.get();
  };
  const std::string list = list_of(operations);
  for (std::size_t k = 0; k < operations.size(); ++k) {
    Step step{list[k], 0, {}, nullptr};
    if (step.letter == 'i') step.axis = how_of(*operations[k]).get<std::int64_t>(CUDNN_ATTR_POINTWISE_AXIS);
    for (const Descriptor* read : reads_of(*operations[k])) step.reads.push_back(place_of(read));
    step.result = place_of(result_of(*operations[k]));
    work->steps.push_back(std::move(step));
  }
  if (status != CUDNN_STATUS_SUCCESS) return status;
  if (told != count) return bad("an address of no operand");
  enqueue(run.stream, [work, workspace = run.workspace, bytes = run.workspace_bytes] {
    std::memset(near(workspace), 0xff, bytes);  // the engine may overwrite its workspace
    work->carry_out();
  });
  return CUDNN_STATUS_SUCCESS;
}

}  // namespace thalweg::nvidia
