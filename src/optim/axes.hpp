#pragma once
// A parameter along one of its axes, for methods that keep a matrix for each axis.

#include "thalweg/optim.hpp"

namespace thalweg::optim {

/// The most axes that a parameter of such a method may have.
inline constexpr int most_axes = 4;

/// What a method keeps for an axis.
enum class AxisKind {
  none,      ///< nothing: an axis of one element
  diagonal,  ///< one number for each element: the axis of a vector, or an axis longer than max_size
  matrix,
};
[[nodiscard]] AxisKind axis_kind(const Shape& shape, int axis, std::int64_t max_size);
/// Axes of more than one element: the order of the tensor.
[[nodiscard]] int order_of(const Shape& shape);

/// A slot for each axis with a matrix, named `name` and the number of the axis from 1.
[[nodiscard]] std::vector<Slot> matrix_slots(std::string_view name, std::int64_t max_size);
/// A slot for each axis with a diagonal, in a shape that broadcasts over the parameter.
[[nodiscard]] std::vector<Slot> diagonal_slots(std::string_view name, std::int64_t max_size);
[[nodiscard]] std::string axis_slot(std::string_view name, int axis);

/// (axis, all others).
[[nodiscard]] Var along_axis(const Var& x, int axis);
/// sum of x x^T over all other axes: (axis, axis).
[[nodiscard]] Var outer_along(const Var& x, int axis);
/// M (or M^T) times x along an axis; the shape of x.
[[nodiscard]] Var times_along(const Var& matrix, bool transpose_matrix, const Var& x, int axis);
/// sum of x^2 over all other axes, each of which stays with size 1.
[[nodiscard]] Var squares_along(const Var& x, int axis);

/// 1 in the steps first, first + every, ..., else 0; f64.
[[nodiscard]] Var is_due(const Var& step, std::int64_t first, std::int64_t every);

}  // namespace thalweg::optim
