#include "cuda/attention_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace thalweg::cuda {

namespace {

/// To be counted up where the operations below change: plans of another form that are kept in files are others.
constexpr int form = 2;

using Value = cudnnBackendDescriptor_t;
using Sizes = std::array<std::int64_t, 4>;  // batch, heads, and what a head has: (time, width) or (queries, keys)

/// Where a value of the graph is: with an address, as a number with one of the host, or nowhere in memory.
enum class Kind { operand, number, inside };

/// The operations in the order and the form in which the library recognises attention. An operation that it does not
/// expect, or another order of factors, makes a graph for which it has no engine.
class Builder {
 public:
  Builder(const DnnFunctions& functions, const AttentionGraph& graph) : functions_(functions), g_(graph) {}

  DnnPlan::Described made() {
    if (g_.gradient) {
      gradient();
    } else {
      forward();
    }
    return std::move(made_);
  }

 private:
  using Id = AttentionGraph::Id;

  void forward() {
    const Value scores = seen(scaled(product(rows(Id::of_q, g_.q, g_.queries), turned(Id::of_k, g_.k), all_pairs())));
    const Value most = reduced(CUDNN_REDUCE_TENSOR_MAX, scores);
    const Value shares =
        pointwise(CUDNN_POINTWISE_EXP, pointwise(CUDNN_POINTWISE_SUB, scores, most, all_pairs()), nullptr, all_pairs());
    const Value total = reduced(CUDNN_REDUCE_TENSOR_ADD, shares);
    pointwise(CUDNN_POINTWISE_ADD, most, pointwise(CUDNN_POINTWISE_LOG, total, nullptr, each_row()),
              each_row(Id::of_logs));
    const Value chances = pointwise(CUDNN_POINTWISE_DIV, shares, total, all_pairs(CUDNN_DATA_BFLOAT16));
    product(chances, rows(Id::of_v, g_.v, g_.keys), result(Id::of_value));
  }

  void gradient() {
    const Value q = rows(Id::of_q, g_.q, g_.queries), k = turned(Id::of_k, g_.k), g = result(Id::of_g);
    // the mean cotangent of each row's values: rowsum(G out)
    const std::int64_t row = g_.heads * g_.width;
    const Value products = tensor({g_.batch, g_.heads, g_.queries, g_.width}, {g_.queries * row, g_.width, row, 1});
    const Value sums =
        reduced(CUDNN_REDUCE_TENSOR_ADD, pointwise(CUDNN_POINTWISE_MUL, g, result(Id::of_value), products));
    const Value means = pointwise(CUDNN_POINTWISE_MUL, sums, number(Id::one), each_row(Id::of_means));
    // P = e^(score - log of the sum), dV = P^T G
    const Value factor = number(Id::scale);
    const Value scores = pointwise(CUDNN_POINTWISE_MUL, product(q, k, all_pairs()), factor, all_pairs());
    const Value logs = pointwise(CUDNN_POINTWISE_SUB, scores, each_row(Id::of_logs), all_pairs());
    const Value chances = pointwise(CUDNN_POINTWISE_EXP, seen(logs), nullptr, all_pairs());
    product(reshaped(chances, turned_pairs()), g, rows(Id::of_dv, g_.v, g_.keys));
    // dS = scale P (G V^T - mean), dK = dS^T Q
    const Value slopes =
        pointwise(CUDNN_POINTWISE_SUB, product(g, turned(Id::of_v, g_.v), all_pairs()), means, all_pairs());
    const Value changes = pointwise(CUDNN_POINTWISE_MUL, pointwise(CUDNN_POINTWISE_MUL, slopes, chances, all_pairs()),
                                    factor, all_pairs());
    product(reshaped(changes, turned_pairs()), q, rows(Id::of_dk, g_.k, g_.keys));
    // dQ = dS K as one product. With a sum in f32 behind it the library would add to it by atomics.
    const Value keys =
        tensor({g_.batch, g_.heads, g_.keys, g_.width}, {g_.k.batch, g_.width, g_.k.time, 1}, CUDNN_DATA_BFLOAT16);
    product(changes, reshaped(k, keys), rows(Id::of_dq, g_.q, g_.queries));
  }

