#pragma once
// Element types and shapes.

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

namespace thalweg {

/// Element type of a tensor. Derivatives exist for f32 and f64; i32 holds labels and indices, u8 raw images.
enum class DType : std::uint8_t { f32, f64, i32, u8 };

inline constexpr DType f32 = DType::f32;
inline constexpr DType f64 = DType::f64;
inline constexpr DType i32 = DType::i32;
inline constexpr DType u8 = DType::u8;

[[nodiscard]] std::string_view name(DType dtype);
[[nodiscard]] std::size_t size_of(DType dtype);
[[nodiscard]] inline bool is_float(DType dtype) { return dtype == f32 || dtype == f64; }

/// Sizes along each axis, outermost first; `{}` is a scalar. At most 8 axes. Row-major everywhere.
class Shape {
 public:
  static constexpr int max_rank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::span<const std::int64_t> sizes);

  [[nodiscard]] int rank() const { return rank_; }
  /// Number of elements: the product of the sizes, 1 for a scalar.
  [[nodiscard]] std::int64_t size() const;
  /// Size along an axis; a negative axis counts from the end. Throws UsageError when there is no such axis.
  [[nodiscard]] std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(axis_index(axis))]; }
  void set(int axis, std::int64_t size);
  void push_back(std::int64_t size);
  /// A negative axis made positive, checked.
  [[nodiscard]] int axis_index(int axis) const;
  [[nodiscard]] std::span<const std::int64_t> sizes() const { return {sizes_.data(), static_cast<std::size_t>(rank_)}; }
  [[nodiscard]] const std::int64_t* begin() const { return sizes_.data(); }
  [[nodiscard]] const std::int64_t* end() const { return sizes_.data() + rank_; }
  /// The form that people write: `(64, 784)`.
  [[nodiscard]] std::string str() const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

}  // namespace thalweg
