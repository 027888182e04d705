#pragma once
// View: the positions of a value's elements in a buffer, as sizes and strides.

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "thalweg/shape.hpp"

namespace thalweg {

struct View {
  Shape shape;
  std::array<std::int64_t, Shape::max_rank> strides{};  // in elements
  std::int64_t offset = 0;                              // in elements
  friend bool operator==(const View&, const View&) = default;

  static View dense(const Shape& shape);
  /// Whether it is row-major without gaps; the offset does not matter.
  [[nodiscard]] bool is_dense() const;
  /// Whether every index reads the same element.
  [[nodiscard]] bool is_uniform() const;

  // The view operations. `order[i]` is the axis that becomes axis i.
  [[nodiscard]] View transpose(std::span<const std::int64_t> order) const;
  [[nodiscard]] View broadcast(const Shape& to) const;
  [[nodiscard]] View slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step) const;
  /// Empty if the elements would not have regular strides.
  [[nodiscard]] std::optional<View> reshape(const Shape& to) const;

  /// The same positions with neighbouring axes joined if possible, and without axes of size 1.
  [[nodiscard]] View collapse() const;
};

}  // namespace thalweg
