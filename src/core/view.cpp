#include "core/view.hpp"

#include "core/error.hpp"

namespace thalweg {

View View::dense(const Shape& shape) {
  View view{shape, {}, 0};
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    view.strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return view;
}

bool View::is_dense() const {
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    if (shape[axis] != 1 && strides[static_cast<std::size_t>(axis)] != stride) return false;
    stride *= shape[axis];
  }
  return true;
}

bool View::is_uniform() const {
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != 1 && strides[static_cast<std::size_t>(axis)] != 0) return false;
  }
  return true;
}

View View::transpose(std::span<const std::int64_t> order) const {
  View view{{}, {}, offset};
  for (std::size_t i = 0; i < order.size(); ++i) {
    view.shape.push_back(shape[static_cast<int>(order[i])]);
    view.strides[i] = strides[static_cast<std::size_t>(order[i])];
  }
  return view;
}

View View::broadcast(const Shape& to) const {
  View view{to, {}, offset};
  const int shift = to.rank() - shape.rank();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == to[axis + shift]) {
      view.strides[static_cast<std::size_t>(axis + shift)] = strides[static_cast<std::size_t>(axis)];
    }
  }
  return view;
}

View View::slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step) const {
  View view = *this;
  const auto a = static_cast<std::size_t>(axis);
  view.offset += begin * strides[a];
  view.strides[a] = strides[a] * step;
  view.shape.set(axis, (end - begin + step - 1) / step);
  return view;
}

std::optional<View> View::reshape(const Shape& to) const {
  if (to.size() == 0) return dense(to);
  const View from = collapse();
  View view{to, {}, offset};
  int axis = from.shape.rank() - 1;
  std::int64_t left = axis >= 0 ? from.shape[axis] : 1;
  std::int64_t stride = axis >= 0 ? from.strides[static_cast<std::size_t>(axis)] : 0;
  for (int out = to.rank() - 1; out >= 0; --out) {
    if (to[out] == 1) continue;
    if (left == 1 && axis > 0) {
      --axis;
      left = from.shape[axis];
      stride = from.strides[static_cast<std::size_t>(axis)];
    }
    if (to[out] == 0 || left % to[out] != 0) return std::nullopt;
    view.strides[static_cast<std::size_t>(out)] = stride;
    stride *= to[out];
    left /= to[out];
  }
  return view;
}

View View::collapse() const {
  View view{{}, {}, offset};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const std::int64_t size = shape[axis], stride = strides[static_cast<std::size_t>(axis)];
    if (size == 1) continue;
    const int last = view.shape.rank() - 1;
    if (last >= 0 && view.strides[static_cast<std::size_t>(last)] == size * stride) {
      view.shape.set(last, view.shape[last] * size);
      view.strides[static_cast<std::size_t>(last)] = stride;
    } else {
      view.shape.push_back(size);
      view.strides[static_cast<std::size_t>(last + 1)] = stride;
    }
  }
  return view;
}

}  // namespace thalweg
