#pragma once
// Reads elements through views: one by one where necessary, in place where possible.

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/bf16.hpp"
#include "core/index.hpp"
#include "core/view.hpp"
#include "thalweg/tensor.hpp"

namespace thalweg {

/// Writes lines of a fixed size, which become vector instructions; the loop of `std::fill_n` does not.
template <class T>
void fill_row(T* to, std::int64_t n, T value) {
  constexpr std::int64_t line = 64 / sizeof(T);
  T values[line];
  std::fill_n(values, line, value);
  for (; n >= line; n -= line, to += line) std::memcpy(to, values, sizeof values);
  for (std::int64_t i = 0; i < n; ++i) to[i] = value;
}

template <class To, class From>
void copy_strided(To* to, const From* from, std::int64_t stride, std::int64_t n) {
  if (stride == 0) {
    fill_row(to, n, static_cast<To>(*from));
  } else if (stride == 1) {
    std::copy_n(from, n, to);
  } else {
    for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i * stride]);
  }
}

template <class To>
void copy_strided(To* to, const Bf16* from, std::int64_t stride, std::int64_t n) {
  if constexpr (sizeof(To) == sizeof(float)) {
    if (stride == 1) return widen(to, from, n);
  }
  for (std::int64_t i = 0; i < n; ++i) to[i] = static_cast<To>(from[i * stride]);
}

/// Copies elements flat, flat + 1, ... of a view (with joined axes), row by row.
template <class To, class From>
void gather_view(To* to, const From* base, const View& view, std::int64_t flat, std::int64_t n) {
  const int rank = view.shape.rank();
  std::array<std::int64_t, Shape::max_rank> index{};
  const From* from = base + view.offset;
  for (int axis = rank - 1; axis >= 0; --axis) {
    at(index, axis) = flat % view.shape[axis];
    flat /= view.shape[axis];
    from += at(index, axis) * at(view.strides, axis);
  }
  const int last = std::max(rank - 1, 0);
  const std::int64_t length = rank ? view.shape[rank - 1] : 1;
  while (n > 0) {
    const std::int64_t run = std::min(n, length - at(index, last)), stride = at(view.strides, last);
    copy_strided(to, from, stride, run);
    to += run;
    n -= run;
    from += run * stride;
    at(index, last) += run;
    for (int a = last; a > 0 && at(index, a) == view.shape[a]; --a) {
      from += at(view.strides, a - 1) - at(index, a) * at(view.strides, a);
      at(index, a) = 0;
      ++at(index, a - 1);
    }
  }
}

/// The address of a run of n elements of a view, if they are contiguous.
template <class T>
const T* unbroken_run(const T* base, const View& view, std::int64_t flat, std::int64_t n) {
  const int rank = view.shape.rank();
  if (rank == 0) return n == 1 ? base + view.offset : nullptr;
  if (at(view.strides, rank - 1) != 1) return nullptr;
  if (flat % view.shape[rank - 1] + n > view.shape[rank - 1]) return nullptr;
  const T* from = base + view.offset;
  for (int axis = rank - 1; axis >= 0; --axis) {
    from += (flat % view.shape[axis]) * at(view.strides, axis);
    flat /= view.shape[axis];
  }
  return from;
}

/// Calls f with a zero of the given dtype.
template <class F>
void with_source_type(DType dtype, F&& f) {
  switch (dtype) {
    case f32: return f(float{});
    case f64: return f(double{});
    case i32: return f(std::int32_t{});
    case u8: return f(std::uint8_t{});
  }
}
/// The same for elements that may have another storage type.
template <class F>
void with_source_type(DType dtype, Stored stored, F&& f) {
  if (stored == Stored::bf16) return f(Bf16{});
  with_source_type(dtype, std::forward<F>(f));
}

/// Stores the result of a tile in the output's storage type.
template <class T>
void store_tile(std::byte* output, Stored stored, std::int64_t flat, const T* values, std::int64_t n) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (stored == Stored::bf16) return narrow(reinterpret_cast<Bf16*>(output) + flat, values, n);
  }
  std::memmove(reinterpret_cast<T*>(output) + flat, values, static_cast<std::size_t>(n) * sizeof(T));
}
/// Stores one value for each of the elements.
template <class T>
void store_number(std::byte* output, Stored stored, std::int64_t flat, T value, std::int64_t n) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (stored == Stored::bf16) {
      std::fill_n(reinterpret_cast<Bf16*>(output) + flat, n, to_bf16(value));
      return;
    }
  }
  fill_row(reinterpret_cast<T*>(output) + flat, n, value);
}

}  // namespace thalweg