  Value scaled(Value scores) { return pointwise(CUDNN_POINTWISE_MUL, scores, number(Id::scale), all_pairs()); }

  /// Minus infinity where the key comes after the query, both counted from their ends.
  Value seen(Value scores) {
    if (!g_.causal) return scores;
    const auto places = [&](std::int64_t axis) {
      return pointwise(CUDNN_POINTWISE_GEN_INDEX, scores, nullptr, all_pairs(CUDNN_DATA_INT32), CUDNN_DATA_INT32, axis);
    };
    Value query = places(2);
    if (g_.keys != g_.queries) {
      const auto moved = [&](cudnnPointwiseMode_t mode, Id by) {
        return pointwise(mode, query, number(by, CUDNN_DATA_INT32), all_pairs(CUDNN_DATA_INT32), CUDNN_DATA_INT32);
      };
      query = moved(CUDNN_POINTWISE_ADD, Id::count_of_keys);
      query = moved(CUDNN_POINTWISE_SUB, Id::count_of_queries);
    }
    const Value sees =
        pointwise(CUDNN_POINTWISE_CMP_GE, query, places(3), all_pairs(CUDNN_DATA_BOOLEAN), CUDNN_DATA_BOOLEAN);
    return pointwise(CUDNN_POINTWISE_BINARY_SELECT, scores, number(Id::minus_infinity), all_pairs(), CUDNN_DATA_FLOAT,
                     {}, sees);
  }

  // Values

