#include "ops/table.hpp"

#include <unordered_map>

#include "core/error.hpp"
#include "thalweg/ops.hpp"

namespace thalweg {

const std::vector<const Op*>& all_ops() {
  static const std::vector<const Op*> rows = [] {
    std::vector<const Op*> all;
    for (const auto family : {leaf_ops(), elementwise_ops(), shape_ops(), reduce_ops(), row_ops(), product_ops(),
                              convolution_ops(), pooling_ops(), augment_ops(), standardise_ops(), attention_ops(),
                              recurrent_ops(), random_ops(), symmetric_ops(), ctc_ops()}) {
      for (const Op& op : family) all.push_back(&op);
    }
    return all;
  }();
  return rows;
}

const Op& op_named(std::string_view name) {
  static const std::unordered_map<std::string_view, const Op*> by_name = [] {
    std::unordered_map<std::string_view, const Op*> index;
    for (const Op* op : all_ops()) index[op->name] = op;
    return index;
  }();
  const auto found = by_name.find(name);
  if (found == by_name.end()) defect("no op is named '{}'", name);
  return *found->second;
}

Var apply(std::string_view name, std::initializer_list<Arg> args, Attributes attributes) {
  std::vector<Var> vars = as_vars(name, std::span(args.begin(), args.size()));
  Graph& graph = vars[0].graph();
  return graph.append(op_named(name), std::move(vars), std::move(attributes), args.begin()->source());
}

Var place_of_its_own(Var x) {
  const auto sizes = x.shape().sizes();
  return x.graph().append(op_named("reshape"), {x}, with_ints({sizes.begin(), sizes.end()}), {});
}

Var counted_up(Var like, std::int64_t n, DType dtype) {
  Tensor values({n}, dtype);
  for (std::int64_t i = 0; i < n; ++i) values.set(i, static_cast<double>(i));
  return like.graph().constant(values);
}

bool is_i32(const Arg& x) {
  if (x.is_number()) return false;
  if (!x.is_var()) return x.tensor().dtype() == i32;
  return var_of(x).defined() && var_of(x).dtype() == i32;
}

Arg in_f64(const Arg& x) { return x.is_number() ? x : Arg(cast(x, f64), x.source()); }

Attributes with_ints(std::vector<std::int64_t> ints) {
  Attributes attributes;
  attributes.ints = std::move(ints);
  return attributes;
}

int axis_of(std::string_view op, const Shape& shape, int axis, Source source) {
  if (axis < -shape.rank() || axis >= shape.rank()) {
    fail<UsageError>("[{}] axis {} of {}, which has {} axes{}", op, axis, shape, shape.rank(), at(source));
  }
  return shape.axis_index(axis);
}

void expect_float(std::string_view op, const Signature& x) {
  if (!is_float(x.dtype)) {
    fail<UsageError>("[{}] {} given; it is defined for f32 and f64. Hint: tw::cast(x, tw::f32).", op, x.dtype);
  }
}

void expect_same_dtype(std::string_view op, std::span<const Signature> inputs) {
  for (const Signature& input : inputs) {
    if (input.dtype != inputs[0].dtype) {
      fail<UsageError>("[{}] dtypes differ: {} and {}. Hint: tw::cast(x, tw::{}).", op, inputs[0].dtype, input.dtype,
                       inputs[0].dtype);
    }
  }
}

}  // namespace thalweg
