#pragma once
// Arithmetic on vectors of f32 or f64 for the methods. Sums are in f64 and in a fixed order.

#include <cmath>
#include <cstdint>
#include <string_view>

#include "thalweg/tensor.hpp"

namespace thalweg {

/// Contiguous elements, read only.
struct ConstElements {
  ConstElements(const Tensor& t) : data(t.raw()), size(t.size()), dtype(t.dtype()) {}
  ConstElements(const std::byte* data_, std::int64_t size_, DType dtype_) : data(data_), size(size_), dtype(dtype_) {}
  const std::byte* data;
  std::int64_t size;
  DType dtype;
};

/// Contiguous elements that may be written.
struct Elements {
  Elements(Tensor& t) : data(t.mutable_raw()), size(t.size()), dtype(t.dtype()) {}
  Elements(std::byte* data_, std::int64_t size_, DType dtype_) : data(data_), size(size_), dtype(dtype_) {}
  operator ConstElements() const { return {data, size, dtype}; }
  std::byte* data;
  std::int64_t size;
  DType dtype;
};

/// The elements as the T that their dtype says.
template <class T>
const T* values(const ConstElements& e) {
  return reinterpret_cast<const T*>(e.data);
}
template <class T>
T* values(const Elements& e) {
  return reinterpret_cast<T*>(e.data);
}
/// f(0.0F) for f32, f(0.0) for f64.
template <class F>
decltype(auto) by_dtype(DType dtype, F f) {
  return dtype == f32 ? f(float{}) : f(double{});
}

/// Row number `row` of a tensor whose rows have that many elements.
[[nodiscard]] Elements row_of(Tensor& t, std::int64_t row, std::int64_t elements);

[[nodiscard]] double dot(ConstElements a, ConstElements b);
/// Without overflow and underflow of the squares.
[[nodiscard]] double norm(ConstElements a);
/// Whether a slope, the product of a direction and the gradient, is below 0 and a number.
[[nodiscard]] inline bool leads_down(double slope) { return slope < 0 && std::isfinite(slope); }
/// The reason why the slope along a direction does not lead down.
[[nodiscard]] std::string_view why_not_down(ConstElements gradient, ConstElements direction);
[[nodiscard]] double sum_abs(ConstElements a);
[[nodiscard]] double max_abs(ConstElements a);
void copy(ConstElements from, Elements to);
void fill(Elements to, double value);
void scale(Elements x, double factor);
/// y += factor x
void add(Elements y, double factor, ConstElements x);
/// out = x + factor d
void move(ConstElements x, double factor, ConstElements d, Elements out);
/// out = a - b
void subtract(ConstElements a, ConstElements b, Elements out);

}  // namespace thalweg