  Value tensor(const Sizes& sizes, const Sizes& strides, cudnnDataType_t type = CUDNN_DATA_FLOAT,
               Kind kind = Kind::inside, std::int64_t id = 0) {
    if (kind == Kind::inside) {
      id = next_++;
    } else {
      made_.ids.push_back(id);
    }
    return keep(CUDNN_BACKEND_TENSOR_DESCRIPTOR, [&](const Descriptor& d) {
      d.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, id);
      d.set(CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, type);
      d.set(CUDNN_ATTR_TENSOR_DIMENSIONS, sizes);
      d.set(CUDNN_ATTR_TENSOR_STRIDES, strides);
      // a part of a gradient begins at any of the numbers of rows
      d.set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64,
            type == CUDNN_DATA_BFLOAT16 ? attention_alignment : std::int64_t{sizeof(float)});
      d.set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, kind == Kind::inside);
      d.set(CUDNN_ATTR_TENSOR_IS_BY_VALUE, CUDNN_TYPE_BOOLEAN, kind == Kind::number);
    });
  }
  /// One number for each query and key.
  Value all_pairs(cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    const std::int64_t head = g_.queries * g_.keys;
    return tensor({g_.batch, g_.heads, g_.queries, g_.keys}, {g_.heads * head, head, g_.keys, 1}, type);
  }
  /// The same with queries and keys changed, for a product of bf16.
  Value turned_pairs() {
    const std::int64_t head = g_.queries * g_.keys;
    return tensor({g_.batch, g_.heads, g_.keys, g_.queries}, {g_.heads * head, head, 1, g_.keys}, CUDNN_DATA_BFLOAT16);
  }
  /// One number for each query: an operand where it has a number of its own.
  Value each_row(std::optional<Id> id = {}) {
    return tensor({g_.batch, g_.heads, g_.queries, 1}, {g_.heads * g_.queries, g_.queries, 1, 1}, CUDNN_DATA_FLOAT,
                  id ? Kind::operand : Kind::inside, id.value_or(Id::ids));
  }
  Value number(Id id, cudnnDataType_t type = CUDNN_DATA_FLOAT) {
    return tensor({1, 1, 1, 1}, {1, 1, 1, 1}, type, Kind::number, id);
  }
  Value rows(Id id, const AttentionGraph::Steps& steps, std::int64_t time) {
    return tensor({g_.batch, g_.heads, time, g_.width}, {steps.batch, g_.width, steps.time, 1}, CUDNN_DATA_BFLOAT16,
                  Kind::operand, id);
  }
  Value turned(Id id, const AttentionGraph::Steps& steps) {
    return tensor({g_.batch, g_.heads, g_.width, g_.keys}, {steps.batch, g_.width, 1, steps.time}, CUDNN_DATA_BFLOAT16,
                  Kind::operand, id);
  }
  /// What the op gives, and its cotangent.
  Value result(Id id) { return rows(id, g_.value, g_.queries); }

  // Operations

  Value product(Value a, Value b, Value into) {
    const Value how = keep(CUDNN_BACKEND_MATMUL_DESCRIPTOR, [](const Descriptor& d) {
      d.set(CUDNN_ATTR_MATMUL_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
    });
    return operation(CUDNN_BACKEND_OPERATION_MATMUL_DESCRIPTOR, into,
                     {{CUDNN_ATTR_OPERATION_MATMUL_DESC, how},
                      {CUDNN_ATTR_OPERATION_MATMUL_ADESC, a},
                      {CUDNN_ATTR_OPERATION_MATMUL_BDESC, b},
                      {CUDNN_ATTR_OPERATION_MATMUL_CDESC, into}});
  }
  Value reduced(cudnnReduceTensorOp_t by, Value x) {
    const Value how = keep(CUDNN_BACKEND_REDUCTION_DESCRIPTOR, [by](const Descriptor& d) {
      d.set(CUDNN_ATTR_REDUCTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, CUDNN_DATA_FLOAT);
      d.set(CUDNN_ATTR_REDUCTION_OPERATOR, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE, by);
    });
    const Value into = each_row();
    return operation(CUDNN_BACKEND_OPERATION_REDUCTION_DESCRIPTOR, into,
                     {{CUDNN_ATTR_OPERATION_REDUCTION_DESC, how},
                      {CUDNN_ATTR_OPERATION_REDUCTION_XDESC, x},
                      {CUDNN_ATTR_OPERATION_REDUCTION_YDESC, into}});
  }
  Value reshaped(Value x, Value into) {
    return operation(CUDNN_BACKEND_OPERATION_RESHAPE_DESCRIPTOR, into,
                     {{CUDNN_ATTR_OPERATION_RESHAPE_XDESC, x}, {CUDNN_ATTR_OPERATION_RESHAPE_YDESC, into}});
  }
  Value pointwise(cudnnPointwiseMode_t mode, Value x, Value second, Value into,
                  cudnnDataType_t computed_in = CUDNN_DATA_FLOAT, std::optional<std::int64_t> axis = {},
                  Value chooses = nullptr) {
    const Value how = keep(CUDNN_BACKEND_POINTWISE_DESCRIPTOR, [&](const Descriptor& d) {
      d.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, mode);
      d.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE, computed_in);
      if (axis) d.set(CUDNN_ATTR_POINTWISE_AXIS, CUDNN_TYPE_INT64, *axis);
    });
    return operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, into,
                     {{CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, how},
                      {CUDNN_ATTR_OPERATION_POINTWISE_XDESC, x},
                      {CUDNN_ATTR_OPERATION_POINTWISE_BDESC, second},
                      {CUDNN_ATTR_OPERATION_POINTWISE_TDESC, chooses},
                      {CUDNN_ATTR_OPERATION_POINTWISE_YDESC, into}});
  }

  /// An operation of what is not null; returns what it gives.
  Value operation(cudnnBackendDescriptorType_t type, Value into,
                  std::initializer_list<std::pair<cudnnBackendAttributeName_t, Value>> of) {
    made_.operations.push_back(keep(type, [&](const Descriptor& d) {
      for (const auto& [name, value] : of)
        if (value != nullptr) d.set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, value);
    }));
    return into;
  }
  template <class Tell>
  Value keep(cudnnBackendDescriptorType_t type, const Tell& tell) {
    made_.parts.emplace_back(functions_, type);
    tell(made_.parts.back());
    made_.parts.back().expect_finish();
    return made_.parts.back().get();
  }

  const DnnFunctions& functions_;
  const AttentionGraph& g_;
  DnnPlan::Described made_;
  std::int64_t next_ = Id::ids;  // numbers of the values inside
};

