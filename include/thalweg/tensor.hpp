#pragma once
// Tensor: data. A dtype, a shape and a buffer; dense and row-major.

#include <concepts>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "thalweg/shape.hpp"

namespace thalweg {

template <class T>
concept Element =
    std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, std::int32_t> || std::same_as<T, std::uint8_t>;

template <Element T>
constexpr DType dtype_of() {
  if constexpr (std::same_as<T, float>) return f32;
  if constexpr (std::same_as<T, double>) return f64;
  if constexpr (std::same_as<T, std::int32_t>) return i32;
  return u8;
}

/// A value: copying is cheap (copies share the buffer until one of them is written to), so tensors are passed around
/// like numbers. Reading the same tensor from several threads is safe.
class Tensor {
 public:
  /// An f32 scalar, zero.
  Tensor() : Tensor(Shape{}, f32) {}
  /// Zeros. Throws UsageError for a negative or overflowing size, MemoryError where there is not enough memory.
  explicit Tensor(const Shape& shape, DType dtype = f32);

  /// A copy of `values`, whose number must fit the shape.
  template <Element T>
  [[nodiscard]] static Tensor from(std::span<const T> values, const Shape& shape);
  template <Element T>
  [[nodiscard]] static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  /// A vector of these values: `Tensor::of({1.0, 2.0})` is f64, `Tensor::of({1.f, 2.f})` f32.
  template <Element T>
  [[nodiscard]] static Tensor of(std::initializer_list<T> values) {
    return from(std::span<const T>(values.begin(), values.size()), {static_cast<std::int64_t>(values.size())});
  }

  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(size_) * size_of(dtype_); }

  /// The elements in row-major order. Throws UsageError when T is not the dtype.
  template <Element T>
  [[nodiscard]] std::span<const T> values() const {
    expect(dtype_of<T>());
    return {reinterpret_cast<const T*>(raw()), static_cast<std::size_t>(size_)};
  }
  /// The same for writing; copies the buffer first if it is shared.
  template <Element T>
  [[nodiscard]] std::span<T> mutable_values() {
    expect(dtype_of<T>());
    return {reinterpret_cast<T*>(mutable_raw()), static_cast<std::size_t>(size_)};
  }
  [[nodiscard]] const std::byte* raw() const {
    if (mirrored_) [[unlikely]]
      bring();
    return buffer_.get() + offset_;
  }
  [[nodiscard]] std::byte* mutable_raw();

  /// The element at a row-major position, as a double for every dtype.
  [[nodiscard]] double at(std::int64_t position) const;
  /// Sets the element at a row-major position, converted as by `to`.
  void set(std::int64_t position, double value);
  /// The one element of a tensor of size 1. Throws UsageError otherwise.
  [[nodiscard]] double item() const;

  /// The same elements under another shape of the same size.
  [[nodiscard]] Tensor reshape(const Shape& shape) const;
  /// Rows begin to end along the first axis, sharing the buffer.
  [[nodiscard]] Tensor rows(std::int64_t begin, std::int64_t end) const;
  /// Converted element by element: rounded for floating-point dtypes. For whole numbers it is cut towards 0 and clamped
  /// to their range, and NaN gives 0.
  [[nodiscard]] Tensor to(DType dtype) const;
  /// Shape and leading values, for people: `f32 (2, 3) [1, 2, 3, ...]`.
  [[nodiscard]] std::string str() const;

 private:
  void expect(DType dtype) const;
  void expect_count(std::size_t count) const;
  friend class Mirrored;
  /// Copies the bytes back from a device if it has newer ones.
  void bring() const;

  std::shared_ptr<std::byte[]> buffer_;
  std::size_t offset_ = 0;  // in bytes
  Shape shape_;
  std::int64_t size_ = 0;
  DType dtype_ = f32;
  bool mirrored_ = false;  // whether a device may have the bytes too, or newer ones
};

[[nodiscard]] Tensor full(const Shape& shape, double value, DType dtype = f32);
[[nodiscard]] Tensor zeros(const Shape& shape, DType dtype = f32);
[[nodiscard]] Tensor ones(const Shape& shape, DType dtype = f32);
/// Pseudo-random, the same for the same seed on every machine: uniform in [low, high), and normal with the given mean
/// and standard deviation, 0 and 1 where none are given.
[[nodiscard]] Tensor random_uniform(const Shape& shape, double low, double high, std::uint64_t seed, DType dtype = f32);
[[nodiscard]] Tensor random_normal(const Shape& shape, std::uint64_t seed, DType dtype = f32);
[[nodiscard]] Tensor random_normal(const Shape& shape, double mean, double deviation, std::uint64_t seed,
                                   DType dtype = f32);

/// Same dtype, shape and bits.
[[nodiscard]] bool identical(const Tensor& a, const Tensor& b);

template <Element T>
Tensor Tensor::from(std::span<const T> values, const Shape& shape) {
  Tensor result(shape, dtype_of<T>());
  result.expect_count(values.size());
  if (!values.empty()) std::memcpy(result.mutable_raw(), values.data(), values.size_bytes());
  return result;
}

}  // namespace thalweg
