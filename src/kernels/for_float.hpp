#pragma once
// Helpers for one generic kernel for both element types.

#include "core/kernel.hpp"

namespace thalweg {

/// The bytes of `count` elements.
template <class T>
std::size_t bytes_of(std::int64_t count) {
  return static_cast<std::size_t>(count) * sizeof(T);
}

/// A kernel made for the element type: make(float{}) or make(double{}).
template <class F>
Kernel for_float(DType dtype, F make) {
  return dtype == f32 ? make(float{}) : make(double{});
}

}  // namespace thalweg