/// The largest divisor of n that fits; 1 where none does.
template <class Fits>
std::int64_t largest_divisor(std::int64_t n, const Fits& fits) {
  for (std::int64_t parts = 1; parts < n; ++parts)
    if (n % parts == 0 && fits(n / parts)) return n / parts;
  return 1;
}

}  // namespace

std::string AttentionGraph::str() const {
  return fmt::format("attention{}{} of {} samples, {} heads, {} by {} places, {} wide, at {}",
                     gradient ? "'s gradient" : "", causal ? ", causal," : "", batch, heads, queries, keys, width,
                     fmt::join(std::array{q.time, q.batch, k.time, k.batch, v.time, v.batch, value.time}, " "));
}

AttentionGraph AttentionGraph::part_of_gradient() const {
  AttentionGraph part = *this;
  part.gradient = true;
  const auto rounded = [](std::int64_t n) { return (n + 127) / 128 * 128; };
  constexpr std::int64_t others = 1 << 20;  // what else a plan takes
  const auto fits = [&](std::int64_t items) {
    return items * rounded(queries) * rounded(keys) * 2 + others <= most_workspace;
  };
  part.batch = largest_divisor(batch, [&](std::int64_t n) { return fits(n * heads); });
  if (part.batch == 1) part.heads = largest_divisor(heads, fits);
  return part;
}

std::optional<AttentionGraph> attention_graph(std::string_view op, const KernelSite& site) {
  const bool gradient = op == "attention_gradient";
  const bool has_lengths = site.ints[1] != 0;
  const auto is_bf16 = [](Stored stored) { return stored == Stored::bf16; };
  if (has_lengths || site.stored.empty() || !std::ranges::all_of(site.stored, is_bf16) || !is_bf16(site.result))
    return std::nullopt;
  const AttentionShape sizes = AttentionShape::of(site.inputs.first(site.inputs.size() - (gradient ? 1 : 0)));
  const auto steps = [](const AttentionShape::Part& part) { return AttentionGraph::Steps{part.time, part.batch}; };
  const std::int64_t row = sizes.heads * sizes.width;
  const AttentionGraph graph{.gradient = gradient,
                             .causal = site.ints[0] != 0,
                             .batch = sizes.batch,
                             .heads = sizes.heads,
                             .queries = sizes.queries,
                             .keys = sizes.keys,
                             .width = sizes.width,
                             .q = steps(sizes.q),
                             .k = steps(sizes.k),
                             .v = steps(sizes.v),
                             .value = {row, sizes.queries * row}};
  // a query before all keys sees none and gives zeros; the library would give NaN
  if (graph.causal && graph.keys < graph.queries) return std::nullopt;
  if (gradient && graph.keys == 1 && graph.queries == 1) return std::nullopt;
  const bool is_empty = std::min({graph.batch, graph.heads, graph.queries, graph.keys, graph.width}) == 0;
  return is_empty ? std::nullopt : std::optional(graph);
}

std::optional<DnnPlan> plan_of(const PlanTarget& target, const AttentionGraph& graph, const CodeCache& kept,
                               std::string_view made_for) {
  DnnPlan::Described described = Builder(target.functions, graph).made();
  const std::string made_from =
      fmt::format("cuDNN {}, {}, form {}: {}", target.functions.cudnnGetVersion(), made_for, form, graph.str());
  if (const auto text = kept.find(made_from)) {
    if (auto plan = DnnPlan::restored(target, described.ids, *text)) return plan;
  }
  auto plan = DnnPlan::make(target, std::move(described));
  if (!plan) return std::nullopt;
  if (const std::string text = plan->text(); !text.empty()) kept.keep(made_from, text);
  return plan;
}

}  // namespace thalweg::cuda
