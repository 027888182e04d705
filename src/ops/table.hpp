#pragma once
// The op table: one row for each op, one file for each family.

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
/// The same value as a new node, by which one can differentiate whatever the value depends on.
[[nodiscard]] Var place_of_its_own(Var x);
/// 0, 1, 2, ... n - 1 as a constant in the dtype, in the graph of `like`.
[[nodiscard]] Var counted_up(Var like, std::int64_t n, DType dtype);
[[nodiscard]] Attributes with_ints(std::vector<std::int64_t> ints);

/// Computes i32 arguments in f64, which holds them exactly, and casts the result back.
[[nodiscard]] bool is_i32(const Arg& x);
[[nodiscard]] Arg in_f64(const Arg& x);

/// log sum e^x along the last axis as a sum of two parts, so that no digits are lost whatever offset all x have: the
/// largest x, which derivatives treat as a constant, and log sum e^(x - largest).
struct LogSumExp {
  Var largest, rest;
};
[[nodiscard]] LogSumExp log_sum_exp(const Arg& rows);

/// A negative axis made positive. Throws UsageError, with the line, where there is no such axis.
[[nodiscard]] int axis_of(std::string_view op, const Shape& shape, int axis, Source source);
/// Checks of several families. They throw without the line; Graph::append adds it.
void expect_float(std::string_view op, const Signature& x);
void expect_same_dtype(std::string_view op, std::span<const Signature> inputs);

}  // namespace thalweg
