#pragma once
// The op table: one row an op, one file a family.

#include <initializer_list>

#include "core/kernel.hpp"
#include "graph/tracing.hpp"

namespace thalweg {

/// All rows, family by family.
[[nodiscard]] const std::vector<const Op*>& all_ops();

// The families.
[[nodiscard]] std::span<const Op> leaf_ops();
[[nodiscard]] std::span<const Op> elementwise_ops();
[[nodiscard]] std::span<const Op> shape_ops();
[[nodiscard]] std::span<const Op> reduce_ops();
[[nodiscard]] std::span<const Op> row_ops();
[[nodiscard]] std::span<const Op> product_ops();
[[nodiscard]] std::span<const Op> convolution_ops();
[[nodiscard]] std::span<const Op> pooling_ops();
[[nodiscard]] std::span<const Op> augment_ops();
[[nodiscard]] std::span<const Op> standardise_ops();
[[nodiscard]] std::span<const Op> attention_ops();
[[nodiscard]] std::span<const Op> recurrent_ops();
[[nodiscard]] std::span<const Op> random_ops();
[[nodiscard]] std::span<const Op> symmetric_ops();
[[nodiscard]] std::span<const Op> ctc_ops();

/// Applies the row `name` to arguments of one graph as they are: no broadcasting, no change of dtype.
Var apply(std::string_view name, std::initializer_list<Arg> args, Attributes attributes = {});
/// The same value as a node of its own: a place to differentiate by, whatever the value depends on.
[[nodiscard]] Var place_of_its_own(Var x);
/// 0, 1, 2, ... n - 1 as a constant in the dtype, in the graph of `like`.
[[nodiscard]] Var counted_up(Var like, std::int64_t n, DType dtype);
[[nodiscard]] Attributes with_ints(std::vector<std::int64_t> ints);

/// i32 is computed in f64, which holds it exactly, and given back by a cast.
[[nodiscard]] bool is_i32(const Arg& x);
[[nodiscard]] Arg in_f64(const Arg& x);

/// log sum e^x along the last axis as a sum of two, so that what is near the largest keeps its digits whatever is added
/// to all: the largest, which is a constant to derivatives, and log sum e^(x - largest).
struct LogSumExp {
  Var largest, rest;
};
[[nodiscard]] LogSumExp log_sum_exp(const Arg& rows);

/// A negative axis made positive. Throws UsageError, with the line, where there is no such axis.
[[nodiscard]] int axis_of(std::string_view op, const Shape& shape, int axis, Source source);
/// What several families check. These throw without the place; Graph::append adds it.
void expect_float(std::string_view op, const Signature& x);
void expect_same_dtype(std::string_view op, std::span<const Signature> inputs);

}  // namespace thalweg
