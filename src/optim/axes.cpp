#include "optim/axes.hpp"

#include "core/error.hpp"

namespace thalweg::optim {

int order_of(const Shape& shape) {
  int order = 0;
  for (const std::int64_t size : shape) order += size > 1;
  return order;
}

AxisKind axis_kind(const Shape& shape, int axis, std::int64_t max_size) {
  if (axis >= shape.rank() || shape[axis] <= 1) return AxisKind::none;
  return order_of(shape) > 1 && shape[axis] <= max_size ? AxisKind::matrix : AxisKind::diagonal;
}

std::string axis_slot(std::string_view name, int axis) { return std::string(name) + std::to_string(axis + 1); }

namespace {

std::vector<Slot> slots_of(AxisKind kind, std::string_view name, std::int64_t max_size) {
  std::vector<Slot> slots;
  for (int axis = 0; axis < most_axes; ++axis) {
    const auto shape_of = [=](const Shape& shape) -> Shape {
      if (shape.rank() > most_axes) {
        fail<UsageError>("[optimizer] a parameter {} has {} axes. Wanted: up to {}, because each axis has a matrix.",
                         shape, shape.rank(), most_axes);
      }
      if (axis_kind(shape, axis, max_size) != kind) return {0};
      if (kind == AxisKind::matrix) return {shape[axis], shape[axis]};
      Shape along;
      for (int other = 0; other < shape.rank(); ++other) along.push_back(other == axis ? shape[axis] : 1);
      return along;
    };
    slots.push_back({.name = axis_slot(name, axis), .shape = shape_of});
  }
  return slots;
}

}  // namespace

std::vector<Slot> matrix_slots(std::string_view name, std::int64_t max_size) {
  return slots_of(AxisKind::matrix, name, max_size);
}
std::vector<Slot> diagonal_slots(std::string_view name, std::int64_t max_size) {
  return slots_of(AxisKind::diagonal, name, max_size);
}

namespace {

/// The order of the axes with one of them in front.
std::vector<int> in_front(const Var& x, int axis) {
  std::vector<int> order{axis};
  for (int other = 0; other < x.rank(); ++other) {
    if (other != axis) order.push_back(other);
  }
  return order;
}

}  // namespace

Var along_axis(const Var& x, int axis) {
  return reshape(transpose(x, in_front(x, axis)), {x.dim(axis), x.size() / x.dim(axis)});
}

Var outer_along(const Var& x, int axis) {
  const Var rows = along_axis(x, axis);
  return matmul(rows, rows, false, true);
}

Var times_along(const Var& matrix, bool transpose_matrix, const Var& x, int axis) {
  const std::vector<int> order = in_front(x, axis);
  Shape front;
  std::vector<int> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    front.push_back(x.dim(order[i]));
    back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  }
  return transpose(reshape(matmul(matrix, along_axis(x, axis), transpose_matrix, false), front), back);
}

Var squares_along(const Var& x, int axis) {
  std::vector<int> others;
  for (int other = 0; other < x.rank(); ++other) {
    if (other != axis) others.push_back(other);
  }
  return others.empty() ? square(x) : sum(square(x), others, Keep::yes);
}

Var is_due(const Var& step, std::int64_t first, std::int64_t every) {
  const Var since = step - static_cast<double>(first);
  const auto length = static_cast<double>(every);
  return (since >= 0) * equal(since - length * floor(since / length), 0);
}

}  // namespace thalweg::optim
