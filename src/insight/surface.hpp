#pragma once
// A loss as a function of a flat f64 vector of parameters, on which curvature, probes and landscapes work. It is the
// loss of a model on its data, or any function that is minimised.

#include "engine/products.hpp"
#include "insight/spectrum.hpp"
#include "thalweg/derivatives.hpp"

namespace thalweg {

struct Surface {
  using In = std::span<const double>;
  using Out = std::span<double>;

  /// A layer: its name, and the places of its parameters in the vector.
  struct Part {
    std::string name;
    std::vector<std::pair<std::int64_t, std::int64_t>> places;  ///< begin and end of each
  };

  std::int64_t size = 0;
  std::vector<Part> parts = {};  ///< the layers of a model; empty for a function
  std::function<double(In x)> value;
  /// Returns the value and writes the gradient.
  std::function<double(In x, Out gradient)> gradient;
  /// Writes H(x) v.
  std::function<void(In x, In v, Out product)> hessian_times;

  /// The Hessian at x. Both x and the surface must outlive the matrix.
  [[nodiscard]] SymmetricMatrix hessian_at(In x) const;
};

/// The trained parameters of each layer: the layer "hidden" has "hidden/weight" and "hidden/norm/bias".
[[nodiscard]] std::vector<Surface::Part> parts_of(const Layout& layout);

/// The mean loss over all rows of the data as a function of the trained parameters of a state, computed in the state's
/// dtype. `products` and `rows` must outlive the surface. The state is copied.
[[nodiscard]] Surface surface_of(Products& products, const State& at, const Dataset& rows);
/// The trained parameters of a state as a point of such a surface.
[[nodiscard]] std::vector<double> point_of(const State& state);

/// The surface of a scalar function of one tensor of this shape, in f64.
[[nodiscard]] Surface surface_of(const Function& function, const Shape& shape);

}  // namespace thalweg
