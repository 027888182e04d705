// Element types and shapes, and how they are printed.

#include "thalweg/shape.hpp"

#include <algorithm>

#include "core/checked.hpp"

namespace thalweg {

std::string_view name(DType dtype) {
  switch (dtype) {
    case f32: return "f32";
    case f64: return "f64";
    case i32: return "i32";
    case u8: return "u8";
  }
  return "unknown";
}

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case f32: return 4;
    case f64: return 8;
    case i32: return 4;
    case u8: return 1;
  }
  return 0;
}

Shape::Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}

Shape::Shape(std::span<const std::int64_t> sizes) {
  for (std::int64_t size : sizes) push_back(size);
}

std::int64_t Shape::size() const {
  std::int64_t product = 1;
  for (std::int64_t size : *this) product = checked_mul(product, size, "shape");
  return product;
}

int Shape::axis_index(int axis) const {
  const int index = axis < 0 ? axis + rank_ : axis;
  if (index < 0 || index >= rank_) fail<UsageError>("[shape] axis {} of {}, which has {} axes", axis, str(), rank_);
  return index;
}

void Shape::set(int axis, std::int64_t size) {
  if (size < 0) fail<UsageError>("[shape] size {} along axis {}. Hint: sizes are not negative.", size, axis);
  sizes_[static_cast<std::size_t>(axis_index(axis))] = size;
}

void Shape::push_back(std::int64_t size) {
  if (rank_ == max_rank) fail<UsageError>("[shape] more than {} axes after {}", max_rank, str());
  ++rank_;
  set(rank_ - 1, size);
}

std::string Shape::str() const {
  std::string text = "(";
  for (int axis = 0; axis < rank_; ++axis) text += (axis ? ", " : "") + std::to_string((*this)[axis]);
  return text + (rank_ == 1 ? ",)" : ")");
}

bool operator==(const Shape& a, const Shape& b) { return std::ranges::equal(a.sizes(), b.sizes()); }

}  // namespace thalweg
