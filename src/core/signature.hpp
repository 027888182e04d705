#pragma once
// Signature: the shape and element type of a value.

#include "thalweg/shape.hpp"

namespace thalweg {

/// The properties of a value that are known before it is computed.
struct Signature {
  Shape shape;
  DType dtype = f32;
  friend bool operator==(const Signature&, const Signature&) = default;
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(shape.size()) * size_of(dtype); }
};

}  // namespace thalweg
