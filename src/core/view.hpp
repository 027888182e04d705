#pragma once
// View: where the elements of a value lie in a buffer, as sizes and strides.

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
  /// Row-major without gaps, from any offset.
  [[nodiscard]] bool is_dense() const;
  /// Whether every index reads the same element.
  [[nodiscard]] bool is_uniform() const;

  // The view operations. `order[i]` is the axis that becomes axis i.
  [[nodiscard]] View transpose(std::span<const std::int64_t> order) const;
  [[nodiscard]] View broadcast(const Shape& to) const;
  [[nodiscard]] View slice(int axis, std::int64_t begin, std::int64_t end, std::int64_t step) const;
  /// Empty where the elements would not lie at regular strides.
  [[nodiscard]] std::optional<View> reshape(const Shape& to) const;

  /// The same places with neighbouring axes joined where they can be, and axes of size 1 dropped.
  [[nodiscard]] View collapse() const;
};

}  // namespace thalweg
